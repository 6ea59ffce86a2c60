/** What an avatar shows at one moment, relative to its resting head: what a drive frame carries (`docs/conventions.md`). */
import { COEFFICIENTS } from "./wire";

export interface Moment {
  /** Of the head: unit quaternion wxyz. */
  rotation: ArrayLike<number>;
  /** Of the head, metres. */
  translation: ArrayLike<number>;
  /** Radians: yaw (towards the person's left) and pitch (up), left eye first. */
  gaze: ArrayLike<number>;
  /** 52 in [0, 1], in ARKit's order. */
  coefficients: ArrayLike<number>;
}

/** One that can be written to. */
export interface OwnMoment extends Moment {
  rotation: Float64Array;
  translation: Float64Array;
  gaze: Float64Array;
  coefficients: Float64Array;
}

/** At rest: head upright in its place, neutral face, gaze ahead. */
export function resting(): OwnMoment {
  return { rotation: Float64Array.of(1, 0, 0, 0), translation: new Float64Array(3), gaze: new Float64Array(4), coefficients: new Float64Array(COEFFICIENTS) };
}

export function copyMoment(from: Moment, to: OwnMoment): void {
  to.rotation.set(from.rotation);
  to.translation.set(from.translation);
  to.gaze.set(from.gaze);
  to.coefficients.set(from.coefficients);
}
