import { expect, it } from "vitest";
import { Hints, LOADING, STARTING } from "./hints";
import type { Participant, Stats } from "./protocol";
import { Room } from "./room";
import { person, roomState, stats } from "./testing/messages";

function roomOf(own: number, ...people: Participant[]): Room {
  const room = new Room(own);
  room.read(roomState(people));
  return room;
}

const [ME, BO] = [person(1, "Ada"), person(2, "Bo")];
const together = roomOf(1, ME, BO);

it("asks for a relaxed face in the first second and while the server calibrates", () => {
  const hints = new Hints();
  hints.calibrate(0);
  expect(hints.sentence(1000, together, true)).toContain("relaxed");
  expect(hints.sentence(2000, together, true)).toBe("");
  hints.readStats(stats({ calibrating: true }), true);
  expect(hints.sentence(2000, together, true)).toContain("relaxed");
});

it("says that no face is seen once that is sure", () => {
  const hints = new Hints();
  for (let i = 0; i < 2; i++) hints.readStats(stats({ face: false }), true);
  expect(hints.sentence(0, together, true)).toBe("");
  hints.readStats(stats({ face: false }), true);
  expect(hints.sentence(0, together, true)).toBe("We cannot see your face.");
  expect(hints.sentence(0, together, false)).toContain("camera is off");
  hints.readStats(stats(), true);
  expect(hints.sentence(0, together, true)).toBe("");
});

it("says nothing about a face that nobody looked for", () => {
  const told = (change: Partial<Stats>, cameraOn = true): string => {
    const hints = new Hints();
    for (let i = 0; i < 5; i++) hints.readStats(stats({ face: false, ...change }), cameraOn);
    return hints.sentence(0, together, true);
  };
  expect(told({ ready: false })).toBe(STARTING);
  expect(told({ stages: {} })).toBe("Nothing of your camera reaches the server.");
  expect(told({ stages: {} }, false)).toBe(""); // the camera was off in all these readings and was just switched on
  expect(told({ stages: { decode: 2 } })).toBe("We cannot see your face."); // nothing is drawn while the avatar rests
  expect(told({ calibrating: true })).toBe("We cannot see your face.");
});

it("forgets with a new connection what the server said on the last", () => {
  const hints = new Hints();
  hints.readStats(stats({ ready: false }), true);
  hints.reset();
  expect(hints.sentence(0, together, true)).toBe("");
});

it.each<[string, Room, string]>([
  ["the own avatar loads", roomOf(1, person(1, "Ada", { seated: false }), BO), LOADING],
  ["nobody else is here", roomOf(1, ME), "Nobody else is here yet: this is you. Send somebody the link."],
  ["another avatar loads", roomOf(1, ME, person(2, "Bo", { seated: false })), "Bo's avatar is loading…"],
  ["two avatars load", roomOf(1, ME, person(2, "Bo", { seated: false }), person(3, "Cy", { seated: false })), "2 avatars are loading…"],
  ["all are here", together, ""],
])("tells a participant that %s", (_what, room, sentence) => {
  expect(new Hints().sentence(0, room, true)).toBe(sentence);
});

it("tells a viewer only who is there, and that the picture starts", () => {
  const hints = new Hints();
  const room = new Room(-1);
  const told = (): string => hints.sentence(0, room, false);
  for (let i = 0; i < 5; i++) hints.readStats(stats({ face: false, stages: {} }), false);
  expect(told()).toBe("");
  room.read(roomState([]));
  expect(told()).toBe("Nobody is in the room yet.");
  room.read(roomState([BO]));
  expect(told()).toBe("");
  hints.readStats(stats({ ready: false }), false);
  expect(told()).toBe(STARTING);
  room.read(roomState([]));
  expect(told()).toBe("Everybody has left the room.");
  room.forget();
  hints.readStats(stats(), false);
  expect(told()).toBe("");
});
