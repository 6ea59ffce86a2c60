/** How long to wait before a frame is shown, so that nearly all have come by then: measured from when frames do come. */

/** Frames that the measure looks back at: about four seconds. */
const REMEMBERED = 128;
/** Part of the frames that shall be in time. */
const IN_TIME = 0.95;
/** Milliseconds: more than this is not waited for, however much the line jitters. */
const MOST = 250;
/** Milliseconds between two frames of a source: of 120 a second, of a webcam, and of the slowest that is still waited for. */
const [LEAST_INTERVAL, USUAL_INTERVAL, MOST_INTERVAL] = [8, 33, 125];
/** How fast the measure of the interval follows; faster at first. */
const FOLLOWS = 0.1;

export class Jitter {
  /** Of each of the last frames: arrival on the page's clock minus the sender's time, milliseconds. */
  private readonly transits = new Float64Array(REMEMBERED);
  private readonly sorted = new Float64Array(REMEMBERED);
  private count = 0;
  /** Milliseconds between two frames of the sender. */
  private interval = USUAL_INTERVAL;
  private wait = USUAL_INTERVAL;
  private base = 0;

  /** A frame of `time` came at `now`. spacing: milliseconds of the sender's clock since the frame before; NaN without one. */
  add(time: number, now: number, spacing: number): void {
    this.transits[this.count++ % REMEMBERED] = now - time;
    if (spacing >= LEAST_INTERVAL && spacing <= 2 * MOST_INTERVAL) this.interval += Math.max(FOLLOWS, 1 / this.count) * (Math.min(MOST_INTERVAL, spacing) - this.interval);
    const known = Math.min(this.count, REMEMBERED);
    const sorted = this.sorted.subarray(0, known);
    sorted.set(this.transits.subarray(0, known));
    sorted.sort();
    this.base = sorted[0]!;
    const late = sorted[Math.min(known - 1, Math.floor(IN_TIME * known))]! - this.base;
    this.wait = Math.min(MOST, late + this.interval);
  }

  /** The sender's clock started anew. */
  reset(): void {
    this.count = 0;
  }

  /** Milliseconds between the fastest frame's arrival and when a frame is shown. */
  get delay(): number {
    return this.wait;
  }

  /** The sender's time to show at `now`. */
  playhead(now: number): number {
    return now - this.base - this.wait;
  }
}
