/**
 * The way into a room and the stay there, as a state machine without sockets, clocks or pages: `handle` takes what happened and
 * the time, and returns what has to be done. `wakeAt` says when it next wants to hear `{ kind: "time" }`. `session.ts` feeds it.
 *
 * A call that is live lives in its peer connection; the socket beside it may close and is opened again (`CallSocket`). A page
 * that was in the room joins again by itself when the server does not know its seat any more, as after a restart.
 */
import { Admission } from "./admission";
import { ANYWHERE } from "./background";
import { Approach, GIVE_UP_AFTER } from "./approach";
import { CallSocket } from "./call_socket";
import { Complaint } from "./complaint";
import { consequenceOf, stageOf, waitOf } from "./failures";
import { Heartbeat } from "./heartbeat";
import type { Failure, Lobby, Message, Welcome } from "./protocol";
import { jittered, Retries } from "./reconnect";
import type { Input, News, Output, PeerState, Phase, RememberedSeat, Status, Step, Trouble } from "./signalling_types";
import { understand } from "./understand";

export class Signalling {
  place = ANYWHERE; // where the page shows its picture
  private phase: Phase = "idle";
  private again = false;
  private readonly complaint = new Complaint();
  private readonly admission: Admission;
  private readonly approach = new Approach();
  private readonly heartbeat = new Heartbeat();
  private readonly socket: CallSocket;
  private readonly retries: Retries;
  /** When to ask again for a place, from the lobby. */
  private askAt = Infinity;
  /** What the page last said, see `wording`. */
  private said = this.wording;
  private outputs: Output[] = [];

  constructor(
    private readonly key: string,
    /** The seat that this tab had before it was loaded again. */
    remembered: RememberedSeat | null = null,
    private readonly random: () => number = Math.random,
  ) {
    this.admission = new Admission(remembered);
    this.socket = new CallSocket(GIVE_UP_AFTER, random);
    this.retries = new Retries(random);
  }

  get status(): Status {
    const { phase, again } = this;
    const { trouble, message } = this.complaint;
    const { lobby, seat, refusal, isAsking: asking } = this.admission;
    const place = seat ? "call" : lobby ? "lobby" : "door";
    const [{ attempt }, { slowStep }] = [this.retries, this.approach];
    return { phase, place, attempt, again, trouble, message, slowStep, lobby, seat, refusal, asking };
  }

  /** When to send the next `time`, on the clock of `handle`; Infinity: never. */
  get wakeAt(): number {
    const { askAt, approach, heartbeat, retries, socket } = this;
    return Math.min(askAt, approach.wakeAt, heartbeat.wakeAt, retries.wakeAt, socket.wakeAt);
  }

  /** Milliseconds for which the other end has owed an answer. */
  silence(now: number): number {
    return this.heartbeat.silence(now);
  }

  /** What happened, at `now` milliseconds on any clock that only moves forward -> what to do, in order. */
  handle(input: Input, now: number): Output[] {
    this.outputs = [];
    this.take(input, now);
    if (this.wording !== this.said) this.report();
    return this.outputs;
  }

  private take(input: Input, now: number): void {
    switch (input.kind) {
      case "open": return this.open(now);
      case "join": return this.ask(now, input.entry);
      case "stay": return this.stay();
      case "leave": return this.leave();
      case "presence":
        this.admission.setPresence(input.muted, input.camera);
        return this.tellPresence();
      case "moderate":
        if (this.isIn) this.send({ type: "moderate", act: input.act, participant: input.participant });
        return;
      case "account": return this.account(input.token, now);
      case "nudge": return this.nudge(now);
      case "retry": return this.phase === "live" ? this.startOver(now) : this.nudge(now);
      case "time": return this.time(now);
      case "socket-open": return this.socketOpen();
      case "socket-closed": return this.socketClosed(now);
      case "socket-text": return this.socketText(input.text, now);
      case "offer": return this.offer(input.sdp);
      case "peer-state": return this.peerState(input.state, now);
      case "peer-error": return this.lose(now, this.phase === "live" ? "lost" : "no-webrtc");
      case "control-open": return this.live(now);
      case "control-text": return this.controlText(input.text, now);
      case "control-closed": return this.loseMedia(now);
    }
  }

  /** Whether the page is in the room, and a socket is there to say so. */
  private get isIn(): boolean {
    if (this.phase === "live") return this.socket.state === "open";
    return this.phase === "connecting" && ["offer", "answer", "control"].includes(this.approach.step);
  }

  private waitsFor(step: Step): boolean {
    return this.phase === "connecting" && this.approach.step === step;
  }

  private open(now: number): void {
    if (this.phase === "connecting" || this.phase === "lobby" || this.phase === "live") return;
    this.retries.reset();
    this.again = false;
    this.complaint.set("none");
    this.admission.refusal = null;
    this.connect(now);
  }

