import { expect, it } from "vitest";
import type { Figures } from "./figures";
import { BETTER_AFTER, type Experience, judge, pictureAge, SteadyQuality } from "./quality";

const still: Figures = {
  fps: null, width: 512, height: 512, codec: "VP8", bitrateDown: 1e6, bitrateUp: 1e6,
  loss: 0, dropped: 0, roundTrip: 20, waited: 10, concealed: 0,
};
const stats = (face: boolean, total = 40, ready = true): Experience["server"] => ({
  type: "stats", fps: 30, stages: { total, encode: 3 }, bitrate: 1e6, face, calibrating: false, ready,
});
const well: Experience = { role: "viewer", server: stats(true), figures: still, shown: 29, ping: 20, silence: 0 };

it.each<[string, Partial<Experience>, string]>([
  ["all is well", {}, "excellent"],
  ["nothing was measured yet", { server: null, figures: null, shown: null, ping: null }, "unknown"],
  ["the avatar is not loaded", { server: stats(false, 40, false), shown: 0 }, "starting"],
  ["3 pictures a second of a moving face", { shown: 3 }, "poor"],
  ["no picture of a moving face", { shown: 0 }, "poor"],
  ["16 pictures a second", { shown: 16 }, "good"],
  ["3 pictures a second of a resting avatar", { shown: 3, server: stats(false) }, "excellent"],
  ["pictures nobody looks at", { shown: null }, "excellent"],
  ["a picture 140 ms old", { server: stats(true, 140) }, "good"],
  ["a picture 567 ms old", { server: stats(true, 567) }, "poor"],
  ["an old picture of a resting avatar", { server: stats(false, 567) }, "excellent"],
  ["a picture that waits in the browser", { figures: { ...still, waited: 300 } }, "poor"],
  ["a round trip of 200 ms", { server: stats(false), figures: { ...still, roundTrip: 200 } }, "good"],
  ["a round trip of 500 ms", { figures: { ...still, roundTrip: 500 } }, "poor"],
  ["a heartbeat of 500 ms where the browser does not say", { figures: { ...still, roundTrip: null }, ping: 500 }, "poor"],
  ["2 % lost", { figures: { ...still, loss: 0.02 } }, "good"],
  ["8 % lost", { figures: { ...still, loss: 0.08 } }, "poor"],
  ["5 % of the sound made up", { figures: { ...still, concealed: 0.05 } }, "good"],
  ["20 % of the sound made up", { figures: { ...still, concealed: 0.2 } }, "poor"],
  ["no answer for 2 s", { silence: 2000 }, "good"],
  ["no answer for 3 s", { silence: 3000 }, "poor"],
  ["no answer at all", { server: null, figures: null, ping: null, silence: 3000 }, "poor"],
])("when %s", (_what, change, quality) => {
  expect(judge({ ...well, ...change })).toBe(quality);
});

it("says at once what got worse, and what got better once that lasts", () => {
  const steady = new SteadyQuality();
  expect(steady.settle("excellent", 0)).toBe("excellent");
  expect(steady.settle("poor", 1)).toBe("poor");
  expect(steady.settle("good", 2)).toBe("poor");
  expect(steady.settle("poor", 3)).toBe("poor");
  expect(steady.settle("good", 4)).toBe("poor");
  expect(steady.settle("excellent", BETTER_AFTER)).toBe("poor");
  expect(steady.settle("excellent", 4 + BETTER_AFTER)).toBe("excellent");
  for (const quality of ["starting", "excellent", "lost", "good"] as const) expect(steady.settle(quality, 9e9)).toBe(quality);
});

it("counts the way there only for the person, whose webcam it is", () => {
  expect(pictureAge(well)).toBe(40 + 3 + 10 + 10);
  expect(pictureAge({ ...well, role: "person" })).toBe(40 + 3 + 20 + 10);
  expect(pictureAge({ ...well, server: null })).toBe(null);
});
