/** The way from no connection to a live call: its steps, how long it may take, and what is wrong where it ends early. Milliseconds. */
import { CONNECT_LIMIT } from "./protocol";
import type { Step, Trouble } from "./signalling_types";

/** An attempt that is not live after this time is given up. */
export const GIVE_UP_AFTER = 1_000 * CONNECT_LIMIT;
/** Media that have not connected this long after the server's answer are probably blocked: said, and still waited for. */
export const BLOCKED_AFTER = 5_000;
/** An attempt that takes longer than this is slow: the page says what it waits for, and offers to try again. */
export const SLOW_AFTER = 5_000;
/** An attempt younger than this is not begun anew. */
export const RESTART_AFTER = 1_000;

export class Approach {
  step: Step = "socket";
  private begunAt = -Infinity;
  private giveUpAt = Infinity;
  private slowAt = Infinity;
  private blockedAt = Infinity;
  private isSlow = false;
  /** Whether the browser has an address of its own to offer. */
  private hasNetwork = true;

  /** A new limit for what comes now. */
  begin(step: Step, now: number): void {
    this.step = step;
    this.begunAt = now;
    this.giveUpAt = now + GIVE_UP_AFTER;
    this.slowAt = now + SLOW_AFTER;
    this.isSlow = false;
  }

  /** The page's offer is made. */
  offered(sdp: string): void {
    this.step = "answer";
    this.hasNetwork = sdp.includes("a=candidate:");
  }

  /** The server has answered it. */
  answered(now: number): void {
    this.step = "control";
    this.blockedAt = now + BLOCKED_AFTER;
  }

  /** Nothing is waited for any more. */
  end(): void {
    this.giveUpAt = this.slowAt = this.blockedAt = Infinity;
    this.isSlow = false;
  }

  isTooLate(now: number): boolean {
    return now >= this.giveUpAt;
  }

  /** Time has passed -> whether media have just been found to be blocked; true once. */
  tick(now: number): boolean {
    if (now >= this.slowAt) {
      this.slowAt = Infinity;
      this.isSlow = true;
    }
    if (now < this.blockedAt) return false;
    this.blockedAt = Infinity;
    return true;
  }

  /** The step that a slow attempt waits for; null: nothing is slow. */
  get slowStep(): Step | null {
    return this.isSlow ? this.step : null;
  }

  canRestart(now: number): boolean {
    return now >= this.begunAt + RESTART_AFTER;
  }

  get wakeAt(): number {
    return Math.min(this.giveUpAt, this.slowAt, this.blockedAt);
  }

  /** What is wrong when this step never ends. */
  get trouble(): Trouble {
    const troubles: Record<Step, Trouble> = {
      socket: "unreachable", greeting: "silent", welcome: "silent", offer: "no-webrtc", answer: "silent", control: this.mediaTrouble,
    };
    return troubles[this.step];
  }

  /** What is wrong when the media fail. Firefox without a network fails before it makes an offer. */
  get mediaTrouble(): Trouble {
    return this.hasNetwork && this.step !== "offer" ? "blocked" : "no-network";
  }
}
