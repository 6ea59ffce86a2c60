import { expect, it } from "vitest";
import type { Participant } from "./protocol";
import type { Status, Step, Trouble } from "./signalling_types";
import { person } from "./testing/messages";
import { asSentence, countSentence, factsOf, initialOf, linkSentence, slowSentence, troubleSentence, tryingSentence, watchingSentence } from "./words";

const TROUBLES: Trouble[] = ["unreachable", "silent", "blocked", "no-network", "no-webrtc", "lost", "told"];
const status: Status = {
  phase: "waiting", place: "door", attempt: 0, again: false, trouble: "none", message: "", lobby: null, seat: null, refusal: null,
  asking: false, slowStep: null,
};

it.each(TROUBLES)("speaks in whole sentences of the trouble %s", (trouble) => {
  expect(troubleSentence(trouble, "the server is full of eels")).toMatch(/^([A-Z][^.]+[.] ?)+$/);
});

it("says of each slow step something else, in whole sentences", () => {
  const steps: Step[] = ["socket", "greeting", "welcome", "offer", "answer", "control"];
  const sentences = steps.map((step) => slowSentence(step));
  for (const sentence of sentences) expect(sentence).toMatch(/^[A-Z][^.]+\.$/);
  expect(new Set(sentences).size).toBe(steps.length);
});

it.each<[Partial<Status>, string]>([
  [{}, "Connecting…"],
  [{ attempt: 2 }, "Trying again…"],
  [{ attempt: 1, trouble: "unreachable" }, "The server cannot be reached. Trying again…"],
  [{ slowStep: "greeting" }, "The server is reached, but has not answered yet. Connecting…"],
  [{ slowStep: "greeting", trouble: "lost", again: true }, "The connection was lost. Reconnecting…"],
  [{ again: true, trouble: "lost" }, "The connection was lost. Reconnecting…"],
  [{ trouble: "told", message: "no UDP port is free" }, "No UDP port is free. Trying again…"],
])("says of %j: %s", (change, sentence) => {
  expect(tryingSentence({ ...status, ...change })).toBe(sentence);
});

it("tells blocked media from a server that is away", () => {
  expect(tryingSentence({ ...status, trouble: "blocked" })).toContain("firewall may block UDP");
  expect(tryingSentence({ ...status, trouble: "blocked" })).not.toContain("cannot be reached");
});

it.each([
  ["there is no room at this address; ask for a new link", "There is no room at this address; ask for a new link."],
  ["All is well.", "All is well."],
  ["why?", "Why?"],
  ["  ", ""],
])("makes a sentence of %j", (text, sentence) => {
  expect(asSentence(text)).toBe(sentence);
});

it.each([
  ["http://localhost:8080/room/k", false],
  ["http://127.0.0.1:8080/room/k", false],
  ["http://127.8.9.1/room/k", false],
  ["http://[::1]:8080/room/k", false],
  ["http://call.localhost/room/k", false],
  ["http://192.168.1.7:8080/room/k", true],
  ["https://localhost.example.org/room/k", true],
  ["https://127.0.0.1.example.org/room/k", true],
])("says of %s whether others can open it: %s", (link, others) => {
  for (const kind of ["person", "viewer"] as const) {
    expect(linkSentence(kind, link)).toContain(others ? "Whoever opens it" : "this machine only");
  }
  if (others) expect(linkSentence("person", link)).not.toBe(linkSentence("viewer", link));
});

it.each([
  [0, 0, "0 people"],
  [1, 0, "1 person"],
  [3, 2, "3 people, 2 watching"],
])("counts %d and %d: %s", (people, viewers, sentence) => {
  expect(countSentence(people) + watchingSentence(viewers)).toBe(sentence);
});

it.each<[Partial<Participant>, boolean, boolean, string]>([
  [{}, false, false, ""],
  [{ host: true }, true, false, "you, host"],
  [{ seated: false }, false, false, "avatar is loading"],
  [{ muted: true, camera: false }, false, false, "muted, camera off"],
  [{}, false, true, "speaking"],
])("says of %j (own: %s, speaking: %s): %s", (change, isMe, speaks, facts) => {
  expect(factsOf(person(1, "Ada", change), isMe, speaks)).toBe(facts);
});

it.each([["ada", "A"], ["🦊 fox", "🦊"], ["ölaf", "Ö"], ["", ""]])("begins %j with %j", (name, initial) => {
  expect(initialOf(name)).toBe(initial);
});
