/** The small motion of somebody who breathes: an avatar without news holds its pose, and is not frozen. */
import type { OwnMoment } from "./moment";
import { turnBy } from "./turning";

/** Milliseconds of one breath, and in which it begins or ends to be seen. */
const [PERIOD, FADE] = [4_200, 900];
/** Radians that the head nods, metres that it rises. */
const [NOD, RISE] = [0.004, 0.0008];

export class Breath {
  private depth = 0;

  /** Adds it to a moment at `now`. on: whether it should be seen. passed: milliseconds since the last call. */
  apply(moment: OwnMoment, on: boolean, now: number, passed: number): void {
    this.depth = Math.min(1, Math.max(0, this.depth + (on ? passed : -passed) / FADE));
    if (this.depth === 0) return;
    const wave = this.depth * Math.sin((2 * Math.PI * now) / PERIOD);
    turnBy(moment.rotation, -NOD * wave, 0, 0);
    moment.translation[1]! += RISE * wave;
  }
}
