import { expect, it } from "vitest";
import type { Status } from "./signalling_types";
import { Driver } from "./testing/driver";
import { stats } from "./testing/messages";
import { PICTURE_LIMIT, type PictureClues, waitForCall, waitForPicture } from "./wait";

const status = new Driver().status;
const clues: PictureClues = { hint: "", isEmpty: false, isRefused: false, server: stats({ fps: 30 }), decoded: 0 };

it.each<[Partial<Status>, boolean]>([
  [{ phase: "connecting" }, false],
  [{ phase: "connecting", slowStep: "socket" }, true],
  [{ phase: "connecting", attempt: 1 }, true],
  [{ phase: "connecting", trouble: "blocked" }, true],
  [{ phase: "waiting" }, true],
  [{ phase: "lobby", attempt: 1, trouble: "lost" }, false],
  [{ phase: "live", trouble: "lost" }, false],
])("offers at %j to try at once: %s", (change, canTry) => {
  expect(waitForCall({ ...status, ...change }).canTry).toBe(canTry);
});

it("says at first only that the picture is waited for", () => {
  expect(waitForPicture(PICTURE_LIMIT - 1, { ...clues, server: null })).toEqual({ sentence: "Waiting for the picture…", canTry: false });
  expect(waitForPicture(0, { ...clues, hint: "Your avatar is loading…" }).sentence).toBe("Your avatar is loading…");
});

it.each<[string, Partial<PictureClues>, RegExp]>([
  ["the room is starting", { hint: "The picture is starting…" }, /^The picture is starting, which takes longer/],
  ["the server says nothing", { server: null }, /said nothing/],
  ["nothing is drawn", { server: stats({ fps: 0 }) }, /drawn nothing/],
  ["nothing arrives", {}, /does not arrive/],
  ["the browser does not say", { decoded: null }, /does not arrive/],
  ["it is not shown", { decoded: 25 }, /arrives, but this browser/],
])("later says why, and offers another connection: %s", (_why, change, sentence) => {
  const wait = waitForPicture(PICTURE_LIMIT, { ...clues, ...change });
  expect(wait.sentence).toMatch(sentence);
  expect(wait.canTry).toBe(true);
});

it.each<[Partial<PictureClues>, RegExp]>([
  [{ isRefused: true }, /after a click/],
  [{ isEmpty: true }, /Nobody is in the room/],
])("offers no other connection where none is missing: %j", (change, sentence) => {
  for (const waited of [0, PICTURE_LIMIT]) {
    expect(waitForPicture(waited, { ...clues, ...change })).toEqual({ sentence: expect.stringMatching(sentence), canTry: false });
  }
});
