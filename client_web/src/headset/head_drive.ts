/** From where the headset is to how the own avatar's head is, as a drive frame has it. */
import { about, moved, partOf, quaternion, type Rigid, times } from "../render/rigid";
import { aboutY } from "./standpoint";

/** A neck turns no farther, radians. */
const MOST_TURN = (75 * Math.PI) / 180;
/** Metres to the side, up and forward that a seated head moves at most (`client_web/src/render/posture.ts`). */
const ROAM = [0.12, 0.1, 0.2] as const;
/** Seen from the head's origin between the ears, where the headset's own origin is: between the eyes. Metres, avatar space. */
export const BETWEEN_EYES = [0, 0.03, 0.08] as const;

/** Relative to the resting head in its seat. rotation: wxyz. translation: metres. */
export interface HeadMotion {
  rotation: [number, number, number, number];
  translation: [number, number, number];
}

/**
 * head: of the headset in the room (`Standpoint.inRoom`), so that who has turned by stick to a neighbour is seen to look there.
 * shift: how far the eyes are from where they were when the person sat down, metres, room axes; what a stick moved is no part
 * of it. yaw: of the seat.
 */
export function headMotion(head: Rigid, shift: readonly number[], yaw: number): HeadMotion {
  const seat = aboutY(-yaw);
  const ahead = aboutY(Math.PI); // the headset looks along -z, an avatar along +z
  const turned = limited(times(times(seat, about([0, 0, 0], head)), ahead));
  const eyes = moved(seat, shift);
  const rest = [...BETWEEN_EYES];
  const under = moved(turned, rest);
  const translation = ROAM.map((roam, i) => roam * Math.tanh((eyes[i]! + rest[i]! - under[i]!) / roam)) as HeadMotion["translation"];
  const [x, y, z, w] = quaternion(turned);
  return { rotation: [w, x, y, z], translation };
}

/** Who looks behind by stick or swivel chair is seen with the head turned as far as it goes. */
function limited(rotation: Rigid): Rigid {
  const w = quaternion(rotation)[3];
  const angle = 2 * Math.acos(Math.min(1, w));
  return angle > MOST_TURN ? partOf(rotation, MOST_TURN / angle) : rotation;
}
