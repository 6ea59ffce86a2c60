/** Where in the room somebody with a headset sits. */
import type { Rigid } from "../render/rigid";
import type { Place, Point } from "./standpoint";

/** Metres between neighbours at the table (`models/renderer.py`: the distance from which an avatar looks best). */
const DISTANCE = 0.9;

/** What is used of a seat (`realtime/room/seating.py`). */
export interface SeatLike {
  /** Avatar space -> room. */
  matrix: Rigid;
  yaw: number;
  /** Where the person's eyes are. */
  eye: ArrayLike<number>;
}

/** The own seat; for somebody without one, or alone in the room, the empty side of the table. seats: of all, in their order. */
export function placeOf(own: SeatLike | null, seats: readonly SeatLike[]): Place {
  if (own !== null && seats.length > 1) return { eye: point(own.eye), yaw: own.yaw };
  return emptySide(seats);
}

/**
 * Between two neighbours, as far from both as they are from each other: so nobody is nearer than anybody else at the table. It is
 * the gap nearest to +z, from where the room's plan is seen; opposite to somebody alone.
 */
function emptySide(seats: readonly SeatLike[]): Place {
  const count = Math.max(1, seats.length);
  const angle = count % 2 === 1 ? 0 : Math.PI / count;
  const away = count > 1 ? radius(count) * Math.cos(Math.PI / count) + (DISTANCE * Math.sqrt(3)) / 2 : DISTANCE;
  const height = seats[0]?.eye[1] ?? 0;
  return { eye: [away * Math.sin(angle), height, away * Math.cos(angle)], yaw: angle + Math.PI };
}

/** Metres from the middle to the seats. */
function radius(count: number): number {
  return count > 1 ? DISTANCE / 2 / Math.sin(Math.PI / count) : 0;
}

/** Radius of the table that as many people sit around, metres. */
export function tableOf(count: number): number {
  return Math.max(0.3, radius(count) - 0.25);
}

export function point(at: ArrayLike<number>): Point {
  return [at[0]!, at[1]!, at[2]!];
}
