import { expect, it } from "vitest";
import { FigureReader } from "./figures";

type Entry = Record<string, unknown> & { id: string };

function report(...entries: Entry[]): [string, unknown][] {
  return entries.map((entry) => [entry.id, entry]);
}

function reading(seconds: number): [string, unknown][] {
  return report(
    { id: "t", type: "transport", selectedCandidatePairId: "p" },
    { id: "other", type: "candidate-pair", nominated: true, currentRoundTripTime: 9 },
    { id: "p", type: "candidate-pair", currentRoundTripTime: 0.02, bytesReceived: 100_000 * seconds, bytesSent: 50_000 * seconds },
    { id: "c", type: "codec", mimeType: "video/VP8" },
    {
      id: "a", type: "inbound-rtp", kind: "audio",
      jitterBufferDelay: 4_800 * seconds, jitterBufferEmittedCount: 48_000 * seconds,
      concealedSamples: 5000 * seconds, silentConcealedSamples: 200 * seconds, totalSamplesReceived: 48_000 * seconds,
    },
    { id: "silent", type: "inbound-rtp", kind: "audio", concealedSamples: 48_000 * seconds, silentConcealedSamples: 48_000 * seconds, totalSamplesReceived: 48_000 * seconds },
    { id: "well", type: "inbound-rtp", kind: "audio", concealedSamples: 0, totalSamplesReceived: 48_000 * seconds },
    {
      id: "v", type: "inbound-rtp", kind: "video", codecId: "c", frameWidth: 512, frameHeight: 512,
      framesDecoded: 30 * seconds, framesDropped: 2,
      jitterBufferDelay: 0.6 * seconds, jitterBufferEmittedCount: 30 * seconds, packetsLost: seconds, packetsReceived: 99 * seconds,
    },
  );
}

it("reads rates between two readings", () => {
  const reader = new FigureReader();
  expect(reader.read(reading(1), 1000)).toMatchObject({ bitrateDown: null, loss: null, fps: null, width: 512, codec: "VP8" });
  const figures = reader.read(reading(3), 3000);
  expect(figures.bitrateDown).toBeCloseTo(800_000);
  expect(figures.bitrateUp).toBeCloseTo(400_000);
  expect(figures.loss).toBeCloseTo(0.01);
  expect(figures.fps).toBeCloseTo(30);
  expect(figures.roundTrip).toBeCloseTo(20);
  expect(figures.dropped).toBe(2);
  expect(figures.waited).toBeCloseTo(20);
  expect(figures.voicesWaited).toBeCloseTo(100);
  expect(figures.concealed).toBeCloseTo(4800 / (48_000 + 47_800)); // of the voices that send
});

it("finds the pair where no transport names it", () => {
  const pair = { id: "p", type: "candidate-pair", selected: true, currentRoundTripTime: 0.05 };
  expect(new FigureReader().read(report(pair), 0).roundTrip).toBe(50);
});

it("has nothing to say about an empty report", () => {
  expect(Object.values(new FigureReader().read([], 0)).every((value) => value === null)).toBe(true);
});
