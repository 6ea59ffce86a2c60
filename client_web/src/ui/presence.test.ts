import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { LocalMedia } from "../media";
import { person } from "../testing/messages";
import type { Announcer } from "./announcer";
import { OwnPresence } from "./presence";

let on: { audio: boolean; video: boolean };
let told: [boolean, boolean][];
let shown: string[];
let presence: OwnPresence;

beforeEach(() => {
  vi.useFakeTimers();
  [on, told, shown] = [{ audio: true, video: true }, [], []];
  const media = {
    isOn: (kind: "audio" | "video") => on[kind],
    turn: (kind: "audio" | "video", value: boolean) => {
      on[kind] = value;
      presence.tell();
      return Promise.resolve();
    },
  } as unknown as LocalMedia;
  const announcer = { show: (text: string) => shown.push(text) } as unknown as Announcer;
  presence = new OwnPresence(media, { presence: (muted, camera) => told.push([muted, camera]) }, announcer);
});

afterEach(() => void vi.useRealTimers());

it("tells each change once", () => {
  presence.tell();
  on.video = false;
  presence.tell();
  presence.tell();
  expect(told).toEqual([[false, true], [false, false]]);
});

it("switches the microphone off when the host has muted it, and says so", () => {
  vi.advanceTimersByTime(2_000);
  presence.follow(person(1, "Ada"));
  presence.follow(undefined);
  expect(shown).toEqual([]);
  presence.follow(person(1, "Ada", { muted: true }));
  expect([on.audio, told.at(-1)]).toEqual([false, [true, true]]);
  expect(shown).toEqual([expect.stringContaining("The host has muted your microphone")]);
});

it("does not take an older word of the room for the host's", () => {
  vi.advanceTimersByTime(2_000);
  on.audio = false;
  presence.tell();
  on.audio = true;
  presence.tell();
  presence.follow(person(1, "Ada", { muted: true })); // from before the page spoke again
  expect([on.audio, shown]).toEqual([true, []]);
});
