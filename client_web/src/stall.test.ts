import { expect, it } from "vitest";
import { PictureWatch, STOPPED_AFTER } from "./stall";

it("tells for how long pictures that came have stopped", () => {
  const watch = new PictureWatch();
  watch.read(null, true, 0);
  watch.read(0, true, 1_000);
  expect(watch.stopped(99_000)).toBe(0); // nothing has come yet: that is another wait
  watch.read(10, true, 100_000);
  expect(watch.stopped(100_000 + STOPPED_AFTER - 1)).toBe(0);
  watch.read(10, true, 104_000);
  expect(watch.stopped(105_000)).toBe(5_000);
  watch.read(11, true, 106_000);
  expect(watch.stopped(107_000)).toBe(0);
});

it("waits for none while nobody looks, nor of a new connection", () => {
  const watch = new PictureWatch();
  watch.read(10, true, 0);
  watch.read(10, false, 60_000);
  expect(watch.stopped(61_000)).toBe(0);
  watch.reset();
  expect(watch.stopped(999_000)).toBe(0);
});
