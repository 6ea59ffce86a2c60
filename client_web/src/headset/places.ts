/** Where in the room somebody with a headset sits. */
import { DISTANCE, eyeOf, radius, type Seat } from "../scene/seating";
import type { Place } from "./standpoint";

/** The own seat; for somebody without one, or alone in the room, the empty side of the table. seats: of all, in their order. */
export function placeOf(own: Seat | null, seats: readonly Seat[]): Place {
  if (own !== null && seats.length > 1) return { eye: eyeOf(own), yaw: own.yaw };
  return emptySide(seats);
}

/**
 * Between two neighbours, as far from both as they are from each other: so nobody is nearer than anybody else at the table. It is
 * the gap nearest to +z, from where the room's plan is seen; opposite to somebody alone.
 */
function emptySide(seats: readonly Seat[]): Place {
  const count = Math.max(1, seats.length);
  const angle = count % 2 === 1 ? 0 : Math.PI / count;
  const away = count > 1 ? radius(count) * Math.cos(Math.PI / count) + (DISTANCE * Math.sqrt(3)) / 2 : DISTANCE;
  const height = seats[0] ? eyeOf(seats[0])[1] : 0;
  return { eye: [away * Math.sin(angle), height, away * Math.cos(angle)], yaw: angle + Math.PI };
}

/** Radius of the table that as many people sit around, metres. */
export function tableOf(count: number): number {
  return Math.max(0.3, radius(count) - 0.25);
}
