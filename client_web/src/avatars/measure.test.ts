import { expect, it } from "vitest";
import { coverBox, lightOf, lumaOf, motionOf, ovalBox, type Pixels, sharpnessOf, stillBox } from "./measure";

const [WIDTH, HEIGHT] = [72, 96];

/** Grey pixels of a function of the place. */
function pixels(value: (x: number, y: number) => number, width = WIDTH, height = HEIGHT): Pixels {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.fill(value(x, y), 4 * (y * width + x), 4 * (y * width + x) + 3);
  return { data, width, height };
}

const around = (value: number): Float32Array => lumaOf(pixels(() => value, 32, 24));
const stripes = (length: number, shift = 0) => (x: number) => 128 + 80 * Math.sin((2 * Math.PI * (x + shift)) / length);

it("measures light within the oval and around it", () => {
  const corner = (x: number, y: number): number => (Math.hypot(x / 36 - 1, y / 48 - 1) > 1.05 ? 255 : x < 36 ? 60 : 120);
  const light = lightOf(lumaOf(pixels(corner)), WIDTH, around(200), 32);
  expect(light.inside).toBeCloseTo(90, 0);
  expect(light.contrast).toBeCloseTo(30, 0);
  expect(light.middle).toBeCloseTo(90, 0);
  expect(light.sides).toBeCloseTo(121 / 61, 2);
  expect(light.outside).toBeCloseTo(200, 3);
  expect(light.blown).toBe(0);
  expect(lightOf(lumaOf(pixels(() => 255)), WIDTH, around(0), 32).blown).toBe(1);
});

it("weighs colours as eyes do", () => {
  expect([...lumaOf({ data: [255, 0, 0, 255, 0, 255, 0, 255], width: 2, height: 1 })].map(Math.round)).toEqual([54, 182]);
});

it("tells sharp from soft, whatever the contrast", () => {
  const measured = (length: number, scale = 1): number => {
    const luma = lumaOf(pixels((x) => 128 + scale * (stripes(length)(x) - 128)));
    return sharpnessOf(luma, WIDTH, lightOf(luma, WIDTH, around(0), 32).contrast);
  };
  expect(measured(6)).toBeGreaterThan(20 * measured(24));
  expect(measured(6, 0.5)).toBeCloseTo(measured(6), 1);
  expect(sharpnessOf(lumaOf(pixels(() => 90)), WIDTH, 0)).toBe(0);
});

it("tells motion from noise", () => {
  const before = lumaOf(pixels(stripes(48)));
  const noisy = lumaOf(pixels((x, y) => stripes(48)(x) + ((x * 7 + y * 13) % 9) - 4));
  const moved = lumaOf(pixels(stripes(48, 6)));
  expect(motionOf(null, before, WIDTH, 57)).toBe(0);
  expect(motionOf(before, noisy, WIDTH, 57)).toBeLessThan(0.05);
  expect(motionOf(before, moved, WIDTH, 57)).toBeGreaterThan(0.4);
});

it("takes of a picture what is shown of it", () => {
  expect(coverBox(1920, 1080, 4 / 3)).toEqual({ left: 240, top: 0, width: 1440, height: 1080 });
  expect(coverBox(720, 1280, 3 / 4)).toEqual({ left: 0, top: 160, width: 720, height: 960 });
  expect(stillBox(1920, 1080, 16 / 10)).toEqual(coverBox(1920, 1080, 16 / 10));
  expect(stillBox(1920, 1080, 3 / 4)).toEqual(coverBox(1920, 1080, 4 / 3)); // with shoulders
  expect(stillBox(720, 1280, 3 / 4)).toEqual({ left: 0, top: 0, width: 720, height: 1280 });
  const oval = ovalBox(1440, 1080);
  expect(oval.height / oval.width).toBeCloseTo(4 / 3, 5);
  expect(oval.left + oval.width / 2).toBeCloseTo(720, 5);
});
