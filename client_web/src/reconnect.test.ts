import { expect, it } from "vitest";
import { JITTER, reconnectDelay } from "./reconnect";

it("follows 0, .3, 1.2, 2.7, 4.8 s, then every 7 s", () => {
  const delays = Array.from({ length: 8 }, (_, attempt) => reconnectDelay(attempt, () => 0));
  expect(delays.map(Math.round)).toEqual([0, 300, 1200, 2700, 4800, 7000, 7000, 7000]);
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
