import { describe, expect, it } from "vitest";
import type { Status } from "./signalling_types";
import { Driver } from "./testing/driver";
import { stats } from "./testing/messages";
import {
  EXPLAINED_AFTER, type PictureClues, SILENT_AFTER, waitForCall, waitForNextPicture, waitForPicture, wantsAnotherConnection,
} from "./wait";

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
  expect(waitForPicture(EXPLAINED_AFTER - 1, { ...clues, server: null })).toEqual({ sentence: "Waiting for the picture…", canTry: false });
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
  const wait = waitForPicture(EXPLAINED_AFTER, { ...clues, ...change });
  expect(wait.sentence).toMatch(sentence);
  expect(wait.canTry).toBe(true);
});

it.each<[Partial<PictureClues>, RegExp]>([
  [{ isRefused: true }, /after a click/],
  [{ isEmpty: true }, /Nobody is in the room/],
])("offers no other connection where none is missing: %j", (change, sentence) => {
  for (const waited of [0, EXPLAINED_AFTER]) {
    expect(waitForPicture(waited, { ...clues, ...change })).toEqual({ sentence: expect.stringMatching(sentence), canTry: false });
  }
});

describe("a picture that has stopped", () => {
  const server = stats({ fps: 30 });

  it("is no reason to say anything while pictures and answers come", () => {
    expect(waitForNextPicture(0, SILENT_AFTER - 1, { server, isOffline: false })).toBeNull();
    expect(waitForNextPicture(0, 0, { server, isOffline: true })).toBeNull();
  });

  it.each<[string, number, number, { server: typeof server | null; isOffline: boolean }, RegExp, boolean]>([
    ["the network here is gone", 0, SILENT_AFTER, { server, isOffline: true }, /device is offline/, true],
    ["nothing comes at all", 5_000, SILENT_AFTER, { server, isOffline: false }, /Picture and sound have stopped: nothing comes/, true],
    ["the render process was killed", 4_000, 0, { server: stats({ ready: false, fps: 0 }), isOffline: false }, /starts it anew/, false],
    ["the server draws nothing", 4_000, 0, { server: stats({ fps: 0 }), isOffline: false }, /draws none/, true],
    ["only media die", 4_000, 0, { server, isOffline: false }, /does not arrive/, true],
    ["the server says nothing of it", 4_000, 0, { server: null, isOffline: false }, /does not arrive/, true],
  ])("has a reason and a way out: %s", (_why, stopped, silence, known, sentence, canTry) => {
    expect(waitForNextPicture(stopped, silence, known)).toEqual({ sentence: expect.stringMatching(sentence), canTry, isStopped: true });
  });

  it("comes back by another connection, unless the server has none to send", () => {
    expect(wantsAnotherConnection(EXPLAINED_AFTER - 1, server)).toBe(false);
    expect(wantsAnotherConnection(EXPLAINED_AFTER, server)).toBe(true);
    expect(wantsAnotherConnection(EXPLAINED_AFTER, null)).toBe(true);
    expect(wantsAnotherConnection(EXPLAINED_AFTER, stats({ ready: false }))).toBe(false);
  });
});
