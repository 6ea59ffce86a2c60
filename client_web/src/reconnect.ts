/** How long to wait before the next attempt. All results in milliseconds; `random` is in [0, 1). */

/** Seconds before each attempt in a row: close together for half a minute, as long as a restart takes; the last one repeats. */
export const SCHEDULE = [0, 0.3, 1.2, ...Array<number>(14).fill(2), 4.8, 7] as const;

/** Seconds before asking again for a place in a full call; the last one repeats. */
export const PLACE_SCHEDULE = [1.5, 2, 3, 4.5, 6, 8] as const;

/** Longest addition to a delay, as a part of it, so that many pages do not come back in the same instant. */
export const JITTER = 0.25;

/** Before attempt number `attempt` (0 is the first after a loss). */
export function reconnectDelay(attempt: number, random: () => number = Math.random): number {
  return delay(SCHEDULE, attempt, random);
}

/** Before question number `attempt` (0 is the first) for a free place. */
export function placeDelay(attempt: number, random: () => number = Math.random): number {
  return delay(PLACE_SCHEDULE, attempt, random);
}

function delay(schedule: readonly number[], attempt: number, random: () => number): number {
  const seconds = schedule[Math.min(attempt, schedule.length - 1)] ?? 0;
  return jittered(seconds * 1000, random);
}

/** `milliseconds`, and a little more by chance. */
export function jittered(milliseconds: number, random: () => number): number {
  return milliseconds * (1 + JITTER * random());
}
