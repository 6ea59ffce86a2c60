/** The way from no connection to a live call: its steps, how long it may take, and what is wrong where it ends early. Milliseconds. */
import type { Trouble } from "./signalling_types";

/** An attempt that is not live after this time is given up. */
export const CONNECT_LIMIT = 15_000;
/** Media that have not connected this long after the server's answer are probably blocked: said, and still waited for. */
export const BLOCKED_AFTER = 5_000;

/** What the page waits for; each step only ever moves on to the next. */
export type Step = "socket" | "greeting" | "welcome" | "offer" | "answer" | "control";

export class Approach {
  step: Step = "socket";
  private giveUpAt = Infinity;
  private blockedAt = Infinity;
  /** Whether the browser has an address of its own to offer. */
  private hasNetwork = true;

  /** A new limit for what comes now. */
  begin(step: Step, now: number): void {
    this.step = step;
    this.giveUpAt = now + CONNECT_LIMIT;
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
    this.giveUpAt = this.blockedAt = Infinity;
  }

  isTooLate(now: number): boolean {
    return now >= this.giveUpAt;
  }

  /** Whether media have just been found to be blocked; true once. */
  foundBlocked(now: number): boolean {
    if (now < this.blockedAt) return false;
    this.blockedAt = Infinity;
    return true;
  }

  get wakeAt(): number {
    return Math.min(this.giveUpAt, this.blockedAt);
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
