import { expect, it } from "vitest";
import type { Figures } from "./figures";
import { BETTER_AFTER, type Experience, isMoving, judge, pictureAge, SETTLED_AFTER, SteadyQuality } from "./quality";
import type { Participant, Stats } from "./protocol";
import { Room } from "./room";
import { person, roomState, stats } from "./testing/messages";

const still: Figures = {
  fps: null, pictures: null, width: 512, height: 512, codec: "VP8", bitrateDown: 1e6, bitrateUp: 1e6,
  loss: 0, dropped: 0, roundTrip: 20, waited: 10, voicesWaited: 60, concealed: 0,
};
const server = (total = 40, ready = true): Experience["server"] => stats({ stages: { total, encode: 3 }, ready });
const well: Experience = {
  empty: false, alone: false, moving: true, server: server(), figures: still, shown: 29, ping: 20, silence: 0,
};
const resting = { moving: false };

it.each<[string, Partial<Experience>, string]>([
  ["all is well", {}, "excellent"],
  ["nothing was measured yet", { server: null, figures: null, shown: null, ping: null }, "unknown"],
  ["the pictures are not counted yet", { shown: null }, "unknown"],
  ["the pictures are not counted yet, and much is lost", { shown: null, figures: { ...still, loss: 0.08 } }, "poor"],
  ["nobody is in the picture", { empty: true, moving: false, shown: 1 }, "unknown"],
  ["no avatar is loaded", { server: server(40, false), shown: 0 }, "starting"],
  ["2 pictures a second and 220 ms", { shown: 2, ping: 220 }, "poor"],
  ["2 pictures a second and 220 ms of an avatar that rests", { shown: 2, ping: 220, ...resting }, "good"],
  ["3 pictures a second of a moving face", { shown: 3 }, "poor"],
  ["no picture of a moving face", { shown: 0 }, "poor"],
  ["16 pictures a second", { shown: 16 }, "good"],
  ["16 pictures a second of a resting avatar", { shown: 16, ...resting }, "good"],
  ["30 pictures a second of a resting avatar", { shown: 30, ...resting }, "excellent"],
  ["a picture 140 ms old", { server: server(140) }, "good"],
  ["a picture 567 ms old", { server: server(567) }, "poor"],
  ["an old picture of a resting avatar", { server: server(567), ...resting }, "good"],
  ["a picture that waits in the browser", { figures: { ...still, waited: 300 } }, "poor"],
  ["a round trip of 200 ms", { figures: { ...still, roundTrip: 200 }, server: server(20) }, "good"],
  ["a round trip of 500 ms", { figures: { ...still, roundTrip: 500 } }, "poor"],
  ["a heartbeat of 220 ms on a quick network", { ping: 220 }, "good"],
  ["a heartbeat of 500 ms where the browser does not say", { figures: { ...still, roundTrip: null }, ping: 500 }, "poor"],
  ["2 % lost", { figures: { ...still, loss: 0.02 } }, "good"],
  ["8 % lost", { figures: { ...still, loss: 0.08 } }, "poor"],
  ["5 % of the sound made up", { figures: { ...still, concealed: 0.05 } }, "good"],
  ["20 % of the sound made up", { figures: { ...still, concealed: 0.2 } }, "poor"],
  ["20 % of the sound made up while avatars rest", { figures: { ...still, concealed: 0.2 }, ...resting }, "poor"],
  ["no answer for 2 s", { silence: 2000 }, "good"],
  ["no answer for 3 s", { silence: 3000 }, "poor"],
  ["no answer at all", { server: null, figures: null, ping: null, silence: 3000 }, "poor"],
])("when %s", (_what, change, quality) => {
  expect(judge({ ...well, ...change })).toBe(quality);
});

it("is excellent only where everything that a person notices is", () => {
  for (const [shown, ping, total, loss, concealed] of product([2, 15, 30], [20, 220], [40, 300], [0, 0.03], [0, 0.05])) {
    for (const [moving, alone] of product([0, 1], [0, 1])) {
      const experience = { ...well, moving: moving === 1, alone: alone === 1, shown: shown ?? 0, ping: ping ?? 0 };
      const figures = { ...still, loss: loss ?? 0, concealed: concealed ?? 0 };
      const all = shown === 30 && ping === 20 && total === 40 && loss === 0 && concealed === 0;
      expect(judge({ ...experience, server: server(total), figures }) === "excellent").toBe(all);
    }
  }
});

it.each<[string, Participant[], Partial<Stats>, boolean]>([
  ["the own face is seen", [person(1, "Ada")], {}, true],
  ["the own face is not seen", [person(1, "Ada")], { face: false }, false],
  ["another's webcam moves an avatar", [person(1, "Ada"), person(2, "Bo")], { face: false }, true],
  ["no webcam moves anything", [person(1, "Ada"), person(2, "Bo")], { stages: {} }, false],
  ["the other's camera is off", [person(1, "Ada"), person(2, "Bo", { camera: false })], {}, false],
  ["the other's avatar is not loaded", [person(1, "Ada"), person(2, "Bo", { seated: false })], {}, false],
])("tells whether something moves where %s", (_what, people, change, moving) => {
  const room = new Room(1);
  room.read(roomState(people));
  expect(isMoving(room, stats({ stages: { total: 40 }, ...change }))).toBe(moving);
  expect(isMoving(room, null)).toBe(false);
});

it("says at once what got worse, and what got better once that lasts", () => {
  const steady = new SteadyQuality();
  const start = SETTLED_AFTER;
  expect(steady.settle("excellent", 0)).toBe("excellent");
  expect(steady.settle("poor", start + 1)).toBe("poor");
  expect(steady.settle("good", start + 2)).toBe("poor");
  expect(steady.settle("poor", start + 3)).toBe("poor");
  expect(steady.settle("good", start + 4)).toBe("poor");
  expect(steady.settle("excellent", start + BETTER_AFTER)).toBe("poor");
  expect(steady.settle("excellent", start + 4 + BETTER_AFTER)).toBe("excellent");
  for (const quality of ["starting", "excellent", "lost", "good"] as const) expect(steady.settle(quality, 9e9)).toBe(quality);
});

it.each(["unknown", "starting"] as const)("calls nothing poor in the first moments after it was %s", (before) => {
  const steady = new SteadyQuality();
  steady.settle(before, 0);
  expect(steady.settle("poor", 5_000)).toBe("unknown");
  expect(steady.settle("good", 5_500)).toBe("good");
  expect(steady.settle("poor", 6_900)).toBe("good");
  expect(steady.settle("poor", 5_000 + SETTLED_AFTER)).toBe("poor");
});

it("counts the way there only for somebody alone, whose webcam it is", () => {
  expect(pictureAge(well)).toBe(40 + 3 + 10 + 10);
  expect(pictureAge({ ...well, alone: true })).toBe(40 + 3 + 20 + 10);
  expect(pictureAge({ ...well, server: null })).toBe(null);
});

function product(...lists: number[][]): number[][] {
  return lists.reduce<number[][]>((all, list) => all.flatMap((start) => list.map((item) => [...start, item])), [[]]);
}
