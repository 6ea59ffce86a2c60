/**
 * The way into a room and the stay there, as a state machine without sockets, clocks or pages: `handle` takes what happened and
 * the time, and returns what has to be done. `wakeAt` says when it next wants to hear `{ kind: "time" }`. `session.ts` feeds it.
 *
 * A call that is live lives in its peer connection; the socket beside it may close and is opened again (`line`). A page that was
 * in the room joins again by itself when the server does not know its seat any more, as after a restart.
 */
import { decode, type Failure, type Lobby, type Message, type Presence, ProtocolError, VERSION, type Welcome } from "./protocol";
import { jittered, reconnectDelay } from "./reconnect";
import type { Entry, Input, Output, PeerState, Phase, RememberedSeat, Status, Trouble } from "./signalling_types";

/** An attempt that is not live after this many milliseconds is given up. */
export const CONNECT_LIMIT = 15_000;
/** Media that have not connected this long after the server's answer are probably blocked: said, and still waited for. */
export const BLOCKED_AFTER = 5_000;
/** A heartbeat that stays unanswered this long means the other end is gone; an outage of some seconds heals by itself. */
export const PONG_LIMIT = 6_000;
/** ICE may mend a `disconnected` connection by itself within this time. */
export const DISCONNECTED_LIMIT = 5_000;
/** A connection that lived this long starts the reconnect schedule anew. */
export const STABLE_AFTER = 5_000;

/** What the connection still waits for; each step only ever moves on to the next. */
type Step = "socket" | "greeting" | "welcome" | "offer" | "answer" | "control";

/** The socket of a live call. away: waits to be opened; opening, greeting: on the way back. */
type Line = "open" | "away" | "opening" | "greeting";

export class Signalling {
  private phase: Phase = "idle";
  private step: Step = "socket";
  private line: Line = "open";
  private attempt = 0;
  private lineAttempt = 0;
  private again = false;
  private trouble: Trouble = "none";
  private message = "";
  private lobby: Lobby | null = null;
  /** How the page wants to come in; null while it stays in the lobby. */
  private entry: Entry | null = null;
  private seat: Welcome | null = null;
  private refusal: Failure | null = null;
  private presence: Presence | null = null;
  private heartbeat = 1_000;
  /** Whether the browser has an address of its own to offer. */
  private hasNetwork = true;

  /** When to connect again. */
  private retryAt = Infinity;
  /** When to ask again for a place, from the lobby. */
  private askAt = Infinity;
  private giveUpAt = Infinity;
  private blockedAt = Infinity;
  private pingAt = Infinity;
  private unansweredSince = Infinity;
  private disconnectedSince = Infinity;
  private stableAt = Infinity;
  /** When to open the live call's socket again, or when to give that attempt up. */
  private lineAt = Infinity;

  private outputs: Output[] = [];

  constructor(
    private readonly key: string,
    /** The seat that this tab had before it was loaded again. */
    private remembered: RememberedSeat | null = null,
    private readonly random: () => number = Math.random,
  ) {}

  get status(): Status {
    const { phase, attempt, again, trouble, message, lobby, seat, refusal } = this;
    const place = seat ? "call" : lobby ? "lobby" : "door";
    return { phase, place, attempt, again, trouble, message, lobby, seat, refusal, asking: this.entry !== null && seat === null };
  }

  /** When to send the next `time`, on the clock of `handle`; Infinity: never. */
  get wakeAt(): number {
    return Math.min(
      this.retryAt,
      this.askAt,
      this.giveUpAt,
      this.blockedAt,
      this.pingAt,
      this.unansweredSince + PONG_LIMIT,
      this.disconnectedSince + DISCONNECTED_LIMIT,
      this.stableAt,
      this.lineAt,
    );
  }

  /** Milliseconds for which the other end has owed an answer. */
  silence(now: number): number {
    return Math.max(0, now - this.unansweredSince);
  }

