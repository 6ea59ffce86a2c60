import { describe, expect, it } from "vitest";
import { DepthOrder } from "./depth_order";
import { identity, inverse, moved, partOf, quaternion, rigid, times, turn } from "./rigid";

describe("the order of drawing", () => {
  /** Two triangles whose frames are turned and moved, and Gaussians that lie along their axes. */
  const half = Math.SQRT1_2;
  const frames = Float32Array.of(0, 0, 2, 0.1, 0, 0, 0, 1, 0, 0, 3, 0.2, half, 0, 0, half);
  const triangle = Uint16Array.of(0, 0, 1, 1, 0);
  const means = Float32Array.of(0, 0, 1, 0, 0, -1, 0, 0, 1, 0, -6, 0, 0, 0, 1);

  it("is farthest first, and of equals the later one first", () => {
    const order = new DepthOrder([{ triangle, means }]);
    // depths: 2.1, 1.9, 3 (z of its frame lies across), 3 - 1.2, 2.1
    expect([...order.sort([frames], [identity()])]).toEqual([2, 4, 0, 1, 3]);
  });

  it("turns round when one looks from behind", () => {
    const order = new DepthOrder([{ triangle, means }]);
    const behind = times(Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 5), turn(0, Math.PI, 0));
    expect([...order.sort([frames], [behind])]).toEqual([3, 1, 4, 0, 2]);
  });

  it("is one of all avatars", () => {
    const own = { triangle: Uint16Array.of(0), means: Float32Array.of(0, 0, 0) };
    const at = (z: number): Float32Array => Float32Array.of(0, 0, z, 1, 0, 0, 0, 1);
    const order = new DepthOrder([own, own, own]);
    const here = identity();
    const away = Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3);
    expect([...order.sort([at(2), at(4), at(3)], [here, here, here])]).toEqual([1, 2, 0]);
    expect([...order.sort([at(2), at(2), at(2)], [here, here, here])]).toEqual([2, 1, 0]);
    expect([...order.sort([at(2), at(4), at(3)], [away, here, here])]).toEqual([0, 1, 2]);
    expect([...order.sort([at(2), at(4), at(3)], [here, null, here])]).toEqual([2, 0]);
  });
});

describe("rigid transforms", () => {
  it("undo each other, and quaternions are rotations", () => {
    for (const vector of [[0, 0, 0], [0.3, -0.2, 0.9], [3, 0.1, 0], [0, 3.1, 0.2], [0.1, 0, -3.1]] as [number, number, number][]) {
      const rotation = turn(...vector);
      const [x, y, z, w] = quaternion(rotation);
      const again = rigid([w, x, y, z], [1, 2, 3]);
      const back = times(again, inverse(again));
      identity().forEach((value, i) => expect(back[i]).toBeCloseTo(value, 10));
      expect([...again].filter((_, i) => i % 4 < 3).every((value, i) => Math.abs(value - [...rotation].filter((_, k) => k % 4 < 3)[i]!) < 1e-9)).toBe(true);
      const twice = times(partOf(rotation, 0.5), partOf(rotation, 0.5));
      moved(twice, [1, 2, 3]).forEach((value, i) => expect(value).toBeCloseTo(moved(rotation, [1, 2, 3])[i]!, 9));
    }
  });
});
