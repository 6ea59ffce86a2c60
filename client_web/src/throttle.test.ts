import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LatestWins } from "./throttle";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("passes the first at once, then the latest at each interval", () => {
  const passed: number[] = [];
  const throttle = new LatestWins<number>((value) => passed.push(value), 33);
  throttle.push(1);
  throttle.push(2);
  throttle.push(3);
  expect(passed).toEqual([1]);
  vi.advanceTimersByTime(33);
  expect(passed).toEqual([1, 3]);
  vi.advanceTimersByTime(500);
  expect(passed).toEqual([1, 3]);
});

it("never passes more than thirty a second, and always the last", () => {
  const passed: number[] = [];
  const throttle = new LatestWins<number>((value) => passed.push(value), 1000 / 30);
  for (let i = 0; i < 1000; i++) {
    throttle.push(i);
    vi.advanceTimersByTime(1);
  }
  vi.advanceTimersByTime(100);
  expect(passed.length).toBeLessThanOrEqual(31);
  expect(passed.at(-1)).toBe(999);
});
