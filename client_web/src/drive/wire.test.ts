import { describe, expect, it } from "vitest";
import { type DriveFrame, decodeDriveFrames, encodeDriveFrames, isNewer, Known, MOST, SHORTEST, WireError } from "./wire";

const rest: DriveFrame = {
  participant: 7,
  sequence: 65535,
  time: 12,
  known: Known.HEAD | Known.GAZE,
  confidence: 1,
  rotation: [1, 0, 0, 0],
  translation: [0, 0, 0],
  gaze: [0, 0, 0, 0],
  coefficients: new Float32Array(52),
};

describe("drive frames", () => {
  it("come back from the bytes", () => {
    const [read] = decodeDriveFrames(encodeDriveFrames([rest]));
    expect(read).toEqual({
      ...rest,
      rotation: Float64Array.of(1, 0, 0, 0),
      translation: new Float64Array(3),
      gaze: new Float64Array(4),
    });
  });

  it("are ordered across the wrap of the sequence", () => {
    expect([isNewer(2, 65534), isNewer(65534, 2), isNewer(5, 5)]).toEqual([true, false, false]);
  });

  it.each([
    ["a head that is nowhere", { translation: [0, Number.NaN, 0] }],
    ["an endless expression", { coefficients: new Float32Array(52).fill(Number.POSITIVE_INFINITY) }],
    ["no turn at all", { rotation: [0, 0, 0, 0] }],
    ["a gaze of one eye", { gaze: [0, 0] }],
    ["a time that is none", { time: Number.NaN }],
  ])("are not written with %s", (_what, change) => {
    expect(() => encodeDriveFrames([{ ...rest, ...change }])).toThrow(WireError);
  });

  it("are not written by the dozen", () => {
    expect(() => encodeDriveFrames(Array.from({ length: MOST + 1 }, () => rest))).toThrow(WireError);
    expect(() => encodeDriveFrames([])).toThrow(WireError);
  });

  it("are not read where a message is cut short", () => {
    const whole = encodeDriveFrames([rest, rest]);
    for (const length of [0, 2, 3, 3 + SHORTEST, whole.byteLength - 1])
      expect(() => decodeDriveFrames(whole.slice(0, length))).toThrow(WireError);
  });
});
