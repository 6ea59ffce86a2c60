import { expect, it } from "vitest";
import { PictureWatch, READING, STOPPED_AFTER } from "./stall";

function read(watch: PictureWatch, ...readings: [count: number | null, now: number, looking?: boolean][]): number {
  for (const [count, now, looking] of readings) watch.read(count, looking ?? true, now);
  return watch.stopped;
}

it("tells for how long pictures that came have stopped", () => {
  const watch = new PictureWatch();
  expect(read(watch, [null, 0], [0, 1_000], [0, 9_000])).toBe(0); // nothing has come yet: that is another wait
  expect(read(watch, [10, 10_000], [10, 11_000], [10, 9_999 + STOPPED_AFTER])).toBe(0);
  expect(read(watch, [10, 14_000])).toBe(4_000);
  expect(read(watch, [11, 15_000], [11, 16_000])).toBe(0);
});

it("waits for none while nobody looks, nor of a new connection", () => {
  const watch = new PictureWatch();
  read(watch, [10, 0], [10, 2_000], [10, 4_000], [10, 60_000, false]);
  expect(read(watch, [10, 61_000])).toBe(0);
  read(watch, [10, 62_000], [10, 64_000]);
  watch.reset();
  expect(watch.stopped).toBe(0);
});

it("takes no sleep of the device for a picture that has stopped", () => {
  const watch = new PictureWatch();
  expect(read(watch, [10, 0], [10, 3_600_000])).toBe(0);
  expect(read(watch, [10, 3_601_500])).toBe(READING + 1_500);
});
