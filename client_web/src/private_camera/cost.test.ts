import { expect, it } from "vitest";
import { CostMeter } from "./cost";

it("tells the median and the rate of the last two seconds", () => {
  const meter = new CostMeter();
  expect(meter.read(0)).toBeNull();
  for (let i = 0; i < 120; i++) meter.add(i % 10 === 0 ? 90 : 15, i * 50);
  expect(meter.read(6000)).toEqual({ milliseconds: 15, rate: 20 - 0.5 });
  expect(meter.read(9000)).toBeNull();
});
