/** Poses a web avatar: coefficients and joints -> the frames of its triangles. Allocates nothing after it is made. */
import { COEFFICIENTS, JOINTS, type WebAvatar } from "./web_avatar";

/** Numbers of a frame: origin, scale (metres), rotation as quaternion xyzw. */
export const FRAME = 8;

export class Rig {
  /** (F, 8), overwritten by each `pose`. */
  readonly frames: Float32Array;
  private readonly vertices: Float32Array;

  constructor(private readonly avatar: WebAvatar) {
    this.frames = new Float32Array(FRAME * (avatar.triangles.length / 3));
    this.vertices = new Float32Array(avatar.rest.length);
  }

  /** coefficients: 52 in [0, 1]. transforms: (6, 12) of `jointTransforms`. */
  pose(coefficients: ArrayLike<number>, transforms: Float32Array): void {
    this.express(coefficients);
    this.skin(transforms);
    this.frame();
  }

  private express(coefficients: ArrayLike<number>): void {
    const { rest, expression } = this.avatar;
    const { first, index, delta } = expression;
    this.vertices.set(rest);
    for (let k = 0; k < COEFFICIENTS; k++) {
      const amount = coefficients[k]!;
      if (amount === 0) continue;
      for (let i = first[k]!; i < first[k + 1]!; i++) {
        const v = 3 * index[i]!;
        this.vertices[v]! += amount * delta[3 * i]!;
        this.vertices[v + 1]! += amount * delta[3 * i + 1]!;
        this.vertices[v + 2]! += amount * delta[3 * i + 2]!;
      }
    }
  }

  /** Linear blend skinning, in place. */
  private skin(transforms: Float32Array): void {
    const { weights } = this.avatar;
    const { vertices } = this;
    for (let v = 0, w = 0; v < vertices.length; v += 3, w += JOINTS) {
      const x = vertices[v]!;
      const y = vertices[v + 1]!;
      const z = vertices[v + 2]!;
      let a = 0;
      let b = 0;
      let c = 0;
      for (let j = 0; j < JOINTS; j++) {
        const weight = weights[w + j]!;
        if (weight === 0) continue;
        const t = 12 * j;
        a += weight * (transforms[t]! * x + transforms[t + 1]! * y + transforms[t + 2]! * z + transforms[t + 3]!);
        b += weight * (transforms[t + 4]! * x + transforms[t + 5]! * y + transforms[t + 6]! * z + transforms[t + 7]!);
        c += weight * (transforms[t + 8]! * x + transforms[t + 9]! * y + transforms[t + 10]! * z + transforms[t + 11]!);
      }
      vertices[v] = a;
      vertices[v + 1] = b;
      vertices[v + 2] = c;
    }
  }

  /** GaussianAvatars' frames (`models/binding.py`): centroid; x along the first edge, y the normal, z = x cross y. */
  private frame(): void {
    const { triangles } = this.avatar;
    const { vertices, frames } = this;
    // Single numbers only: engines allocate arrays that are taken apart in a loop as long as this one.
    for (let t = 0, o = 0; t < triangles.length; t += 3, o += FRAME) {
      const i = 3 * triangles[t]!;
      const j = 3 * triangles[t + 1]!;
      const k = 3 * triangles[t + 2]!;
      const ax = vertices[i]!;
      const ay = vertices[i + 1]!;
      const az = vertices[i + 2]!;
      const ux = vertices[j]! - ax;
      const uy = vertices[j + 1]! - ay;
      const uz = vertices[j + 2]! - az;
      const wx = vertices[k]! - ax;
      const wy = vertices[k + 1]! - ay;
      const wz = vertices[k + 2]! - az;
      const nx = uy * wz - uz * wy;
      const ny = uz * wx - ux * wz;
      const nz = ux * wy - uy * wx;
      const lu = Math.max(Math.sqrt(ux * ux + uy * uy + uz * uz), 1e-9);
      const ln = Math.max(Math.sqrt(nx * nx + ny * ny + nz * nz), 1e-15);
      const x0 = ux / lu;
      const x1 = uy / lu;
      const x2 = uz / lu;
      const y0 = nx / ln;
      const y1 = ny / ln;
      const y2 = nz / ln;
      const z0 = x1 * y2 - x2 * y1;
      const z1 = x2 * y0 - x0 * y2;
      const z2 = x0 * y1 - x1 * y0;
      frames[o] = ax + (ux + wx) / 3;
      frames[o + 1] = ay + (uy + wy) / 3;
      frames[o + 2] = az + (uz + wz) / 3;
      frames[o + 3] = 0.5 * (lu + Math.abs(z0 * wx + z1 * wy + z2 * wz));
      // the matrix with columns x, y, z as a quaternion (Shepperd), of a length that does not matter yet
      let qx: number;
      let qy: number;
      let qz: number;
      let qw: number;
      if (x0 + y1 + z2 > 0) {
        qx = y2 - z1;
        qy = z0 - x2;
        qz = x1 - y0;
        qw = 1 + x0 + y1 + z2;
      } else if (x0 > y1 && x0 > z2) {
        qx = 1 + x0 - y1 - z2;
        qy = y0 + x1;
        qz = z0 + x2;
        qw = y2 - z1;
      } else if (y1 > z2) {
        qx = y0 + x1;
        qy = 1 + y1 - x0 - z2;
        qz = z1 + y2;
        qw = z0 - x2;
      } else {
        qx = z0 + x2;
        qy = z1 + y2;
        qz = 1 + z2 - x0 - y1;
        qw = x1 - y0;
      }
      const length = Math.max(Math.sqrt(qx * qx + qy * qy + qz * qz + qw * qw), 1e-12);
      frames[o + 4] = qx / length;
      frames[o + 5] = qy / length;
      frames[o + 6] = qz / length;
      frames[o + 7] = qw / length;
    }
  }
}
