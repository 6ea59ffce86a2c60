/** How much is drawn so that no picture comes late: a step down when pictures were missed, up again when all has been well for long. */

/** What a step draws. coarse: less detail. foveation: how much coarser the edge of the view is, in [0, 1]. resolution: part of the display's own.
 * every: avatars take a new pose for each picture, or for every so many. */
export interface Effort {
  coarse: boolean;
  foveation: number;
  resolution: number;
  every: number;
}

const STEPS: readonly Effort[] = [
  { coarse: false, foveation: 0, resolution: 1, every: 1 },
  { coarse: false, foveation: 1, resolution: 1, every: 2 },
  { coarse: true, foveation: 1, resolution: 1, every: 2 },
  { coarse: true, foveation: 1, resolution: 0.7, every: 3 },
];
/** Pictures that are judged together. */
const WINDOW = 45;
/** A picture is missed when the next one comes after this many of the display's intervals. */
const MISSED = 1.5;
/** Parts of a window's pictures: more missed is too much, less is well. */
const [TOO_MANY, FEW] = [0.15, 0.03];
/** Seconds that all must be well before more is drawn; twice as long after each time that it was too much. */
const [WAIT, LONGEST_WAIT] = [4, 60];
/** Seconds without a picture after which time begins anew: the headset was off, or its menu was open. */
const PAUSE = 0.5;

export class Budget {
  private step = 0;
  private last = 0;
  private pictures = 0;
  private missed = 0;
  private wellFor = 0;
  private wait = WAIT;

  get effort(): Effort {
    return STEPS[this.step]!;
  }

  /** A picture begins. now: milliseconds. rate: of the display, pictures a second. -> whether the effort is another now. */
  picture(now: number, rate: number): boolean {
    const passed = (now - this.last) / 1000;
    this.last = now;
    if (!(passed > 0) || passed > PAUSE) return false;
    const expected = 1 / rate;
    this.wellFor += passed;
    this.pictures += Math.max(1, Math.round(passed / expected));
    if (passed > MISSED * expected) this.missed += Math.round(passed / expected) - 1;
    return this.pictures >= WINDOW && this.judge();
  }

  private judge(): boolean {
    const part = this.missed / this.pictures;
    this.pictures = this.missed = 0;
    if (part > FEW) this.wellFor = 0;
    if (part > TOO_MANY && this.step < STEPS.length - 1) {
      if (this.rose) this.wait = Math.min(LONGEST_WAIT, 2 * this.wait);
      return this.go(1);
    }
    if (this.wellFor >= this.wait && this.step > 0) return this.go(-1);
    return false;
  }

  /** Whether the last change was towards more. */
  private rose = false;

  private go(steps: number): boolean {
    this.step += steps;
    this.rose = steps < 0;
    this.wellFor = 0;
    return true;
  }
}