  /** What happened, at `now` milliseconds on any clock that only moves forward -> what to do, in order. */
  handle(input: Input, now: number): Output[] {
    this.outputs = [];
    switch (input.kind) {
      case "open":
        this.open(now);
        break;
      case "join":
        this.entry = input.entry;
        this.ask(now);
        break;
      case "stay":
        this.stay();
        break;
      case "leave":
        this.leave();
        break;
      case "presence":
        this.presence = { type: "presence", muted: input.muted, camera: input.camera };
        this.tellPresence();
        break;
      case "moderate":
        if (this.isIn) this.send({ type: "moderate", act: input.act, participant: input.participant });
        break;
      case "nudge":
        if (this.phase === "waiting") this.connect(now);
        else if (this.phase === "lobby" && this.entry) this.ask(now);
        else if (this.phase === "live" && this.line === "away") this.openLine(now);
        break;
      case "time":
        this.time(now);
        break;
      case "socket-open":
        this.socketOpen();
        break;
      case "socket-closed":
        if (this.phase === "live") this.loseLine(now);
        else this.lose(now, this.step === "socket" ? "unreachable" : this.phase === "lobby" ? "lost" : "silent");
        break;
      case "socket-text":
        this.socketText(input.text, now);
        break;
      case "offer":
        if (this.phase !== "connecting" || this.step !== "offer") break;
        this.step = "answer";
        this.hasNetwork = input.sdp.includes("a=candidate:");
        this.send({ type: "offer", sdp: input.sdp });
        break;
      case "peer-state":
        this.peerState(input.state, now);
        break;
      case "peer-error":
        this.lose(now, this.phase === "live" ? "lost" : "no-webrtc");
        break;
      case "control-open":
        this.live(now);
        break;
      case "control-text":
        this.controlText(input.text, now);
        break;
      case "control-closed":
        this.loseMedia(now);
        break;
    }
    return this.outputs;
  }

  /** Whether the page is in the room, and a socket is there to say so. */
  private get isIn(): boolean {
    if (this.phase === "live") return this.line === "open";
    return this.phase === "connecting" && ["offer", "answer", "control"].includes(this.step);
  }

  private open(now: number): void {
    if (this.phase === "connecting" || this.phase === "lobby" || this.phase === "live") return;
    this.attempt = 0;
    this.again = false;
    this.trouble = "none";
    this.message = "";
    this.refusal = null;
    this.connect(now);
  }

  /** Asks to come in, once the server has been greeted. */
  private ask(now: number): void {
    if (this.phase !== "lobby" || !this.entry) {
      this.report();
      return;
    }
    this.phase = "connecting";
    this.sendJoin(now);
    this.report();
  }

  private sendJoin(now: number): void {
    if (!this.entry) return;
    this.step = "welcome";
    this.askAt = Infinity;
    this.giveUpAt = now + CONNECT_LIMIT;
    const muted = this.presence?.muted ?? false;
    this.send({ type: "join", ...this.entry, order: this.remembered?.order ?? -1, muted });
  }

  /** Back to choosing: no longer asks for a place. */
  private stay(): void {
    if (this.seat) return;
    this.entry = this.refusal = null;
    this.askAt = Infinity;
    this.report();
  }

  private leave(): void {
    if (this.phase === "idle" || this.phase === "left") return;
    if (this.phase === "lobby" || this.isIn || this.line === "greeting") this.send({ type: "bye" });
    this.forget();
    this.close("left");
  }

  /** The page has no seat any more and wants none. */
  private forget(): void {
    this.entry = this.seat = this.remembered = null;
    this.outputs.push({ kind: "remember", seat: null });
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
    this.line = "open";
    this.trouble = "none";
    this.message = "";
    this.again = true;
    this.giveUpAt = this.blockedAt = Infinity;
    this.pingAt = now + this.heartbeat;
    this.stableAt = now + STABLE_AFTER;
    this.ping(now);
    this.report();
  }

  /** `notBefore`: milliseconds that the server asks to wait. */
  private lose(now: number, trouble: Trouble, message = "", notBefore = 0): void {
    if (!["connecting", "lobby", "live"].includes(this.phase)) return;
    this.trouble = trouble;
    this.message = message;
    const delay = reconnectDelay(this.attempt, this.random);
    this.attempt += 1;
    this.close("waiting");
    this.retryAt = now + Math.max(delay, notBefore);
  }

