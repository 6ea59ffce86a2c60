/** A socket to the server that asks for a place to watch from, one answer awaited after the other. No DOM. */
import { ANYWHERE } from "../background";
import { type Answer, encode, type Failure, type Lobby, type Message, VERSION, type Welcome } from "../protocol";
import { understand } from "../understand";

/** Milliseconds for the socket to open, and for each answer. */
const ANSWER_LIMIT = 8_000;
const NAME = "Connection test";

type Downward = Lobby | Welcome | Answer;

/** Why the server could not be asked. `message`: its own words, for "refused". */
export class LineError extends Error {
  constructor(
    readonly why: "unreachable" | "silent" | "refused",
    message = "",
    /** Of the server's `Failure`. */
    readonly code = "",
  ) {
    super(message);
  }
}

export class Line {
  private readonly heard: Message[] = [];
  private isClosed = false;
  private wake: () => void = () => undefined;

  private constructor(private readonly socket: WebSocket) {
    socket.onmessage = ({ data }) => {
      const message = typeof data === "string" ? understand(data) : null;
      if (message?.type === "lobby" || message?.type === "welcome" || message?.type === "answer" || message?.type === "failure") this.heard.push(message);
      this.wake();
    };
    socket.onclose = () => {
      this.isClosed = true;
      this.wake();
    };
  }

  /** Opens the socket. Throws `LineError`. */
  static open(address: string): Promise<Line> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(address);
      const line = new Line(socket);
      const fail = (): void => {
        clearTimeout(timer);
        socket.close();
        reject(new LineError("unreachable"));
      };
      const timer = setTimeout(fail, ANSWER_LIMIT);
      socket.onerror = fail;
      socket.onopen = () => {
        clearTimeout(timer);
        resolve(line);
      };
    });
  }

  /** Shows the room's key. Throws `LineError`. */
  greet(key: string): Promise<Lobby> {
    return this.ask({ type: "hello", key, resume: "", version: VERSION, keep_media: false, token: "" }, "lobby");
  }

  /** Takes a viewer's place. Throws `LineError`. */
  watch(): Promise<Welcome> {
    return this.ask({ type: "join", name: NAME, avatar: "", watch: true, order: -1, muted: true }, "welcome");
  }

  /** The server's answer to an SDP offer. Throws `LineError`. */
  async offer(sdp: string): Promise<string> {
    return (await this.ask<Answer>({ type: "offer", sdp, place: ANYWHERE }, "answer")).sdp;
  }

  /** Gives the place back. */
  leave(): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(encode({ type: "bye" }));
    this.socket.close();
  }

  private async ask<T extends Downward>(message: Message, type: T["type"]): Promise<T> {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(encode(message));
    const until = performance.now() + ANSWER_LIMIT;
    for (;;) {
      const answer = this.heard.shift();
      if (answer?.type === type) return answer as T;
      if (answer?.type === "failure") throw new LineError("refused", (answer as Failure).message, (answer as Failure).code);
      if (answer) continue;
      const left = until - performance.now();
      if (this.isClosed || left <= 0) throw new LineError("silent");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
