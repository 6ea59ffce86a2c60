/** Rigid transforms as 12 numbers, rows of [R | t]; rotation vectors and quaternions. Docs: `docs/conventions.md`. */

export type Rigid = Float64Array;

export function identity(): Rigid {
  return Float64Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0);
}

/** a after b. */
export function times(a: Rigid, b: Rigid): Rigid {
  const out = new Float64Array(12);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 4; j++) {
      let sum = j === 3 ? a[4 * i + 3]! : 0;
      for (let k = 0; k < 3; k++) sum += a[4 * i + k]! * b[4 * k + j]!;
      out[4 * i + j] = sum;
    }
  }
  return out;
}

export function inverse(a: Rigid): Rigid {
  const out = new Float64Array(12);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      out[4 * i + j] = a[4 * j + i]!;
      out[4 * i + 3] = out[4 * i + 3]! - a[4 * j + i]! * a[4 * j + 3]!;
    }
  }
  return out;
}

/** Where a point comes to. */
export function moved(a: Rigid, [x, y, z]: readonly number[] | Float64Array): [number, number, number] {
  const row = (i: number): number => a[4 * i]! * x! + a[4 * i + 1]! * y! + a[4 * i + 2]! * z! + a[4 * i + 3]!;
  return [row(0), row(1), row(2)];
}

/** The rotation alone, about a point that stays where it is. */
export function about(centre: readonly number[] | Float64Array, rotation: Rigid): Rigid {
  const out = rotation.slice();
  for (let i = 0; i < 3; i++) out[4 * i + 3] = 0;
  const at = moved(out, centre);
  for (let i = 0; i < 3; i++) out[4 * i + 3] = centre[i]! - at[i]!;
  return out;
}

/** Axis times angle, radians -> rotation (Rodrigues). */
export function turn(x: number, y: number, z: number): Rigid {
  const angle = Math.hypot(x, y, z);
  if (angle < 1e-12) return identity();
  const [a, b, c] = [x / angle, y / angle, z / angle];
  const [sine, rest] = [Math.sin(angle), 1 - Math.cos(angle)];
  return Float64Array.of(
    1 - rest * (b * b + c * c), rest * a * b - sine * c, rest * a * c + sine * b, 0,
    rest * a * b + sine * c, 1 - rest * (a * a + c * c), rest * b * c - sine * a, 0,
    rest * a * c - sine * b, rest * b * c + sine * a, 1 - rest * (a * a + b * b), 0,
  ); // prettier-ignore
}

/** Rotation -> unit quaternion xyzw, w >= 0 (Shepperd). */
export function quaternion(m: Rigid): [number, number, number, number] {
  const [a, b, c] = [m[0]!, m[5]!, m[10]!];
  const squares = [1 + a + b + c, 1 + a - b - c, 1 - a + b - c, 1 - a - b + c];
  const largest = squares.indexOf(Math.max(...squares));
  const s = 2 * Math.sqrt(squares[largest]!);
  const [zy, xz, yx] = [m[9]! - m[6]!, m[2]! - m[8]!, m[4]! - m[1]!];
  const [xy, xz2, yz] = [m[1]! + m[4]!, m[2]! + m[8]!, m[6]! + m[9]!];
  let q: [number, number, number, number];
  if (largest === 0) q = [zy / s, xz / s, yx / s, s / 4];
  else if (largest === 1) q = [s / 4, xy / s, xz2 / s, zy / s];
  else if (largest === 2) q = [xy / s, s / 4, yz / s, xz / s];
  else q = [xz2 / s, yz / s, s / 4, yx / s];
  return q[3] < 0 ? [-q[0], -q[1], -q[2], -q[3]] : q;
}

/** Quaternion wxyz of any length above 0, as drive frames have it, and a shift -> rigid. */
export function rigid(wxyz: ArrayLike<number>, shift: ArrayLike<number>): Rigid {
  const [w, x, y, z] = [wxyz[0]!, wxyz[1]!, wxyz[2]!, wxyz[3]!];
  const length = Math.hypot(w, x, y, z);
  const [a, b, c, d] = [w / length, x / length, y / length, z / length];
  return Float64Array.of(
    1 - 2 * (c * c + d * d), 2 * (b * c - a * d), 2 * (b * d + a * c), shift[0]!,
    2 * (b * c + a * d), 1 - 2 * (b * b + d * d), 2 * (c * d - a * b), shift[1]!,
    2 * (b * d - a * c), 2 * (c * d + a * b), 1 - 2 * (b * b + c * c), shift[2]!,
  ); // prettier-ignore
}

/** `part` of a rotation, about its axis. */
export function partOf(rotation: Rigid, part: number): Rigid {
  const [x, y, z, w] = quaternion(rotation);
  const sine = Math.hypot(x, y, z);
  if (sine < 1e-12) return identity();
  const factor = (part * 2 * Math.atan2(sine, w)) / sine;
  return turn(x * factor, y * factor, z * factor);
}

/** The rotation half of the way from `a` to `b`; without shift. */
export function halfway(a: Rigid, b: Rigid): Rigid {
  const [from, to] = [about([0, 0, 0], a), about([0, 0, 0], b)];
  return times(from, partOf(times(inverse(from), to), 0.5));
}
