import { expect, it } from "vitest";
import { AVATAR } from "../testing/fake_api";
import type { Making } from "./enrollment";
import { fileTrouble, makingLine, MAX_PHOTO, newName, progressPart, progressWords, stateWords } from "./words";

it.each<[Making, string, number | null]>([
  [{ state: "sending" }, "Sending…", null],
  [{ state: "waiting", ahead: 0 }, "Starting…", null],
  [{ state: "waiting", ahead: 1 }, "One avatar comes before yours…", null],
  [{ state: "waiting", ahead: 4 }, "4 avatars come before yours…", null],
  [{ state: "running", stage: "fitting the head", progress: 0.5 }, "Finding the shape of your head…", 0.54],
  [{ state: "running", stage: "reading and checking the photo", progress: 0 }, "Looking at your photo…", 0.08],
  [{ state: "running", stage: "some newer stage", progress: 3 }, "Some newer stage…", 1],
  [{ state: "running", stage: "", progress: -1 }, "Getting ready…", 0.08],
  [{ state: "away", progress: 0.5 }, "The server cannot be reached. Trying again…", 0.54],
  [{ state: "done", avatar: AVATAR, trouble: "" }, "", 1],
  [{ state: "idle" }, "", 0],
])("says how far it is: %j", (making, words, part) => {
  expect(progressWords(making)).toBe(words);
  expect(progressPart(making)).toBe(part);
});

it("says it short beside the avatars", () => {
  expect(makingLine({ state: "running", stage: "s", progress: 0.5 })).toBe("Making… 54 %");
  expect(makingLine({ state: "sending" })).toBe("Making…");
});

it.each([
  [{ name: "me.jpg", type: "image/jpeg", size: 9 }, ""],
  [{ name: "me.HEIC", type: "", size: 9 }, ""],
  [{ name: "me.heic", type: "image/heic", size: MAX_PHOTO }, ""],
  [{ name: "me", type: "", size: 9 }, "A photo was expected (JPEG, PNG, HEIC, WebP): choose another file."],
  [{ name: "me.svg", type: "image/svg+xml", size: 9 }, "A photo was expected (JPEG, PNG, HEIC, WebP): choose another file."],
  [{ name: "me.pdf", type: "application/pdf", size: 9 }, "A photo was expected (JPEG, PNG, HEIC, WebP): choose another file."],
  [{ name: "me.png", type: "image/png", size: 0 }, "This file is empty: choose another one."],
  [{ name: "me.png", type: "image/png", size: MAX_PHOTO + 1 }, "This photo is larger than 24 MB: choose a smaller one."],
])("knows what cannot be a photo: %j", (file, sentence) => {
  expect(fileTrouble(file)).toBe(sentence);
});

it("finds a name that is free", () => {
  expect(newName("Ada", [])).toBe("Ada");
  expect(newName("Ada", ["Ada", "Ada 2"])).toBe("Ada 3");
  expect(newName("  ", [])).toBe("My avatar");
  expect(newName("x".repeat(40), ["x".repeat(40)])).toBe(`${"x".repeat(38)} 2`);
});

it("says why an avatar cannot be taken", () => {
  expect(stateWords("ready")).toBe("");
  expect(stateWords("failed")).toContain("another photo");
});
