/** The order in which Gaussians are drawn: farthest first, by a counting sort. */
import { FRAME } from "./rig";
import type { Rigid } from "./rigid";

const BUCKETS = 1 << 16;

/** One after the other in the textures of the renderer: an avatar's Gaussians and its frames. */
export interface Sorted {
  triangle: Uint16Array;
  means: Float32Array;
}

export class DepthOrder {
  /** Positions, farthest first; overwritten by each `sort`. */
  readonly order: Uint32Array;
  private readonly depths: Float32Array;
  private readonly keys: Uint16Array;
  private readonly starts = new Uint32Array(BUCKETS + 1);
  /** Of a triangle: depth of a point in its frame is `at + x along[0] + y along[1] + z along[2]`. */
  private along = new Float32Array(0);

  constructor(private readonly avatars: readonly Sorted[]) {
    const count = avatars.reduce((sum, { triangle }) => sum + triangle.length, 0);
    this.order = new Uint32Array(count);
    this.depths = new Float32Array(count);
    this.keys = new Uint16Array(count);
  }

  /** frames: (F, 8) of each avatar, as `Rig` has them. */
  sort(frames: readonly Float32Array[], worldToCamera: Rigid): Uint32Array {
    this.measure(frames, worldToCamera);
    const { depths, keys, starts, order } = this;
    let [near, far] = [Infinity, -Infinity];
    for (const depth of depths) {
      if (depth < near) near = depth;
      if (depth > far) far = depth;
    }
    const scale = far > near ? (BUCKETS - 1) / (far - near) : 0;
    starts.fill(0);
    for (let n = 0; n < depths.length; n++) {
      const key = ((far - depths[n]!) * scale) | 0; // far ones first
      keys[n] = key;
      starts[key + 1]!++;
    }
    for (let k = 0; k < BUCKETS; k++) starts[k + 1]! += starts[k]!;
    for (let n = depths.length - 1; n >= 0; n--) order[starts[keys[n]!]!++] = n; // of equals, the later one first
    return order;
  }

  private measure(frames: readonly Float32Array[], m: Rigid): void {
    const [a, b, c, d] = [m[8]!, m[9]!, m[10]!, m[11]!];
    let n = 0;
    this.avatars.forEach(({ triangle, means }, which) => {
      const frame = frames[which]!;
      const count = frame.length / FRAME;
      if (this.along.length < 4 * count) this.along = new Float32Array(4 * count);
      const along = this.along;
      for (let f = 0; f < count; f++) {
        const o = FRAME * f;
        const scale = frame[o + 3]!;
        const [x, y, z, w] = [frame[o + 4]!, frame[o + 5]!, frame[o + 6]!, frame[o + 7]!];
        along[4 * f] = scale * (a * (1 - 2 * (y * y + z * z)) + b * 2 * (x * y + w * z) + c * 2 * (x * z - w * y));
        along[4 * f + 1] = scale * (a * 2 * (x * y - w * z) + b * (1 - 2 * (x * x + z * z)) + c * 2 * (y * z + w * x));
        along[4 * f + 2] = scale * (a * 2 * (x * z + w * y) + b * 2 * (y * z - w * x) + c * (1 - 2 * (x * x + y * y)));
        along[4 * f + 3] = a * frame[o]! + b * frame[o + 1]! + c * frame[o + 2]! + d;
      }
      for (let i = 0; i < triangle.length; i++, n++) {
        const f = 4 * triangle[i]!;
        this.depths[n] = along[f + 3]! + along[f]! * means[3 * i]! + along[f + 1]! * means[3 * i + 1]! + along[f + 2]! * means[3 * i + 2]!;
      }
    });
  }
}
