/** How long to wait before the next attempt. All results in milliseconds; `random` is in [0, 1). */

/** Seconds before each attempt in a row: close together for half a minute, as long as a restart takes; the last one repeats. */
export const SCHEDULE = [0, 0.3, 1.2, ...Array<number>(14).fill(2), 4.8, 7] as const;

/** Longest addition to a delay, as a part of it, so that many pages do not come back in the same instant. */
export const JITTER = 0.25;

/** Before attempt number `attempt` (0 is the first after a loss). */
export function reconnectDelay(attempt: number, random: () => number = Math.random): number {
  const seconds = SCHEDULE[Math.min(attempt, SCHEDULE.length - 1)] ?? 0;
  return jittered(seconds * 1000, random);
}

/** `milliseconds`, and a little more by chance. */
export function jittered(milliseconds: number, random: () => number): number {
  return milliseconds * (1 + JITTER * random());
}

/** A connection that lived this long starts the schedule anew. */
export const STABLE_AFTER = 5_000;

/** When to connect again. Times in milliseconds on the clock of `Signalling.handle`. */
export class Retries {
  /** Attempts since the last stable connection; 0 during the first. */
  attempt = 0;
  private retryAt = Infinity;
  private stableAt = Infinity;

  constructor(private readonly random: () => number) {}

  /** `notBefore`: milliseconds that the server asks to wait. */
  lost(now: number, notBefore: number): void {
    this.retryAt = now + Math.max(reconnectDelay(this.attempt, this.random), notBefore);
    this.attempt += 1;
    this.stableAt = Infinity;
  }

  connected(now: number): void {
    this.stableAt = now + STABLE_AFTER;
  }

  /** Time has passed -> whether to connect now. */
  tick(now: number): boolean {
    if (now >= this.stableAt) {
      this.attempt = 0;
      this.stableAt = Infinity;
    }
    return now >= this.retryAt;
  }

  stop(): void {
    this.retryAt = this.stableAt = Infinity;
  }

  /** All is well: the next loss begins the schedule anew. */
  reset(): void {
    this.stop();
    this.attempt = 0;
  }

  get wakeAt(): number {
    return Math.min(this.retryAt, this.stableAt);
  }
}
