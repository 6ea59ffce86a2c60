/**
 * The call as a state machine without sockets, clocks or pages: `handle` takes what happened and the time, and returns what
 * has to be done. `wakeAt` says when it next wants to hear `{ kind: "time" }`. `session.ts` feeds it.
 */
import { type Failure, type IceServer, type Message, type Role, type RoomState, type Stats } from "./protocol";
import { decode, ProtocolError, VERSION } from "./protocol";
import { reconnectDelay } from "./reconnect";

/** An attempt that is not live after this many milliseconds is given up. */
export const CONNECT_LIMIT = 15_000;
/** A heartbeat that stays unanswered this long means the other end is gone. */
export const PONG_LIMIT = 3_000;
/** ICE may mend a `disconnected` connection by itself within this time. */
export const DISCONNECTED_LIMIT = 2_000;
/** A connection that lived this long starts the reconnect schedule anew. */
export const STABLE_AFTER = 5_000;

export type Phase = "idle" | "connecting" | "live" | "waiting" | "failed" | "left";

export interface Status {
  phase: Phase;
  /** Attempts since the last stable connection; 0 during the first. */
  attempt: number;
  /** Whether this call was live before: connecting again is "reconnecting". */
  again: boolean;
  /** A sentence for the person: why it failed, or why it has to try again; may be empty. */
  message: string;
  viewerUrl: string;
}

export type PeerState = "new" | "connecting" | "connected" | "disconnected" | "failed" | "closed";

export type Input =
  | { kind: "join" | "leave" | "nudge" | "time" }
  | { kind: "socket-open" | "socket-closed" }
  | { kind: "socket-text"; text: string }
  | { kind: "offer"; sdp: string }
  | { kind: "peer-state"; state: PeerState }
  | { kind: "peer-error" }
  | { kind: "control-open" | "control-closed" }
  | { kind: "control-text"; text: string };

export type Output =
  | { kind: "open-socket" | "close-socket" | "close-peer" }
  | { kind: "send"; message: Message }
  | { kind: "open-peer"; iceServers: IceServer[] }
  | { kind: "answer"; sdp: string }
  | { kind: "send-control"; message: Message }
  | { kind: "status"; status: Status }
  | { kind: "room"; room: RoomState }
  | { kind: "stats"; stats: Stats }
  | { kind: "round-trip"; milliseconds: number };

/** What the connection still waits for; each step only ever moves on to the next. */
type Step = "socket" | "welcome" | "offer" | "answer" | "control";

export class Signalling {
  private phase: Phase = "idle";
  private step: Step = "socket";
  private attempt = 0;
  private again = false;
  private message = "";
  private viewerUrl = "";
  private resume = "";
  private heartbeat = 1_000;

  private retryAt = Infinity;
  private giveUpAt = Infinity;
  private pingAt = Infinity;
  private unansweredSince = Infinity;
  private disconnectedSince = Infinity;
  private stableAt = Infinity;

  private outputs: Output[] = [];

  constructor(
    private readonly role: Role,
    private readonly key: string,
    private readonly random: () => number = Math.random,
  ) {}

  get status(): Status {
    const { phase, attempt, again, message, viewerUrl } = this;
    return { phase, attempt, again, message, viewerUrl };
  }

  /** When to send the next `time`, on the clock of `handle`; Infinity: never. */
  get wakeAt(): number {
    return Math.min(
      this.retryAt,
      this.giveUpAt,
      this.pingAt,
      this.unansweredSince + PONG_LIMIT,
      this.disconnectedSince + DISCONNECTED_LIMIT,
      this.stableAt,
    );
  }

  /** What happened, at `now` milliseconds on any clock that only moves forward -> what to do, in order. */
  handle(input: Input, now: number): Output[] {
    this.outputs = [];
    switch (input.kind) {
      case "join":
        this.join(now);
        break;
      case "leave":
        this.leave();
        break;
      case "nudge":
        if (this.phase === "waiting") this.connect(now);
        break;
      case "time":
        this.time(now);
        break;
      case "socket-open":
        if (this.phase !== "connecting" || this.step !== "socket") break;
        this.step = "welcome";
        this.send({ type: "hello", role: this.role, key: this.key, resume: this.resume, version: VERSION });
        break;
      case "socket-closed":
      case "peer-error":
      case "control-closed":
        this.lose(now);
        break;
      case "socket-text":
        this.socketText(input.text, now);
        break;
      case "offer":
        if (this.phase !== "connecting" || this.step !== "offer") break;
        this.step = "answer";
        this.send({ type: "offer", sdp: input.sdp });
        break;
      case "peer-state":
        this.peerState(input.state, now);
        break;
      case "control-open":
        this.live(now);
        break;
      case "control-text":
        this.controlText(input.text, now);
        break;
    }
    return this.outputs;
  }

