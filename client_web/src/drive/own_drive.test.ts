import { describe, expect, it } from "vitest";
import { OwnDrive } from "./own_drive";
import { decodeDriveFrames, type DriveFrame, encodeDriveFrames, Known } from "./wire";

describe("the own avatar's drive frames", () => {
  const coefficients = Float32Array.from({ length: 52 }, (_, i) => (i === 17 ? 0.6 : 0));
  const spoken = encodeDriveFrames([
    { participant: 3, sequence: 9, time: 1, known: Known.MOUTH, confidence: 0.8, rotation: [1, 0, 0, 0], translation: [0, 0, 0], gaze: [0, 0, 0, 0], coefficients },
  ]); // prettier-ignore
  const half = Math.SQRT1_2;

  function run(act: (own: OwnDrive) => void): DriveFrame[] {
    const sent: DriveFrame[] = [];
    act(new OwnDrive((message) => sent.push(...decodeDriveFrames(message))));
    return sent;
  }

  it("are one frame for head and mouth", () => {
    const sent = run((own) => {
      own.turned(3, [half, 0, half, 0], [0, 0.01, 0], 1000);
      own.said(spoken, 1010);
      own.turned(3, [half, 0, half, 0], [0, 0.02, 0], 1033);
      own.turned(3, [half, 0, half, 0], [0, 0.02, 0], 1400);
    });
    expect(sent.map(({ known }) => known)).toEqual([Known.HEAD | Known.IN_ROOM, Known.HEAD | Known.IN_ROOM | Known.MOUTH, Known.HEAD | Known.IN_ROOM]);
    expect(sent[1]!.coefficients[17]).toBeCloseTo(0.6, 2);
    expect(sent[1]!.rotation[2]).toBeCloseTo(half, 4);
    expect(sent[2]!.coefficients[17]).toBe(0);
  });

  it("count on when a headset comes and goes", () => {
    const sent = run((own) => {
      own.said(spoken, 0);
      own.turned(3, [1, 0, 0, 0], [0, 0, 0], 1000);
      own.said(spoken, 1100);
      own.said(spoken, 1500);
    });
    expect(sent.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(sent[2]!.known).toBe(Known.MOUTH);
  });
});
