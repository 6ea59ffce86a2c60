import { expect, it } from "vitest";
import { JITTER, jittered, reconnectDelay, Retries, STABLE_AFTER } from "./reconnect";

it("tries every 2 s while a restart may last, then less often", () => {
  const delays = Array.from({ length: 24 }, (_, attempt) => reconnectDelay(attempt, () => 0));
  expect(delays.slice(0, 5).map(Math.round)).toEqual([0, 300, 1200, 2000, 2000]);
  const close = delays.filter((delay) => delay <= 2000);
  expect(close.reduce((sum, delay) => sum + delay, 0)).toBeGreaterThan(29_000);
  expect(delays.slice(-2)).toEqual([7000, 7000]);
});

it("adds some chance, never more than agreed, and none to the first try", () => {
  expect(reconnectDelay(0, () => 0.99)).toBe(0);
  expect(jittered(100, () => 1)).toBeCloseTo(100 * (1 + JITTER));
  for (let attempt = 1; attempt < 8; attempt++) {
    const [least, most] = [reconnectDelay(attempt, () => 0), reconnectDelay(attempt, () => 1)];
    expect(most).toBeCloseTo(least * (1 + JITTER));
    const delay = reconnectDelay(attempt);
    expect(delay).toBeGreaterThanOrEqual(least);
    expect(delay).toBeLessThan(most);
  }
});

it("starts anew only after a connection that lasted", () => {
  const retries = new Retries(() => 0);
  const lose = (now: number): number => {
    retries.lost(now, 0);
    return retries.wakeAt - now;
  };
  expect([lose(0), lose(0), lose(0)].map(Math.round)).toEqual([0, 300, 1200]);
  retries.stop();
  retries.connected(0);
  expect(retries.tick(STABLE_AFTER - 1)).toBe(false);
  expect(lose(STABLE_AFTER - 1)).toBe(2000);
  expect([retries.tick(STABLE_AFTER), retries.tick(STABLE_AFTER + 1999)]).toEqual([false, true]);
  retries.stop();
  retries.connected(0);
  expect(retries.tick(STABLE_AFTER)).toBe(false);
  expect(lose(STABLE_AFTER)).toBe(0);
});

it("waits as long as the server asks for", () => {
  const retries = new Retries(() => 0);
  retries.lost(100, 5000);
  expect(retries.wakeAt).toBe(5100);
});
