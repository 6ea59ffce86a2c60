import { expect, it } from "vitest";
import { Hints, STARTING } from "./hints";
import type { Stats } from "./protocol";

const stats = (change: Partial<Stats> = {}): Stats => ({
  type: "stats", fps: 30, stages: { decode: 2, track: 6 }, bitrate: 0, face: true, calibrating: false, ready: true, ...change,
});

it("asks for a relaxed face in the first second and while the server calibrates", () => {
  const hints = new Hints("person");
  hints.calibrate(0);
  expect(hints.sentence(1000, true)).toContain("relaxed");
  expect(hints.sentence(2000, true)).toBe("");
  hints.readStats(stats({ calibrating: true }), true);
  expect(hints.sentence(2000, true)).toContain("relaxed");
});

it("says that no face is seen once that is sure", () => {
  const hints = new Hints("person");
  hints.readStats(stats({ face: false }), true);
  expect(hints.sentence(0, true)).toBe("");
  hints.readStats(stats({ face: false }), true);
  expect(hints.sentence(0, true)).toBe("We cannot see your face.");
  expect(hints.sentence(0, false)).toContain("camera is off");
  hints.readStats(stats(), true);
  expect(hints.sentence(0, true)).toBe("");
});

it("says nothing about a face that nobody looked for", () => {
  const told = (change: Partial<Stats>, cameraOn = true): string => {
    const hints = new Hints("person");
    for (let i = 0; i < 5; i++) hints.readStats(stats({ face: false, ...change }), cameraOn);
    return hints.sentence(0, true);
  };
  expect(told({ ready: false })).toBe(STARTING);
  expect(told({ stages: {} })).toBe("Your camera's picture does not reach the server.");
  expect(told({ stages: {} }, false)).toBe(""); // the camera was off in all these readings and was just switched on
  expect(told({ stages: { decode: 2 } })).toBe("");
});

it("forgets with a new connection what the server said on the last", () => {
  const hints = new Hints("person");
  hints.readStats(stats({ ready: false }), true);
  hints.reset();
  expect(hints.sentence(0, true)).toBe("");
});

it("tells a viewer only who is there, and that the avatar starts", () => {
  const hints = new Hints("viewer");
  const room = (person: boolean): void => hints.readRoom({ type: "room_state", person, viewers: 1 });
  for (let i = 0; i < 5; i++) hints.readStats(stats({ face: false, stages: {} }), false);
  expect(hints.sentence(0, false)).toBe("");
  room(false);
  expect(hints.sentence(0, false)).toBe("Nobody is in the call yet.");
  room(true);
  expect(hints.sentence(0, false)).toBe("");
  hints.readStats(stats({ ready: false }), false);
  expect(hints.sentence(0, false)).toBe(STARTING);
  room(false);
  expect(hints.sentence(0, false)).toBe("The person is not in the call at the moment.");
  hints.readRoom(null);
  hints.readStats(stats(), false);
  expect(hints.sentence(0, false)).toBe("");
});
