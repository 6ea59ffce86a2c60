import { describe, expect, it } from "vitest";
import { DepthOrder } from "../render/depth_order";
import { identity, moved, rigid, type Rigid, times, turn } from "../render/rigid";
import { eyeCamera, middle, OrderWatch, worldToCamera } from "./eyes";

/** OpenGL's frustum, by columns. */
function frustum(left: number, right: number, bottom: number, top: number, near: number, far: number): Float32Array {
  return Float32Array.of(
    (2 * near) / (right - left), 0, 0, 0,
    0, (2 * near) / (top - bottom), 0, 0,
    (right + left) / (right - left), (top + bottom) / (top - bottom), -(far + near) / (far - near), -1,
    0, 0, (-2 * far * near) / (far - near), 0,
  ); // prettier-ignore
}

describe("an eye's camera", () => {
  it("puts points where WebXR's matrices put them, also through lenses that look aside", () => {
    const projection = frustum(-0.12, 0.08, -0.11, 0.09, 0.1, 50);
    const pose = rigid([0.9, 0.1, -0.3, 0.05], [0.3, -0.2, 0.5]);
    const viewport = { width: 1680, height: 1760 };
    const camera = eyeCamera(projection, pose, viewport);
    for (const [x, y, z] of [[0.1, 0.05, -1], [-0.3, 0.4, -2], [0, 0, -0.4]] as const) {
      const clip = [0, 1, 2, 3].map((i) => projection[i]! * x + projection[4 + i]! * y + projection[8 + i]! * z + projection[12 + i]!);
      const [u, v] = [(0.5 + (0.5 * clip[0]!) / clip[3]!) * viewport.width, (0.5 - (0.5 * clip[1]!) / clip[3]!) * viewport.height];
      const [a, b, c] = moved(camera.worldToCamera, moved(pose, [x, y, z]));
      expect(c).toBeCloseTo(-z, 9);
      expect((camera.fx * a) / c + camera.cx).toBeCloseTo(u, 3);
      expect((camera.fy * b) / c + camera.cy).toBeCloseTo(v, 3);
    }
  });
});

describe("one order for both eyes", () => {
  const head = times(rigid([1, 0, 0, 0], [0.4, 1.2, 0.7]), turn(0.1, 0.6, 0.2));
  const eyes = [-0.0315, 0.0315].map((x) => times(head, Float64Array.of(1, 0, 0, x, 0, 1, 0, 0, 0, 0, 1, 0)));

  it("is that of each eye, as they look in parallel", () => {
    const count = 500;
    let seed = 1;
    const random = (): number => (seed = (seed * 16807) % 2147483647) / 2147483647;
    const avatar = { triangle: new Uint16Array(count), means: Float32Array.from({ length: 3 * count }, () => random() - 0.5) };
    const frames = [Float32Array.of(0, 1.2, -0.5, 1, 0, 0, 0, 1)];
    const orderOf = (pose: Rigid): number[] => [...new DepthOrder([avatar]).sort(frames, [worldToCamera(pose)])];
    const depths = (pose: Rigid): number[] => orderOf(pose).map((n) => moved(worldToCamera(pose), [0, 1, 2].map((i) => avatar.means[3 * n + i]! + frames[0]![i]!))[2]);
    const both = orderOf(middle(head, eyes));
    expect(both).not.toEqual([...both].sort((a, b) => a - b));
    for (const eye of eyes) {
      expect(orderOf(eye)).toEqual(both);
      const far = depths(eye);
      expect(far.every((depth, i) => i === 0 || depth <= far[i - 1]! + 1e-4)).toBe(true);
    }
  });

  it("is made anew when avatars move or the head turns, and not when it goes", () => {
    const watch = new OrderWatch();
    const at = (yaw: number, roll = 0, x = 0): Rigid => worldToCamera(times(rigid([1, 0, 0, 0], [x, 0, 0]), times(turn(0, yaw, 0), turn(0, 0, roll))));
    expect(watch.isStale(at(0), false)).toBe(true);
    expect(watch.isStale(at(0), false)).toBe(false);
    expect(watch.isStale(at(0, 0, 0.5), false)).toBe(false);
    expect(watch.isStale(at(0, 0.4), false)).toBe(false);
    expect(watch.isStale(at(0.004), false)).toBe(false);
    expect(watch.isStale(at(0.008), false)).toBe(false); // of the last one that was sorted
    expect(watch.isStale(at(0.012), false)).toBe(true);
    expect(watch.isStale(at(0.012), true)).toBe(true);
  });

  it("has its middle between the eyes", () => {
    expect([...middle(head, eyes)].map((value, i) => value - head[i]!).every((value) => Math.abs(value) < 1e-12)).toBe(true);
    expect([...middle(identity(), [])]).toEqual([...identity()]);
  });
});
