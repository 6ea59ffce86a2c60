/**
 * Where the person with the headset is in the room: the room's axes are those of `realtime/room/seating.py` (y up, metres), the
 * headset's are WebXR's (y up, -z forward, metres of the person's own floor).
 */
import { identity, type Rigid } from "../render/rigid";

export type Point = [number, number, number];

/** A place to sit: where the eyes are, and the direction of the seat: radians about y, 0 faces +z. */
export interface Place {
  eye: Point;
  yaw: number;
}

/** How much larger than life people can be made, and how much smaller. */
export const [LEAST_SCALE, MOST_SCALE] = [0.5, 2];
/** Metres from the eyes that nobody's head comes nearer by moving with stick or hand. */
const NEAREST = 0.35;
/** Metres beyond the seats that one can move away. */
const FARTHEST = 2;
/** Of a direction of length 1: above this it is too steep to say where it leads. */
const STEEP = 0.9;

/** A transform as WebXR has it, 16 numbers by columns -> rows of [R | t]. */
export function ofMatrix(m: Float32Array): Rigid {
  return Float64Array.of(m[0]!, m[4]!, m[8]!, m[12]!, m[1]!, m[5]!, m[9]!, m[13]!, m[2]!, m[6]!, m[10]!, m[14]!);
}

/** Where a head looks, seen from above: radians about y, as `Place.yaw`. Who looks straight down looks where the crown points. */
export function heading(head: Rigid): number {
  const [x, y, z] = [-head[2]!, -head[6]!, -head[10]!];
  if (Math.abs(y) < STEEP) return Math.atan2(x, z);
  const side = y < 0 ? 1 : -1;
  return Math.atan2(side * head[1]!, side * head[9]!);
}

/** The rotation about y by an angle; positive takes +z towards +x. */
export function aboutY(angle: number): Rigid {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return Float64Array.of(c, 0, s, 0, 0, 1, 0, 0, -s, 0, c, 0);
}

export class Standpoint {
  /** From the headset's axes to the room's: p -> at + turn(yaw) p / scale. */
  private yaw = 0;
  private at: Point = [0, 0, 0];
  private size = 1;
  private place: Place = { eye: [0, 0, 0], yaw: Math.PI };
  /** The head's place when the person sat down, headset's axes. */
  private rest: Point = [0, 0, 0];

  /** How large people are: 1 is life. */
  get scale(): number {
    return this.size;
  }

  /** Radians: where the seat looks. */
  get forward(): number {
    return this.place.yaw;
  }

  /** How far the head itself, no stick, has gone since the person sat down: metres of the person, room axes. */
  leaning(head: Rigid): Point {
    const [c, s] = [Math.cos(this.yaw), Math.sin(this.yaw)];
    const [x, y, z] = [head[3]! - this.rest[0], head[7]! - this.rest[1], head[11]! - this.rest[2]];
    return [c * x + s * z, y, c * z - s * x];
  }

  /** A pose of the headset's axes (head, eye, hand) in the room. */
  inRoom(pose: Rigid): Rigid {
    const [c, s] = [Math.cos(this.yaw), Math.sin(this.yaw)];
    const out = identity();
    for (let j = 0; j < 4; j++) {
      const [x, y, z] = [pose[j]!, pose[4 + j]!, pose[8 + j]!];
      const by = j === 3 ? 1 / this.size : 1;
      out[j] = by * (c * x + s * z);
      out[4 + j] = by * y;
      out[8 + j] = by * (c * z - s * x);
    }
    for (let i = 0; i < 3; i++) out[4 * i + 3]! += this.at[i]!;
    return out;
  }

  /** Sits down: the head as it is now comes to the place's eyes and looks the seat's way, at life size. */
  sit(head: Rigid, place: Place): void {
    this.size = 1;
    this.place = { eye: [...place.eye], yaw: place.yaw };
    this.rest = [head[3]!, head[7]!, head[11]!];
    this.yaw = place.yaw - heading(head);
    this.keep(head, place.eye);
  }

  /** The place is somewhere else now, because people came or went: one moves along with it. */
  follow(place: Place): void {
    const turn = place.yaw - this.place.yaw;
    const [c, s] = [Math.cos(turn), Math.sin(turn)];
    const [x, y, z] = this.at.map((value, i) => value - this.place.eye[i]!) as Point;
    this.at = [place.eye[0] + c * x + s * z, place.eye[1] + y, place.eye[2] + c * z - s * x];
    this.yaw += turn;
    this.place = { eye: [...place.eye], yaw: place.yaw };
  }

  /** Turns on the spot. angle: radians, positive to the left. */
  turn(head: Rigid, angle: number): void {
    const eye = this.eyeOf(head);
    this.yaw += angle;
    this.keep(head, eye);
  }

  /** Makes people larger or smaller around the own eyes. */
  rescale(head: Rigid, factor: number): void {
    const eye = this.eyeOf(head);
    this.size = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, this.size * factor));
    this.keep(head, eye);
  }

  /**
   * Moves. ahead, aside (to the right), up: metres of the person, by where the head looks. heads: of the others, in the room:
   * one comes no nearer to any than a face's length, and does not leave the room.
   */
  step(head: Rigid, ahead: number, aside: number, up: number, heads: readonly Point[]): void {
    const before = this.eyeOf(head);
    const way = heading(head) + this.yaw;
    const [c, s, by] = [Math.cos(way), Math.sin(way), 1 / this.size];
    const after: Point = [before[0] + by * (ahead * s - aside * c), before[1] + by * up, before[2] + by * (ahead * c + aside * s)];
    const far = Math.max(0, ...heads.map((at) => Math.hypot(at[0], at[2])), Math.hypot(this.place.eye[0], this.place.eye[2])) + FARTHEST;
    const leaves = Math.hypot(after[0], after[2]) > far || Math.abs(after[1]) > FARTHEST;
    const stays = heads.every((at) => distance(after, at) >= Math.min(NEAREST, distance(before, at)));
    if (stays && !leaves) this.keep(head, after);
  }

  private eyeOf(head: Rigid): Point {
    const m = this.inRoom(head);
    return [m[3]!, m[7]!, m[11]!];
  }

  /** Brings the head to a point of the room, with turn and size as they are. */
  private keep(head: Rigid, eye: Point): void {
    this.at = [0, 0, 0];
    const now = this.eyeOf(head);
    this.at = [eye[0] - now[0], eye[1] - now[1], eye[2] - now[2]];
  }
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