  private loseMedia(now: number): void {
    this.lose(now, this.phase === "live" ? "lost" : this.mediaTrouble());
  }

  /** Firefox without a network fails before it makes an offer. */
  private mediaTrouble(): Trouble {
    return this.hasNetwork && this.step !== "offer" ? "blocked" : "no-network";
  }

  /** Tells first and closes then: the page may want to keep the last picture. */
  private close(phase: Phase): void {
    this.quiet();
    this.phase = phase;
    this.report();
    this.outputs.push({ kind: "unknown-room" }, { kind: "close-peer" }, { kind: "close-socket" });
  }

  /** Forgets every deadline. */
  private quiet(): void {
    this.retryAt = this.askAt = this.giveUpAt = this.blockedAt = this.pingAt = this.stableAt = this.lineAt = Infinity;
    this.unansweredSince = this.disconnectedSince = Infinity;
    this.lineAttempt = 0;
  }

  private time(now: number): void {
    if (now >= this.retryAt) this.connect(now);
    if (now >= this.askAt) this.ask(now);
    if (now >= this.stableAt) {
      this.attempt = 0;
      this.stableAt = Infinity;
    }
    if (now >= this.blockedAt) {
      this.blockedAt = Infinity;
      this.trouble = this.mediaTrouble();
      this.report();
    }
    if (now >= this.lineAt) {
      if (this.line === "away") this.openLine(now);
      else this.loseLine(now);
    }
    if (now >= this.giveUpAt) this.giveUp(now);
    else if (now >= this.unansweredSince + PONG_LIMIT || now >= this.disconnectedSince + DISCONNECTED_LIMIT) this.lose(now, "lost");
    else if (now >= this.pingAt) {
      this.pingAt = now + this.heartbeat;
      this.ping(now);
    }
  }

  private giveUp(now: number): void {
    const troubles: Record<Step, Trouble> = {
      socket: "unreachable", greeting: "silent", welcome: "silent", offer: "no-webrtc", answer: "silent", control: this.mediaTrouble(),
    };
    this.lose(now, troubles[this.step]);
  }

  private ping(now: number): void {
    this.unansweredSince = Math.min(this.unansweredSince, now);
    this.outputs.push({ kind: "send-control", message: { type: "ping", sent: now } });
  }

  private peerState(state: PeerState, now: number): void {
    if (state === "failed" || state === "closed") this.loseMedia(now);
    else if (state === "disconnected" && this.phase === "live") this.disconnectedSince = Math.min(this.disconnectedSince, now);
    else this.disconnectedSince = Infinity;
  }

  private socketOpen(): void {
    const isBack = this.phase === "live" && this.line === "opening";
    if (isBack) this.line = "greeting";
    else if (this.phase === "connecting" && this.step === "socket") this.step = "greeting";
    else return;
    this.send({ type: "hello", key: this.key, resume: this.remembered?.resume ?? "", version: VERSION, keep_media: isBack });
    if (!isBack) this.clear("unreachable");
  }

  private loseLine(now: number): void {
    this.line = "away";
    this.lineAt = now + reconnectDelay(this.lineAttempt, this.random);
    this.lineAttempt += 1;
    this.outputs.push({ kind: "close-socket" });
    if (this.lineAttempt === 3) this.outputs.push({ kind: "unknown-room" });
  }

  private openLine(now: number): void {
    this.line = "opening";
    this.lineAt = now + CONNECT_LIMIT;
    this.outputs.push({ kind: "open-socket" });
  }

  private socketText(text: string, now: number): void {
    if (!["connecting", "lobby", "live"].includes(this.phase)) return;
    const message = understand(text);
    switch (message?.type) {
      case "lobby":
        this.enterLobby(message, now);
        break;
      case "welcome":
        this.welcome(message, now);
        break;
      case "answer":
        if (this.phase !== "connecting" || this.step !== "answer") break;
        this.step = "control";
        this.blockedAt = now + BLOCKED_AFTER;
        this.outputs.push({ kind: "answer", sdp: message.sdp });
        this.clear("silent");
        break;
      case "failure":
        this.failure(message, now);
        break;
      case "room_state":
      case "sound_lines":
        this.outputs.push({ kind: "told", message });
        break;
    }
  }

