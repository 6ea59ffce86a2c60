/** What a page gives an avatar to show, checked. */
import { ARKIT, type Coefficient } from "../arkit";

/** One moment of a face; what is left out goes on as it was by itself. As the JSON of a drive frame (docs/protocol.md). */
export interface AvatarFrame {
  /** ARKit's coefficients by name, or all 52 in Apple's order; each in [0, 1]. */
  coefficients?: Partial<Record<Coefficient, number>> | ArrayLike<number>;
  /** Of the head, unit quaternion wxyz: identity looks straight ahead; x right in the picture, y up, z towards the viewer. */
  rotation?: ArrayLike<number>;
  /** Of the head from where it rests, metres. */
  translation?: ArrayLike<number>;
  /** Radians: yaw (towards the person's left) and pitch (up), left eye first. */
  gaze?: ArrayLike<number>;
}

/** Coefficients in Apple's order. Throws `TypeError` with a sentence for what is no frame. */
export function coefficientsOf({ coefficients }: AvatarFrame, out: Float64Array): void {
  out.fill(0);
  if (coefficients === undefined) return;
  if ("length" in coefficients && typeof coefficients.length === "number") {
    if (coefficients.length !== ARKIT.length) throw new TypeError(`${ARKIT.length} coefficients were expected, ${coefficients.length} came: give them by name.`);
    for (let k = 0; k < ARKIT.length; k++) out[k] = part(Number(coefficients[k]), ARKIT[k]!);
    return;
  }
  for (const [name, value] of Object.entries(coefficients)) {
    const place = ARKIT.indexOf(name as Coefficient);
    if (place < 0) throw new TypeError(`A name of an ARKit coefficient such as jawOpen was expected, "${name.slice(0, 40)}" came.`);
    out[place] = part(Number(value), name);
  }
}

/** As many finite numbers as `out` has, or what rests. */
export function numbersOf(name: string, values: ArrayLike<number> | undefined, rest: readonly number[], out: Float64Array): void {
  const given = values ?? rest;
  if (given.length !== out.length) throw new TypeError(`${out.length} numbers were expected as ${name}, ${given.length} came.`);
  for (let i = 0; i < out.length; i++) {
    if (!Number.isFinite(given[i])) throw new TypeError(`Finite numbers were expected as ${name}, others came.`);
    out[i] = given[i]!;
  }
}

export function unitRotation(values: ArrayLike<number> | undefined, out: Float64Array): void {
  numbersOf("rotation", values, [1, 0, 0, 0], out);
  const length = Math.hypot(...out);
  if (!(length > 1e-6)) throw new TypeError("A unit quaternion was expected as rotation, zero came.");
  for (let i = 0; i < 4; i++) out[i]! /= length;
}

function part(value: number, name: string): number {
  if (!Number.isFinite(value)) throw new TypeError(`A number from 0 to 1 was expected as ${name}, another came.`);
  return Math.min(1, Math.max(0, value));
}
