/** The order in which Gaussians are drawn: farthest first, by a counting sort. */
import { FRAME } from "./rig";
import type { Rigid } from "./rigid";

const BUCKETS = 1 << 16;

/** One after the other in the textures of the renderer: an avatar's Gaussians and its frames. */
export interface Sorted {
  triangle: Uint16Array;
  means: Float32Array;
}

/** Avatar space -> camera, of each avatar; null: it is not in the picture. */
export type Views = readonly (Rigid | null)[];

export class DepthOrder {
  private readonly order: Uint32Array;
  /** Of those that are in the picture, one after the other. */
  private readonly depths: Float32Array;
  private readonly keys: Uint16Array;
  private readonly starts = new Uint32Array(BUCKETS + 1);
  /** Of a triangle: depth of a point in its frame is `along[3] + x along[0] + y along[1] + z along[2]`. */
  private along = new Float32Array(0);

  constructor(private readonly avatars: readonly Sorted[]) {
    const count = avatars.reduce((sum, { triangle }) => sum + triangle.length, 0);
    this.order = new Uint32Array(count);
    this.depths = new Float32Array(count);
    this.keys = new Uint16Array(count);
  }

  /** -> positions, farthest first; overwritten by the next call. frames: (F, 8) of each avatar, as `Rig` has them. */
  sort(frames: readonly Float32Array[], views: Views): Uint32Array {
    const { depths, keys, starts, order, avatars } = this;
    const count = this.measure(frames, views);
    let near = Infinity;
    let far = -Infinity;
    for (let i = 0; i < count; i++) {
      const depth = depths[i]!;
      if (depth < near) near = depth;
      if (depth > far) far = depth;
    }
    const scale = far > near ? (BUCKETS - 1) / (far - near) : 0;
    starts.fill(0);
    for (let i = 0; i < count; i++) {
      const key = ((far - depths[i]!) * scale) | 0; // far ones first
      keys[i] = key;
      starts[key + 1]!++;
    }
    for (let k = 0; k < BUCKETS; k++) starts[k + 1]! += starts[k]!;
    let [end, i] = [order.length, count];
    for (let which = avatars.length - 1; which >= 0; which--) {
      const begin = end - avatars[which]!.triangle.length;
      if (views[which]) for (let n = end - 1; n >= begin; n--) order[starts[keys[--i]!]!++] = n; // of equals, the later one first
      end = begin;
    }
    return order.subarray(0, count);
  }

  /** -> how many are in the picture. */
  private measure(frames: readonly Float32Array[], views: Views): number {
    const { avatars, depths } = this;
    let i = 0;
    for (let which = 0; which < avatars.length; which++) {
      const view = views[which];
      if (!view) continue;
      const { triangle, means } = avatars[which]!;
      const along = this.alongAxes(frames[which]!, view);
      for (let n = 0, m = 0; n < triangle.length; n++, m += 3, i++) {
        const f = 4 * triangle[n]!;
        depths[i] = along[f + 3]! + along[f]! * means[m]! + along[f + 1]! * means[m + 1]! + along[f + 2]! * means[m + 2]!;
      }
    }
    return i;
  }

  private alongAxes(frame: Float32Array, view: Rigid): Float32Array {
    const [a, b, c, d] = [view[8]!, view[9]!, view[10]!, view[11]!];
    const count = frame.length / FRAME;
    if (this.along.length < 4 * count) this.along = new Float32Array(4 * count);
    const { along } = this;
    for (let f = 0; f < count; f++) {
      const o = FRAME * f;
      const scale = frame[o + 3]!;
      const x = frame[o + 4]!;
      const y = frame[o + 5]!;
      const z = frame[o + 6]!;
      const w = frame[o + 7]!;
      along[4 * f] = scale * (a * (1 - 2 * (y * y + z * z)) + b * 2 * (x * y + w * z) + c * 2 * (x * z - w * y));
      along[4 * f + 1] = scale * (a * 2 * (x * y - w * z) + b * (1 - 2 * (x * x + z * z)) + c * 2 * (y * z + w * x));
      along[4 * f + 2] = scale * (a * 2 * (x * z + w * y) + b * 2 * (y * z - w * x) + c * (1 - 2 * (x * x + y * y)));
      along[4 * f + 3] = a * frame[o]! + b * frame[o + 1]! + c * frame[o + 2]! + d;
    }
    return along;
  }
}
