/** Whether the other end of a live call still answers. No clock: times are milliseconds on the clock of `Signalling.handle`. */

import { SILENCE_LIMIT } from "./protocol";

/** A heartbeat that stays unanswered this long means the other end is gone; an outage of some seconds heals by itself. */
export const PONG_LIMIT = 1_000 * SILENCE_LIMIT;
/** ICE may mend a `disconnected` connection by itself within this time. */
export const DISCONNECTED_LIMIT = 5_000;

/** Asked later than this, the page was busy or the device slept: what came meanwhile is heard first, for `GRACE`. Milliseconds. */
const LATE = 500;
const GRACE = 1_000;
/** Limits of the time between heartbeats, whatever the server asks for. */
const [SHORTEST, LONGEST] = [200, 10_000];

export class Heartbeat {
  private interval = 1_000;
  private pingAt = Infinity;
  private unansweredSince = Infinity;
  private disconnectedSince = Infinity;
  private isPostponed = false;

  /** `seconds` between pings, as the server says. */
  setInterval(seconds: number): void {
    this.interval = Math.min(LONGEST, Math.max(SHORTEST, seconds * 1_000));
  }

  /** A ping is sent now. */
  beat(now: number): void {
    this.pingAt = now + this.interval;
    this.unansweredSince = Math.min(this.unansweredSince, now);
  }

  isDue(now: number): boolean {
    return now >= this.pingAt;
  }

  answered(): void {
    this.isPostponed = false;
    this.unansweredSince = Infinity;
  }

  disconnected(now: number): void {
    this.disconnectedSince = Math.min(this.disconnectedSince, now);
  }

  connected(): void {
    this.disconnectedSince = Infinity;
  }

  stop(): void {
    this.isPostponed = false;
    this.pingAt = this.unansweredSince = this.disconnectedSince = Infinity;
  }

  /** Whether the other end is gone. Where that is asked late, it has once more a moment to be heard. */
  isGone(now: number): boolean {
    const late = now - this.goneAt;
    if (late < LATE || this.isPostponed) return late >= 0;
    this.isPostponed = true;
    this.unansweredSince += late + GRACE;
    this.disconnectedSince += late + GRACE;
    return false;
  }

  /** For how long the other end has owed an answer. */
  silence(now: number): number {
    return Math.max(0, now - this.unansweredSince);
  }

  get wakeAt(): number {
    return Math.min(this.pingAt, this.goneAt);
  }

  private get goneAt(): number {
    return Math.min(this.unansweredSince + PONG_LIMIT, this.disconnectedSince + DISCONNECTED_LIMIT);
  }
}
