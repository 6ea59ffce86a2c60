import { expect, it } from "vitest";
import { Guide, type Hint, HINTS, hintOf, type Measured } from "./guidance";

/** A face in good light, as measured of a portrait. */
const GOOD: Measured = { inside: 125, outside: 140, middle: 125, contrast: 60, sides: 1.1, blown: 0, sharpness: 0.05, motion: 0.05, face: null };
const FACE = { count: 1, height: 0.8, x: 0, y: 0 };

it.each<[Hint, Partial<Measured>]>([
  ["good", {}],
  ["good", { face: FACE }],
  ["good", { inside: 55, middle: 50, contrast: 24, outside: 190 }], // dark skin before a white wall
  ["good", { inside: 70, contrast: 40, outside: 60 }],
  ["dark", { inside: 20, contrast: 20 }],
  ["dark", { inside: 50, contrast: 9 }],
  ["backlit", { inside: 84, middle: 40, outside: 220, contrast: 70 }],
  ["bright", { inside: 220, blown: 0.4 }],
  ["one-sided", { sides: 3 }],
  ["flat", { contrast: 8 }],
  ["moving", { motion: 0.6, sharpness: 0.001 }],
  ["blurred", { sharpness: 0.001 }],
  ["no-face", { face: { ...FACE, count: 0 } }],
  ["several", { face: { ...FACE, count: 2 } }],
  ["closer", { face: { ...FACE, height: 0.4 } }],
  ["further", { face: { ...FACE, height: 1.3 } }],
  ["centre", { face: { ...FACE, x: 0.4 } }],
])("says %s", (hint, change) => {
  expect(hintOf({ ...GOOD, ...change })).toBe(hint);
  expect(HINTS[hint]).toMatch(/[.…]$/);
});

it("changes its mind only for what lasts", () => {
  const guide = new Guide();
  expect(guide.take("dark", 0)).toBe("dark"); // at once, after "starting"
  expect(guide.take("good", 200)).toBe("dark");
  expect(guide.take("dark", 400)).toBe("dark");
  expect(guide.take("good", 600)).toBe("dark");
  expect(guide.take("good", 1000)).toBe("dark");
  expect(guide.take("good", 1200)).toBe("good");
  expect(guide.take("moving", 1400)).toBe("good");
  expect(guide.take("moving", 2000)).toBe("good");
  expect(guide.take("moving", 2400)).toBe("moving");
});