  /** Asks to come in as `entry`, once the server has been greeted. */
  private ask(now: number, entry = this.admission.entry): void {
    this.admission.entry = entry;
    if (this.phase === "lobby") this.sendJoin(now);
    this.report();
  }

  private sendJoin(now: number): void {
    const { entry } = this.admission;
    if (!entry) return;
    this.phase = "connecting";
    this.askAt = Infinity;
    this.approach.begin("welcome", now);
    this.send(this.admission.join(entry));
  }

  /** No longer asks for a place. */
  private stay(): void {
    if (this.admission.seat) return;
    this.admission.stay();
    this.askAt = Infinity;
    this.report();
  }

  private account(token: string, now: number): void {
    this.admission.account = token;
    if ((this.phase === "lobby" && !this.admission.entry) || this.waitsFor("greeting")) this.connect(now);
  }

  /** The network may be back, or the person does not want to wait. */
  private nudge(now: number): void {
    if (this.phase === "waiting") this.connect(now);
    else if (this.phase === "connecting" && this.approach.canRestart(now)) this.startOver(now);
    else if (this.phase === "lobby" && this.admission.entry) this.ask(now);
    else if (this.phase === "live" && this.socket.state === "away") this.outputs.push(...this.socket.reopen(now));
  }

  /** Another attempt in place of the one under way, or of a call whose picture does not come. */
  private startOver(now: number): void {
    this.retries.attempt += 1;
    this.outputs.push({ kind: "unknown-room" }, { kind: "close-peer" });
    this.connect(now);
  }

  private leave(): void {
    if (this.phase === "idle" || this.phase === "left") return;
    if (this.phase === "lobby" || this.isIn || this.isComingBack) this.send({ type: "bye" });
    this.forget();
    this.close("left");
  }

  /** The page has no seat any more and wants none. */
  private forget(): void {
    this.admission.forget();
    this.outputs.push({ kind: "remember", seat: null });
  }

  private connect(now: number): void {
    this.quiet();
    this.retries.stop();
    this.phase = "connecting";
    this.approach.begin("socket", now);
    this.outputs.push({ kind: "open-socket" });
    this.report();
  }

  private live(now: number): void {
    if (!this.waitsFor("control")) return;
    this.phase = "live";
    this.socket.mended();
    this.complaint.set("none");
    this.again = true;
    this.approach.end();
    this.retries.connected(now);
    this.ping(now);
    this.report();
  }

  /** `notBefore`: milliseconds that the server asks to wait. */
  private lose(now: number, trouble: Trouble, message = "", notBefore = 0): void {
    if (!["connecting", "lobby", "live"].includes(this.phase)) return;
    this.complaint.set(trouble, message);
    this.retries.lost(now, notBefore);
    this.close("waiting");
  }

  private loseMedia(now: number): void {
    this.lose(now, this.phase === "live" ? "lost" : this.approach.mediaTrouble);
  }

  /** Tells first and closes then: the page may want to keep the last picture. */
  private close(phase: Phase): void {
    this.quiet();
    if (phase !== "waiting") this.retries.stop();
    this.phase = phase;
    this.report();
    this.outputs.push({ kind: "unknown-room" }, { kind: "close-peer" }, { kind: "close-socket" });
  }

  /** Forgets every deadline but that of the next attempt. */
  private quiet(): void {
    this.askAt = Infinity;
    this.approach.end();
    this.heartbeat.stop();
    this.socket.stop();
  }

  private time(now: number): void {
    if (this.retries.tick(now)) this.connect(now);
    if (now >= this.askAt) this.ask(now);
    if (this.approach.tick(now)) this.complaint.set(this.approach.mediaTrouble);
    this.outputs.push(...this.socket.tick(now));
    if (this.approach.isTooLate(now)) this.lose(now, this.approach.trouble);
    else if (this.heartbeat.isGone(now)) this.lose(now, "lost");
    else if (this.heartbeat.isDue(now)) this.ping(now);
  }

  private ping(now: number): void {
    this.heartbeat.beat(now);
    this.outputs.push({ kind: "send-control", message: { type: "ping", sent: now } });
  }

  private peerState(state: PeerState, now: number): void {
    if (state === "failed" || state === "closed") this.loseMedia(now);
    else if (state === "disconnected" && this.phase === "live") this.heartbeat.disconnected(now);
    else this.heartbeat.connected();
  }

  private socketOpen(): void {
    const isBack = this.phase === "live" && this.socket.state === "opening";
    if (isBack) this.socket.state = "greeting";
    else if (this.waitsFor("socket")) this.approach.step = "greeting";
    else return;
    this.send(this.admission.hello(this.key, isBack));
    if (!isBack) this.complaint.overcome("unreachable");
  }

