/** From a moment of a face to the transforms of an avatar's joints, as `models/posture.py` and `models/heads/base.py` do it. */
import { about, halfway, moved, partOf, type Rigid, times, turn } from "./rigid";
import { JOINTS } from "./web_avatar";

const [TORSO, NECK, HEAD, JAW, LEFT_EYE, RIGHT_EYE] = [0, 1, 2, 3, 4, 5];
/** How much of the head's turn the shoulders make along. */
const SHOULDERS_FOLLOW = 0.2;

/** Where the head is, and where the eyes look: yaw (towards the person's left) and pitch (up), radians, left eye first. */
export interface Posture {
  head: Rigid;
  gaze: ArrayLike<number>;
}

/** For each joint, rest avatar space -> world, (6, 12) float32. joints: (6, 3) of the person. */
export function jointTransforms(joints: Float64Array, { head, gaze }: Posture, out: Float32Array = new Float32Array(12 * JOINTS)): Float32Array {
  const body = bodyUnder(head, joints);
  const neck = halfway(body, head);
  const [at, under] = [moved(head, joint(joints, HEAD)), moved(neck, joint(joints, HEAD))];
  for (let i = 0; i < 3; i++) neck[4 * i + 3] = at[i]! - under[i]!;
  out.set(body, 12 * TORSO);
  out.set(neck, 12 * NECK);
  out.set(head, 12 * HEAD);
  out.set(head, 12 * JAW);
  for (const eye of [LEFT_EYE, RIGHT_EYE]) {
    const [yaw, pitch] = eye === LEFT_EYE ? [gaze[0]!, gaze[1]!] : [gaze[2]!, gaze[3]!];
    out.set(times(head, about(joint(joints, eye), times(turn(0, yaw, 0), turn(-pitch, 0, 0)))), 12 * eye);
  }
  return out;
}

/** Pose of the shoulders under a head: the neck, half turned, joins the two. */
export function bodyUnder(head: Rigid, joints: Float64Array): Rigid {
  const body = partOf(head, SHOULDERS_FOLLOW);
  const neck = halfway(body, head);
  const [top, base] = [joint(joints, HEAD), joint(joints, NECK)];
  const [at, down] = [moved(head, top), moved(neck, [base[0]! - top[0]!, base[1]! - top[1]!, base[2]! - top[2]!])];
  const turned = moved(body, base);
  for (let i = 0; i < 3; i++) body[4 * i + 3] = at[i]! + down[i]! - turned[i]!;
  return body;
}

/** A head relative to where it rests, held back softly so that it never leaves the view (`models/renderer.py: ROAM`). */
export function roaming(head: Rigid): Rigid {
  const out = head.slice();
  [0.12, 0.1, 0.2].forEach((roam, i) => {
    out[4 * i + 3] = roam * Math.tanh(out[4 * i + 3]! / roam);
  });
  return out;
}

function joint(joints: Float64Array, index: number): Float64Array {
  return joints.subarray(3 * index, 3 * index + 3);
}
