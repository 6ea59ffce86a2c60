import { expect, it } from "vitest";
import type { Peer } from "./peer";
import { pictureWait } from "./lip_sync";
import { Room } from "./room";
import { Measurements } from "./ui/measurements";

it("lets pictures wait only for voices that are so late that one notices", () => {
  expect(pictureWait(null, 80)).toBe(0);
  expect(pictureWait(60, 0)).toBe(0);
  expect(pictureWait(160, 0)).toBe(0);
  expect(pictureWait(220, 0)).toBe(60);
  expect(pictureWait(2_000, 0)).toBe(200);
});

it("does not follow every change, and comes back to none", () => {
  expect(pictureWait(160, 0)).toBe(0);
  expect(pictureWait(250, 80)).toBe(80);
  expect(pictureWait(280, 80)).toBe(120);
  expect(pictureWait(130, 80)).toBe(0);
});

it("is told once a second what voices waited since the last time", async () => {
  let seconds = 0;
  const told: (number | null)[] = [];
  const peer = {
    report: () => Promise.resolve(new Map([["a", { id: "a", type: "inbound-rtp", kind: "audio", jitterBufferDelay: 9_600 * seconds, jitterBufferEmittedCount: 48_000 * seconds }]])),
    syncLips: (waited: number | null) => told.push(waited),
  } as unknown as Peer;
  const measurements = new Measurements(new Room(-1));
  for (; seconds < 2; seconds++) await measurements.measure(peer, null, true, false);
  expect(told).toEqual([null, 200]);
});
