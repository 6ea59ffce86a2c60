import { describe, expect, it } from "vitest";
import { Following, TAKE_OVER } from "./following";

/** Two landmarks at opposite corners of a square. */
const face = (x: number, y: number, side: number): Float32Array => Float32Array.of(x, y, 0, x + side, y + side, 0);

describe("the face that is followed", () => {
  it("is the largest at first, and none where there is none", () => {
    const [small, large] = [face(0, 0, 0.125), face(0.5, 0.5, 0.25)];
    expect(new Following().choose([small, large], 640, 640)).toBe(large);
    expect(new Following().choose([], 640, 640)).toBeNull();
  });

  it("stays the same one beside a larger face, whichever comes first, until the other is much larger", () => {
    const following = new Following();
    const own = face(0, 0, 0.2);
    following.choose([own], 640, 640);
    const passer = face(0.5, 0.5, 0.2 * TAKE_OVER - 0.01);
    expect(following.choose([passer, own], 640, 640)).toBe(own);
    expect(following.choose([own, passer], 640, 640)).toBe(own);
    const near = face(0.5, 0.5, 0.2 * TAKE_OVER + 0.01);
    expect(following.choose([own, near], 640, 640)).toBe(near);
  });

  it("is another one once the first is gone", () => {
    const following = new Following();
    following.choose([face(0, 0, 0.2)], 640, 640);
    const other = face(0.7, 0.7, 0.1);
    expect(following.choose([other], 640, 640)).toBe(other);
  });
});
