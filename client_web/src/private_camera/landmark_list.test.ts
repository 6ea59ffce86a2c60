import { describe, expect, it } from "vitest";
import { readLandmarks } from "./landmark_list";

/** A serialised list, with a visibility that nobody asked for; zeros are left out. */
function listOf(points: number[][]): Uint8Array {
  return Uint8Array.from(
    points.flatMap((point) => {
      const fields = [...point, 0.5].flatMap((value, i) =>
        value === 0 ? [] : [((i + 1) << 3) | 5, ...new Uint8Array(Float32Array.of(value).buffer)],
      );
      return [10, fields.length, ...fields];
    }),
  );
}

describe("a list of landmarks", () => {
  it("is read", () => {
    expect([...readLandmarks(listOf([[0.5, 0.25, -0.125], [0, 1.5, 0]]))]).toEqual([0.5, 0.25, -0.125, 0, 1.5, 0]);
    expect(readLandmarks(new Uint8Array())).toHaveLength(0);
  });

  it("is refused when it is cut short or holds something else", () => {
    const whole = listOf([[1, 2, 3]]);
    expect(() => readLandmarks(whole.slice(0, -1))).toThrow();
    expect(() => readLandmarks(Uint8Array.of(10, 255, 255, 255, 255))).toThrow();
    expect(() => readLandmarks(Uint8Array.of(18, 0))).toThrow();
    expect(() => readLandmarks(Uint8Array.of(10, 2, 8, 1))).toThrow();
  });
});
