/** How the socket of a live call stands: the call lives in its peer connection, and the socket beside it may close and is opened again. */
import { reconnectDelay } from "./reconnect";

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

  lost(now: number): void {
    this.state = "away";
    this.wakeAt = now + reconnectDelay(this.attempt, this.random);
    this.attempt += 1;
  }

  /** Whether what the page knows of the room has just become too old to be shown. */
  get isStale(): boolean {
    return this.attempt === STALE_AFTER;
  }

  opening(now: number): void {
    this.state = "opening";
    this.wakeAt = now + this.limit;
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