  private join(now: number): void {
    if (this.phase === "connecting" || this.phase === "live") return;
    this.attempt = 0;
    this.again = false;
    this.message = "";
    this.connect(now);
  }

  private leave(): void {
    if (this.phase === "idle" || this.phase === "left") return;
    if (this.phase === "live" || (this.phase === "connecting" && this.step !== "socket")) this.send({ type: "bye" });
    this.close("left");
  }

  private connect(now: number): void {
    this.quiet();
    this.phase = "connecting";
    this.step = "socket";
    this.giveUpAt = now + CONNECT_LIMIT;
    this.outputs.push({ kind: "open-socket" });
    this.report();
  }

  private live(now: number): void {
    if (this.phase !== "connecting" || this.step !== "control") return;
    this.phase = "live";
    this.message = "";
    this.again = true;
    this.giveUpAt = Infinity;
    this.pingAt = now + this.heartbeat;
    this.stableAt = now + STABLE_AFTER;
    this.ping(now);
    this.report();
  }

  private lose(now: number, message = ""): void {
    if (this.phase !== "connecting" && this.phase !== "live") return;
    this.message = message;
    const delay = reconnectDelay(this.attempt, this.random);
    this.attempt += 1;
    this.close("waiting");
    this.retryAt = now + delay;
  }

  /** Tells first and closes then: the page may want to keep the last picture. */
  private close(phase: Phase): void {
    this.quiet();
    this.phase = phase;
    this.report();
    this.outputs.push({ kind: "close-peer" }, { kind: "close-socket" });
  }

  /** Forgets every deadline. */
  private quiet(): void {
    this.retryAt = this.giveUpAt = this.pingAt = this.stableAt = Infinity;
    this.unansweredSince = this.disconnectedSince = Infinity;
  }

  private time(now: number): void {
    if (now >= this.retryAt) this.connect(now);
    if (now >= this.stableAt) {
      this.attempt = 0;
      this.stableAt = Infinity;
    }
    const gone =
      now >= this.giveUpAt ||
      now >= this.unansweredSince + PONG_LIMIT ||
      now >= this.disconnectedSince + DISCONNECTED_LIMIT;
    if (gone) this.lose(now);
    else if (now >= this.pingAt) {
      this.pingAt = now + this.heartbeat;
      this.ping(now);
    }
  }

  private ping(now: number): void {
    this.unansweredSince = Math.min(this.unansweredSince, now);
    this.outputs.push({ kind: "send-control", message: { type: "ping", sent: now } });
  }

  private peerState(state: PeerState, now: number): void {
    if (state === "failed" || state === "closed") this.lose(now);
    else if (state === "disconnected") this.disconnectedSince = Math.min(this.disconnectedSince, now);
    else this.disconnectedSince = Infinity;
  }

  private socketText(text: string, now: number): void {
    if (this.phase !== "connecting" && this.phase !== "live") return;
    const message = understand(text);
    switch (message?.type) {
      case "welcome":
        if (this.phase !== "connecting" || this.step !== "welcome") break;
        this.step = "offer";
        this.resume = message.resume;
        this.viewerUrl = message.viewer_url;
        this.heartbeat = Math.min(10, Math.max(0.2, message.heartbeat)) * 1_000;
        this.outputs.push({ kind: "open-peer", iceServers: message.ice_servers });
        break;
      case "answer":
        if (this.phase !== "connecting" || this.step !== "answer") break;
        this.step = "control";
        this.outputs.push({ kind: "answer", sdp: message.sdp });
        break;
      case "failure":
        this.failure(message, now);
        break;
      case "room_state":
        this.outputs.push({ kind: "room", room: message });
        break;
    }
  }

  private failure(failure: Failure, now: number): void {
    if (!failure.final) {
      this.lose(now, failure.message);
      return;
    }
    this.message = failure.message;
    this.close("failed");
  }

  private controlText(text: string, now: number): void {
    if (this.phase !== "live") return;
    const message = understand(text);
    if (message?.type === "stats") this.outputs.push({ kind: "stats", stats: message });
    if (message?.type === "pong") {
      this.unansweredSince = Infinity;
      this.outputs.push({ kind: "round-trip", milliseconds: Math.max(0, now - message.sent) });
    }
  }

  private send(message: Message): void {
    this.outputs.push({ kind: "send", message });
  }

  private report(): void {
    this.outputs.push({ kind: "status", status: this.status });
  }
}

/** A message, or null for one that this page does not know: a newer server may say more than we understand. */
function understand(text: string): Message | null {
  try {
    return decode(text);
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}
