import { describe, expect, it } from "vitest";
import { Budget } from "./budget";

function pictures(budget: Budget, milliseconds: number, seconds: number): void {
  for (let passed = 0; passed < 1000 * seconds; passed += milliseconds) budget.add(milliseconds);
}

describe("how finely a device draws", () => {
  it("draws fewer pixels, then less detail, then is too slow", () => {
    const budget = new Budget(2);
    pictures(budget, 16, 5);
    expect(budget.scale).toBe(2);
    pictures(budget, 30, 1);
    expect(budget.scale).toBeLessThan(2);
    expect(budget.isCoarse).toBe(false);
    pictures(budget, 30, 20);
    expect([budget.scale, budget.isCoarse, budget.isTooSlow]).toEqual([0.5, true, false]);
    pictures(budget, 60, 10);
    expect(budget.isTooSlow).toBe(true);
    pictures(budget, 16, 6);
    expect([budget.scale, budget.isCoarse, budget.isTooSlow]).toEqual([0.5, false, false]);
  });

  it("tries more pixels again, ever more seldom, and not for what held the page up", () => {
    const budget = new Budget(1);
    budget.add(5_000);
    expect(budget.scale).toBe(1);
    const stuck = new Budget(1);
    pictures(stuck, 800, 8);
    expect([stuck.scale, stuck.isTooSlow]).toEqual([0.5, true]);
    let tries = 0;
    for (let time = 0, passed = 0; time < 120_000; time += passed) {
      const before = budget.scale;
      passed = before > 0.85 ? 40 : 16;
      budget.add(passed);
      if (budget.scale > before) tries++;
    }
    expect(tries).toBeGreaterThan(1);
    expect(tries).toBeLessThan(7);
  });
});