  private socketClosed(now: number): void {
    if (this.phase === "live") this.outputs.push(...this.socket.lose(now));
    else this.lose(now, this.approach.step === "socket" ? "unreachable" : this.phase === "lobby" ? "lost" : "silent");
  }

  private offer(sdp: string): void {
    if (!this.waitsFor("offer")) return;
    this.approach.offered(sdp);
    this.send({ type: "offer", sdp, place: this.place });
    this.tellPresence();
  }

  private answer(sdp: string, now: number): void {
    if (!this.waitsFor("answer")) return;
    this.approach.answered(now);
    this.outputs.push({ kind: "answer", sdp });
    this.complaint.overcome("silent");
  }

  private socketText(text: string, now: number): void {
    if (!["connecting", "lobby", "live"].includes(this.phase)) return;
    const message = understand(text);
    switch (message?.type) {
      case "lobby": return this.enterLobby(message, now);
      case "welcome": return this.welcome(message, now);
      case "answer": return this.answer(message.sdp, now);
      case "failure": return this.failure(message, now);
      case "room_state":
      case "sound_lines": return this.tell(message);
    }
  }

  /** Whether the socket of a live call waits for the server's greeting. */
  private get isComingBack(): boolean {
    return this.phase === "live" && this.socket.state === "greeting";
  }

  private enterLobby(message: Lobby, now: number): void {
    const isBack = this.isComingBack;
    if (!isBack && !this.waitsFor("greeting")) return;
    this.admission.lobby = message;
    if (isBack) this.restart(now);
    if (this.admission.entry) this.sendJoin(now);
    else {
      this.quiet();
      this.retries.reset();
      this.phase = "lobby";
    }
    this.complaint.overcome("unreachable", "silent", "told");
    this.report();
  }

  private welcome(message: Welcome, now: number): void {
    const isBack = this.isComingBack;
    if (!isBack && !this.waitsFor("greeting") && !this.waitsFor("welcome")) return;
    this.outputs.push({ kind: "remember", seat: this.admission.welcomed(message) });
    this.heartbeat.setInterval(message.heartbeat);
    if (isBack && message.media_kept) {
      this.socket.mended();
      this.tellPresence();
      this.report(); // the links may be other ones
      return;
    }
    if (isBack) this.restart(now);
    this.approach.step = "offer";
    this.complaint.overcome("unreachable", "silent", "told");
    this.report();
    this.outputs.push({ kind: "open-peer", iceServers: message.ice_servers });
  }

  /** Tells the server what it does not know yet, behind the offer: picture and voice come first. */
  private tellPresence(): void {
    const news = this.isIn && !this.waitsFor("offer") ? this.admission.presenceToTell() : null;
    if (news) this.send(news);
  }

  /** The server is there, but does not know our media: a new peer connection on the socket that is open already. */
  private restart(now: number): void {
    this.quiet();
    this.retries.stop();
    this.phase = "connecting";
    this.complaint.set("lost");
    this.approach.begin("offer", now);
    this.report();
  }

  private failure(failure: Failure, now: number): void {
    const wait = waitOf(failure);
    switch (consequenceOf(failure, stageOf(this.phase, this.approach.step))) {
      case "told": return this.tell(failure);
      case "refused": return this.refuse(failure, now, wait);
      case "lost": return this.lose(now, "told", failure.message, wait);
      case "another-avatar":
        this.admission.refusal = failure;
        this.forget();
        return this.lose(now, "none");
      case "ended":
        this.complaint.set("told", failure.message);
        this.forget();
        return this.close("failed");
    }
  }

  /** The room does not take the page in now: it waits in the lobby, and asks again where the server says when (`wait`, ms). */
  private refuse(failure: Failure, now: number, wait: number): void {
    const hadSeat = this.admission.seat !== null;
    this.quiet();
    this.phase = "lobby";
    this.admission.refused(failure, wait > 0);
    if (wait > 0) this.askAt = now + jittered(wait, this.random);
    this.report();
    if (hadSeat) this.outputs.push({ kind: "unknown-room" }, { kind: "close-peer" });
  }

  private controlText(text: string, now: number): void {
    if (this.phase !== "live") return;
    const message = understand(text);
    if (message?.type === "stats" || message?.type === "labels" || message?.type === "speaking") this.tell(message);
    if (message?.type !== "pong") return;
    this.heartbeat.answered();
    this.outputs.push({ kind: "round-trip", milliseconds: Math.max(0, now - message.sent) });
  }

  private tell(message: News): void {
    this.outputs.push({ kind: "told", message });
  }

  private send(message: Message): void {
    this.outputs.push({ kind: "send", message });
  }

  /** What of the status decides what the page says of the connection. */
  private get wording(): string {
    const { trouble, message } = this.complaint;
    return `${this.approach.slowStep ?? ""} ${trouble} ${message}`;
  }

  private report(): void {
    this.said = this.wording;
    this.outputs.push({ kind: "status", status: this.status });
  }
}
