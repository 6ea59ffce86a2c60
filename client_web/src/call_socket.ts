/** How the socket of a live call stands: the call lives in its peer connection, and the socket beside it may close and is opened again. */
import { reconnectDelay } from "./reconnect";
import type { Output } from "./signalling_types";

/** away: waits to be opened; opening, greeting: on the way back. */
export type SocketState = "open" | "away" | "opening" | "greeting";

/** After this many attempts in a row, who is in the room is not known any more. */
const STALE_AFTER = 3;

export class CallSocket {
  state: SocketState = "open";
  /** When to open it again, or when to give that attempt up; milliseconds, Infinity: never. */
  wakeAt = Infinity;
  private attempt = 0;

  /** `limit`: milliseconds that an attempt may take. */
  constructor(
    private readonly limit: number,
    private readonly random: () => number,
  ) {}

  /** It has closed. In time what the page knows of the room is too old to be shown. */
  lose(now: number): Output[] {
    this.state = "away";
    this.wakeAt = now + reconnectDelay(this.attempt, this.random);
    this.attempt += 1;
    return this.attempt === STALE_AFTER ? [{ kind: "close-socket" }, { kind: "unknown-room" }] : [{ kind: "close-socket" }];
  }

  reopen(now: number): Output[] {
    this.state = "opening";
    this.wakeAt = now + this.limit;
    return [{ kind: "open-socket" }];
  }

  /** Time has passed. */
  tick(now: number): Output[] {
    if (now < this.wakeAt) return [];
    return this.state === "away" ? this.reopen(now) : this.lose(now);
  }

  /** The server has welcomed the page back, or the call has just begun. */
  mended(): void {
    this.state = "open";
    this.stop();
  }

  /** Wants nothing any more. */
  stop(): void {
    this.wakeAt = Infinity;
    this.attempt = 0;
  }
}
