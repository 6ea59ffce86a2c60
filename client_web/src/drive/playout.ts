/** From drive frames as the network delivers them to what an avatar shows now. No DOM, no clock of its own. */
import { copyMoment, type Moment, type OwnMoment, resting } from "./moment";

/** A moment as it was sent. time: milliseconds of the sender's clock, 32 bits that wrap; sequence: 16 bits that wrap. */
export interface Frame extends Moment {
  sequence: number;
  time: number;
}

export class Playout {
  private readonly shown: OwnMoment = resting();

  /** A frame came, at `now` milliseconds of the page's clock. */
  push(frame: Frame, _now: number): void {
    copyMoment(frame, this.shown);
  }

  /** What to show at `now`; overwritten by the next call. */
  at(_now: number): Moment {
    return this.shown;
  }
}
