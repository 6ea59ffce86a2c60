import { expect, it } from "vitest";
import { panOf } from "./panning";
import { label } from "./testing/messages";

it.each([
  ["in the middle", label(1, 0.25, 0.5), 0],
  ["on the left", label(1, 0, 0.5), -0.4],
  ["on the right", label(1, 0.5, 0.5), 0.4],
  ["at the left edge", label(1, -0.1, 0.2), -0.8],
  ["far outside", label(1, 9, 0.2), 0.8],
  ["nowhere", undefined, 0],
])("hears somebody %s there", (_where, box, pan) => {
  expect(panOf(box)).toBeCloseTo(pan);
});
