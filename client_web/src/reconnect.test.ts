import { expect, it } from "vitest";
import { JITTER, placeDelay, reconnectDelay } from "./reconnect";

it("tries every 2 s while a restart may last, then less often", () => {
  const delays = Array.from({ length: 24 }, (_, attempt) => reconnectDelay(attempt, () => 0));
  expect(delays.slice(0, 5).map(Math.round)).toEqual([0, 300, 1200, 2000, 2000]);
  const close = delays.filter((delay) => delay <= 2000);
  expect(close.reduce((sum, delay) => sum + delay, 0)).toBeGreaterThan(29_000);
  expect(delays.slice(-2)).toEqual([7000, 7000]);
});

it("asks for a place less and less often, but goes on", () => {
  const delays = Array.from({ length: 9 }, (_, attempt) => placeDelay(attempt, () => 0));
  expect(delays).toEqual([...delays].sort((a, b) => a - b));
  expect(delays.at(-1)).toBe(8000);
  expect(placeDelay(3, () => 1)).toBeCloseTo(placeDelay(3, () => 0) * (1 + JITTER));
});

it("adds some chance, never more than agreed, and none to the first try", () => {
  expect(reconnectDelay(0, () => 0.99)).toBe(0);
  for (let attempt = 1; attempt < 8; attempt++) {
    const [least, most] = [reconnectDelay(attempt, () => 0), reconnectDelay(attempt, () => 1)];
    expect(most).toBeCloseTo(least * (1 + JITTER));
    const delay = reconnectDelay(attempt);
    expect(delay).toBeGreaterThanOrEqual(least);
    expect(delay).toBeLessThan(most);
  }
});
