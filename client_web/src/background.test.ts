import { expect, it } from "vitest";
import { type BackgroundChoice, CHOICES, drawnBehind, isChoice, isCutOut, placeFor } from "./background";
import { BACKGROUNDS, MAX_ROOM } from "./protocol";

const room = { width: 640, height: 360, density: 2, seen: true };

it("says in how many pixels of the screen the picture is shown", () => {
  const scenery = { choice: "auto" as const, isDark: false, brightness: 0.5 };
  expect(placeFor(scenery, room)).toEqual({ width: 1280, height: 720, background: "white", mask: false, seen: true, draws: false });
  const odd = placeFor(scenery, { width: 1e9, height: -3, density: 1.25, seen: false });
  expect(odd).toMatchObject({ width: MAX_ROOM, height: 0, seen: false });
});

it.each<[BackgroundChoice, boolean, number, string, boolean]>([
  ["auto", false, 0.5, "white", false],
  ["auto", true, 0.5, "dark", false],
  ["sand", true, 0.5, "sand", false],
  ["picture", true, 0.9, "white", true],
  ["picture", false, 0.5, "grey", true],
  ["picture", false, 0.1, "dark", true],
  ["transparent", true, 0.5, "grey", true],
])("asks at %s (dark: %s, brightness %s) for %s", (choice, isDark, brightness, background, mask) => {
  expect(drawnBehind({ choice, isDark, brightness })).toBe(background);
  expect(isCutOut(choice)).toBe(mask);
  expect(Object.keys(BACKGROUNDS)).toContain(background);
});

it("knows its choices", () => {
  expect(CHOICES.every(isChoice)).toBe(true);
  expect(["grey", "", null, 3].some(isChoice)).toBe(false);
});
