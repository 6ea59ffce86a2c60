/** How finely to draw, from how long pictures take. No DOM; milliseconds. */

/** A picture that takes longer is drawn with fewer pixels, and where that does not help with fewer Gaussians. */
const SLOW = 24;
const [LEAST_SCALE, MOST_SCALE] = [0.5, 2];
/** Longer than this once, and something else held the page up. */
const HELD_UP = 150;
/** Pictures a second that a device must hold. */
export const LEAST_RATE = 24;
/** For how long fewer must come before that counts. */
const PATIENCE = 4_000;
/** How long it must go well before more pixels are tried; twice as long after each time that they were too many. */
const TRIED_AFTER = 5_000;

export class Budget {
  /** Pixels of the picture for each CSS pixel. */
  scale: number;
  /** Whether avatars are drawn in their coarse level: what takes the place of a missing GPU spends most of its time on each Gaussian. */
  isCoarse = false;
  private cost = SLOW / 2;
  private slowFor = 0;
  private wellFor = 0;
  private triedAfter = TRIED_AFTER;
  private isTrying = false;
  private wasHeldUp = false;
  private readonly most: number;

  constructor(density: number) {
    this.most = Math.min(MOST_SCALE, density);
    this.scale = this.most;
  }

  /** Another picture came `passed` after the last one, without a pause between them. */
  add(passed: number): void {
    const isFirst = passed > HELD_UP && !this.wasHeldUp;
    this.wasHeldUp = passed > HELD_UP;
    if (isFirst) return;
    this.cost += 0.1 * (passed - this.cost);
    this.slowFor = this.cost > 1000 / LEAST_RATE ? this.slowFor + passed : 0;
    if (this.cost > SLOW) return this.lessen();
    this.wellFor += passed;
    if (this.wellFor < this.triedAfter || (this.scale >= this.most && !this.isCoarse)) return;
    this.wellFor = 0;
    this.isTrying = true;
    if (this.isCoarse) this.isCoarse = false;
    else this.scale = Math.min(this.most, 1.25 * this.scale);
  }

  /** Whether this device cannot hold the rate, with however few pixels and Gaussians. */
  get isTooSlow(): boolean {
    return this.slowFor > PATIENCE;
  }

  private lessen(): void {
    if (this.isTrying && this.wellFor < TRIED_AFTER) this.triedAfter *= 2;
    this.isTrying = false;
    this.wellFor = 0;
    if (this.isCoarse) return;
    if (this.scale <= LEAST_SCALE) this.isCoarse = true;
    else this.scale = Math.max(LEAST_SCALE, 0.8 * this.scale);
    this.cost = SLOW / 2;
  }
}
