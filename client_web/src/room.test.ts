import { expect, it } from "vitest";
import type { RoomState } from "./protocol";
import { Room } from "./room";
import { label, person, roomState } from "./testing/messages";

const [ME, BO, CY] = [person(1, "Ada"), person(2, "Bo"), person(3, "Cy")];

it("knows who is here, and who is the page itself", () => {
  const room = new Room(1);
  expect([room.people, room.me, room.isAlone]).toEqual([[], undefined, false]);
  room.read(roomState([ME]));
  expect([room.me, room.others, room.isAlone]).toEqual([ME, [], true]);
  room.read(roomState([ME, BO]));
  expect([room.others, room.isAlone, room.nameOf(2), room.nameOf(9)]).toEqual([[BO], false, "Bo", ""]);
});

it("is nobody's own for a viewer", () => {
  const room = new Room(-1);
  room.read(roomState([BO]));
  expect([room.me, room.others, room.isAlone]).toEqual([undefined, [BO], false]);
});

it.each<[string, RoomState, RoomState, string]>([
  ["somebody comes", roomState([ME]), roomState([ME, BO]), "Bo joined."],
  ["two come and one leaves", roomState([ME, BO]), roomState([ME, CY, person(4, "Di")]), "Cy joined. Di joined. Bo left."],
  ["the page itself comes", roomState([BO]), roomState([ME, BO]), ""],
  ["the page is locked in", roomState([ME]), roomState([ME], { locked: true }), "The room is locked."],
  ["it is opened", roomState([ME], { locked: true }), roomState([ME]), "The room is open again."],
  ["somebody is muted", roomState([ME, BO]), roomState([ME, { ...BO, muted: true }]), "Bo is muted."],
  ["somebody speaks again", roomState([ME, { ...BO, muted: true }]), roomState([ME, BO]), "Bo is unmuted."],
  ["the page's own microphone goes off", roomState([ME, BO]), roomState([{ ...ME, muted: true }, BO]), ""],
  ["somebody's avatar loads, and viewers come", roomState([{ ...BO, seated: false }]), roomState([BO], { viewers: 3 }), ""],
])("tells a listener that %s", (_what, before, after, sentence) => {
  const room = new Room(1);
  room.read(before);
  expect(room.read(after)).toBe(sentence);
});

it("does not read out who was here already, nor again after an outage", () => {
  const room = new Room(1);
  expect(room.read(roomState([ME, BO], { locked: true }))).toBe("");
  room.labels = [label(2, 0, 1)];
  room.forget();
  expect([room.state, room.labels, room.speaking]).toEqual([null, [], []]);
  expect(room.read(roomState([ME, BO, CY], { locked: true }))).toBe("Cy joined.");
});

it("does not name a whole room of people that came back with other numbers", () => {
  const room = new Room(1);
  room.read(roomState([ME, BO]));
  room.forget();
  room.own = 7;
  expect(room.read(roomState([person(7, "Ada"), person(8, "Bo")]))).toBe("");
});

it("remembers that somebody was here", () => {
  const room = new Room(-1);
  room.read(roomState([]));
  expect(room.hadPeople).toBe(false);
  room.read(roomState([BO]));
  room.read(roomState([]));
  expect(room.hadPeople).toBe(true);
});
