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
