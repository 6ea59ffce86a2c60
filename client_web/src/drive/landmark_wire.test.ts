import { describe, expect, it } from "vitest";
import { encodeLandmarks, type LandmarkFrame, LANDMARKS } from "./landmark_wire";
import { WireError } from "./wire";

const seen: LandmarkFrame = { sequence: 65535, time: 12, width: 640, height: 480, confidence: 1, points: new Float32Array(3 * LANDMARKS) };

describe("landmarks", () => {
  it("are 2881 bytes, and 13 where nobody is seen", () => {
    expect(encodeLandmarks(seen).byteLength).toBe(2881);
    const nobody = new DataView(encodeLandmarks({ ...seen, points: null }));
    expect([nobody.byteLength, nobody.getUint8(0), nobody.getUint8(1), nobody.getUint8(12)]).toEqual([13, 2, 2, 0]);
  });

  it("are cut to what can be written", () => {
    const view = new DataView(encodeLandmarks({ ...seen, points: new Float32Array(3 * LANDMARKS).fill(-99) }));
    expect(view.getInt16(2879, true)).toBe(-32768);
  });

  it.each([
    ["numbers that are none", { points: new Float32Array(3 * LANDMARKS).fill(Number.NaN) }],
    ["too few of them", { points: new Float32Array(9) }],
    ["a time that is none", { time: Number.NaN }],
    ["a confidence that is none", { confidence: Number.POSITIVE_INFINITY }],
    ["a picture without a size", { width: 0 }],
    ["a picture beyond all size", { height: 9000 }],
  ])("are not written with %s", (_what, change) => {
    expect(() => encodeLandmarks({ ...seen, ...change })).toThrow(WireError);
  });
});
