import { expect, it } from "vitest";
import { cutOut, withoutMask } from "./cutout";

const BEHIND = [128, 128, 128] as const;

/** Two pixels wide and two high: the columns have these colours and opacities, as the server draws and a codec leaves them. */
function frame(columns: { color: number[]; opacity: number; noise: number }[]): Uint8ClampedArray {
  const rows = [0, 1, 2].map((row) =>
    columns.flatMap(({ color, opacity, noise }) =>
      row < 2 ? [...color.map((c, k) => opacity * c + (1 - opacity) * (BEHIND[k] ?? 0)), 255] : [...Array<number>(3).fill(255 * opacity + noise), 255],
    ),
  );
  return new Uint8ClampedArray(rows.flat());
}

function pixels(columns: Parameters<typeof frame>[0]): number[][] {
  const out = new Uint8ClampedArray(2 * 2 * 4).fill(7);
  cutOut(frame(columns), out, 2, 2, BEHIND);
  return [0, 1, 2, 3].map((at) => [...out.slice(4 * at, 4 * at + 4)]);
}

it("keeps people whole and takes the background away, whatever noise a codec adds", () => {
  const [person, nothing, ...below] = pixels([
    { color: [200, 40, 90], opacity: 1, noise: -9 },
    { color: [0, 0, 0], opacity: 0, noise: 12 },
  ]);
  expect(person).toEqual([200, 40, 90, 255]);
  expect(nothing?.[3]).toBe(0);
  expect(below).toEqual([person, nothing]);
});

it("leaves no fringe of the background at an edge", () => {
  const [half] = pixels([
    { color: [240, 20, 20], opacity: 0.5, noise: 0 },
    { color: [0, 0, 0], opacity: 0, noise: 0 },
  ]);
  expect(half?.[3]).toBeGreaterThan(110);
  expect(half?.[3]).toBeLessThan(140);
  for (const [k, channel] of [240, 20, 20].entries()) expect(Math.abs((half?.[k] ?? 0) - channel)).toBeLessThan(12);
});

it("knows the picture's height", () => {
  expect([withoutMask(600), withoutMask(744)]).toEqual([400, 496]);
});
