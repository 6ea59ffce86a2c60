/** Quaternions wxyz in place: interpolated and turned without allocating. */

/** From `a` (0) to `b` (1) along the shorter arc at even speed; beyond 1 it goes on. */
export function slerp(a: Float64Array, b: Float64Array, share: number, out: Float64Array): void {
  let cosine = a[0]! * b[0]! + a[1]! * b[1]! + a[2]! * b[2]! + a[3]! * b[3]!;
  const sign = cosine < 0 ? -1 : 1;
  cosine = Math.min(1, Math.abs(cosine));
  const angle = Math.acos(cosine);
  const sine = Math.sin(angle);
  const [from, to] = sine < 1e-6 ? [1 - share, share] : [Math.sin((1 - share) * angle) / sine, Math.sin(share * angle) / sine];
  for (let i = 0; i < 4; i++) out[i] = from * a[i]! + sign * to * b[i]!;
  unit(out);
}

/** The rotation vector (axis times angle, radians) that turns `from` into `to`. */
export function between(from: Float64Array, to: Float64Array, out: Float64Array): void {
  const [a, b, c, d] = [to[0]!, to[1]!, to[2]!, to[3]!];
  const [w, x, y, z] = [from[0]!, -from[1]!, -from[2]!, -from[3]!];
  let real = a * w - b * x - c * y - d * z;
  const sign = real < 0 ? -1 : 1;
  real *= sign;
  const axis = [sign * (a * x + b * w + c * z - d * y), sign * (a * y - b * z + c * w + d * x), sign * (a * z + b * y - c * x + d * w)];
  const sine = Math.hypot(axis[0]!, axis[1]!, axis[2]!);
  const factor = sine < 1e-12 ? 2 : (2 * Math.atan2(sine, real)) / sine;
  for (let i = 0; i < 3; i++) out[i] = factor * axis[i]!;
}

/** Turns a quaternion by a rotation vector, in place. */
export function turnBy(quaternion: Float64Array, x: number, y: number, z: number): void {
  const angle = Math.hypot(x, y, z);
  const factor = angle < 1e-9 ? 0.5 : Math.sin(angle / 2) / angle;
  const [w, i, j, k] = [Math.cos(angle / 2), factor * x, factor * y, factor * z];
  const [a, b, c, d] = [quaternion[0]!, quaternion[1]!, quaternion[2]!, quaternion[3]!];
  quaternion[0] = w * a - i * b - j * c - k * d;
  quaternion[1] = w * b + i * a + j * d - k * c;
  quaternion[2] = w * c - i * d + j * a + k * b;
  quaternion[3] = w * d + i * c - j * b + k * a;
  unit(quaternion);
}

function unit(quaternion: Float64Array): void {
  const length = Math.hypot(quaternion[0]!, quaternion[1]!, quaternion[2]!, quaternion[3]!);
  for (let i = 0; i < 4; i++) quaternion[i]! /= length;
}
