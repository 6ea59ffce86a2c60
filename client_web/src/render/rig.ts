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
      const [x, y, z] = [vertices[v]!, vertices[v + 1]!, vertices[v + 2]!];
      let [a, b, c] = [0, 0, 0];
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
    for (let t = 0, o = 0; t < triangles.length; t += 3, o += FRAME) {
      const [i, j, k] = [3 * triangles[t]!, 3 * triangles[t + 1]!, 3 * triangles[t + 2]!];
      const [ax, ay, az] = [vertices[i]!, vertices[i + 1]!, vertices[i + 2]!];
      const [ux, uy, uz] = [vertices[j]! - ax, vertices[j + 1]! - ay, vertices[j + 2]! - az];
      const [wx, wy, wz] = [vertices[k]! - ax, vertices[k + 1]! - ay, vertices[k + 2]! - az];
      const [nx, ny, nz] = [uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx];
      const lu = Math.max(Math.sqrt(ux * ux + uy * uy + uz * uz), 1e-9);
      const ln = Math.max(Math.sqrt(nx * nx + ny * ny + nz * nz), 1e-15);
      const [x0, x1, x2] = [ux / lu, uy / lu, uz / lu];
      const [y0, y1, y2] = [nx / ln, ny / ln, nz / ln];
      const [z0, z1, z2] = [x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0];
      frames[o] = ax + (ux + wx) / 3;
      frames[o + 1] = ay + (uy + wy) / 3;
      frames[o + 2] = az + (uz + wz) / 3;
      frames[o + 3] = 0.5 * (lu + Math.abs(z0 * wx + z1 * wy + z2 * wz));
      // the matrix with columns x, y, z as a quaternion (Shepperd)
      let [qx, qy, qz, qw] = [0, 0, 0, 0];
      if (x0 + y1 + z2 > 0) {
        const s = 2 * Math.sqrt(Math.max(1 + x0 + y1 + z2, 1e-12));
        [qx, qy, qz, qw] = [(y2 - z1) / s, (z0 - x2) / s, (x1 - y0) / s, 0.25 * s];
      } else if (x0 > y1 && x0 > z2) {
        const s = 2 * Math.sqrt(Math.max(1 + x0 - y1 - z2, 1e-12));
        [qx, qy, qz, qw] = [0.25 * s, (y0 + x1) / s, (z0 + x2) / s, (y2 - z1) / s];
      } else if (y1 > z2) {
        const s = 2 * Math.sqrt(Math.max(1 + y1 - x0 - z2, 1e-12));
        [qx, qy, qz, qw] = [(y0 + x1) / s, 0.25 * s, (z1 + y2) / s, (z0 - x2) / s];
      } else {
        const s = 2 * Math.sqrt(Math.max(1 + z2 - x0 - y1, 1e-12));
        [qx, qy, qz, qw] = [(z0 + x2) / s, (z1 + y2) / s, 0.25 * s, (x1 - y0) / s];
      }
      const length = Math.sqrt(qx * qx + qy * qy + qz * qz + qw * qw); // 1, unless the triangle is flat
      frames[o + 4] = qx / length;
      frames[o + 5] = qy / length;
      frames[o + 6] = qz / length;
      frames[o + 7] = qw / length;
    }
  }
}
