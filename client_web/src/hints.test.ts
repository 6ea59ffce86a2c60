import { expect, it } from "vitest";
import { Hints } from "./hints";
import type { Stats } from "./protocol";

const stats = (face: boolean, calibrating = false): Stats => ({
  type: "stats", fps: 30, stages: {}, bitrate: 0, face, calibrating,
});

it("asks for a relaxed face in the first second and while the server calibrates", () => {
  const hints = new Hints("person");
  hints.calibrate(0);
  expect(hints.sentence(1000, true)).toContain("relaxed");
  expect(hints.sentence(2000, true)).toBe("");
  hints.readStats(stats(true, true));
  expect(hints.sentence(2000, true)).toContain("relaxed");
});

it("says that no face is seen once that is sure", () => {
  const hints = new Hints("person");
  hints.readStats(stats(false));
  expect(hints.sentence(0, true)).toBe("");
  hints.readStats(stats(false));
  expect(hints.sentence(0, true)).toBe("We cannot see your face.");
  expect(hints.sentence(0, false)).toContain("camera is off");
  hints.readStats(stats(true));
  expect(hints.sentence(0, true)).toBe("");
});

it("tells a viewer only that nobody is there", () => {
  const hints = new Hints("viewer");
  hints.readStats(stats(false));
  hints.readStats(stats(false));
  expect(hints.sentence(0, false)).toBe("");
  hints.readRoom({ type: "room_state", person: false, viewers: 1 });
  expect(hints.sentence(0, false)).toBe("Nobody is in the call yet.");
});
