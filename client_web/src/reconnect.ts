/** Seconds to wait before each attempt in a row; the last one repeats. */
export const SCHEDULE = [0, 0.3, 1.2, 2.7, 4.8, 7] as const;

/** Longest addition to a delay, as a part of it, so that many pages do not come back in the same instant. */
export const JITTER = 0.25;

/** Milliseconds before attempt number `attempt` (0 is the first after a loss). `random` is in [0, 1). */
export function reconnectDelay(attempt: number, random: () => number = Math.random): number {
  const seconds = SCHEDULE[Math.min(attempt, SCHEDULE.length - 1)] ?? 7;
  return seconds * 1000 * (1 + JITTER * random());
}
