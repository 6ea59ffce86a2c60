import { expect, it } from "vitest";
import { Budget, type Effort } from "./budget";

const RATE = 72;

class Clock {
  private now = 5000;
  constructor(readonly budget: Budget) {}

  /** Pictures for so long, each after `intervals` of the display's. */
  passes(seconds: number, intervals: number): Effort {
    for (let left = seconds; left > 0; left -= intervals / RATE) {
      this.now += (1000 * intervals) / RATE;
      this.budget.picture(this.now, RATE);
    }
    return this.budget.effort;
  }
}

it("draws less while pictures are missed, and all again when that is over", () => {
  const clock = new Clock(new Budget());
  const full = clock.passes(3, 1);
  expect(full).toMatchObject({ coarse: false, foveation: 0, resolution: 1, every: 1 });
  expect(clock.passes(0.8, 2)).toMatchObject({ coarse: false, foveation: 1 });
  expect(clock.passes(3, 2)).toMatchObject({ coarse: true, resolution: 0.7 });
  expect(clock.passes(30, 1)).toEqual(full);
});

it("waits longer before it tries more again, where that was too much", () => {
  const clock = new Clock(new Budget());
  clock.passes(0.64, 2);
  clock.passes(5, 1);
  expect(clock.budget.effort.foveation).toBe(0);
  clock.passes(0.64, 2);
  clock.passes(5, 1);
  expect(clock.budget.effort.foveation).toBe(1);
  clock.passes(5, 1);
  expect(clock.budget.effort.foveation).toBe(0);
});

it("does not mind a missed picture now and then, nor a pause", () => {
  const clock = new Clock(new Budget());
  for (let i = 0; i < 60; i++) {
    clock.passes(0.3, 1);
    clock.passes(2 / RATE, 2);
  }
  for (let i = 0; i < 20; i++) {
    clock.passes(0.1, 1);
    clock.passes(0.1, 100);
  }
  expect(clock.budget.effort.foveation).toBe(0);
});