  private enterLobby(message: Lobby, now: number): void {
    const isBack = this.phase === "live" && this.line === "greeting";
    if (!isBack && (this.phase !== "connecting" || this.step !== "greeting")) return;
    this.lobby = message;
    if (isBack) this.restart(now);
    if (this.entry) this.sendJoin(now);
    else {
      this.quiet();
      this.phase = "lobby";
      this.attempt = 0;
    }
    this.clear("unreachable", "silent", "told");
    this.report();
  }

  private welcome(message: Welcome, now: number): void {
    const isBack = this.phase === "live" && this.line === "greeting";
    if (!isBack && (this.phase !== "connecting" || (this.step !== "greeting" && this.step !== "welcome"))) return;
    this.entry ??= this.remembered?.entry ?? { name: "", avatar: "", watch: message.participant < 0 };
    this.seat = message;
    this.refusal = null;
    this.remembered = { resume: message.resume, order: message.order, entry: this.entry };
    this.outputs.push({ kind: "remember", seat: this.remembered });
    this.heartbeat = Math.min(10, Math.max(0.2, message.heartbeat)) * 1_000;
    if (isBack && message.media_kept) {
      this.line = "open";
      this.lineAt = Infinity;
      this.lineAttempt = 0;
      this.tellPresence();
      this.report(); // the links may be other ones
      return;
    }
    if (isBack) this.restart(now);
    this.step = "offer";
    this.clear("unreachable", "silent", "told");
    this.tellPresence();
    this.report();
    this.outputs.push({ kind: "open-peer", iceServers: message.ice_servers });
  }

  private tellPresence(): void {
    if (this.isIn && this.presence && (this.seat?.participant ?? -1) >= 0) this.send(this.presence);
  }

  /** The server is there, but does not know our media: a new peer connection on the socket that is open already. */
  private restart(now: number): void {
    this.quiet();
    this.phase = "connecting";
    this.trouble = "lost";
    this.giveUpAt = now + CONNECT_LIMIT;
    this.report();
  }

  private failure(failure: Failure, now: number): void {
    const { code, message, final, retry_after } = failure;
    const wait = Math.min(60, Math.max(0, retry_after)) * 1_000;
    if (this.phase === "lobby") this.outputs.push({ kind: "told", message: failure });
    else if (this.phase === "connecting" && this.step === "welcome" && !final) this.refuse(failure, now, wait);
    else if (code === "avatar") {
      this.refusal = failure;
      this.forget();
      this.lose(now, "none");
    } else if (final) {
      this.trouble = "told";
      this.message = message;
      this.forget();
      this.close("failed");
    } else if (this.phase === "live" && ["not_allowed", "not_found", "bad_message"].includes(code)) {
      this.outputs.push({ kind: "told", message: failure });
    } else this.lose(now, "told", message, wait);
  }

  /** The room does not take the page in now: it waits in the lobby, and asks again where the server says when (`wait`, ms). */
  private refuse(failure: Failure, now: number, wait: number): void {
    const hadSeat = this.seat !== null;
    this.quiet();
    this.phase = "lobby";
    this.seat = null;
    this.refusal = failure;
    if (wait > 0) this.askAt = now + jittered(wait, this.random);
    else this.entry = null;
    this.report();
    if (hadSeat) this.outputs.push({ kind: "unknown-room" }, { kind: "close-peer" });
  }

  private controlText(text: string, now: number): void {
    if (this.phase !== "live") return;
    const message = understand(text);
    if (message?.type === "stats" || message?.type === "labels" || message?.type === "speaking") {
      this.outputs.push({ kind: "told", message });
    } else if (message?.type === "pong") {
      this.unansweredSince = Infinity;
      this.outputs.push({ kind: "round-trip", milliseconds: Math.max(0, now - message.sent) });
    }
  }

  /** The way has come further than these troubles. */
  private clear(...overcome: Trouble[]): void {
    if (!overcome.includes(this.trouble)) return;
    this.trouble = "none";
    this.message = "";
    this.report();
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
