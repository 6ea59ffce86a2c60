/** Whether pictures that came have stopped coming. No DOM; times in milliseconds on one clock. */

/** Even of avatars that rest the server sends a picture twice a second. */
export const STOPPED_AFTER = 3_000;
/** Between two readings nothing was missed for longer than this: a device that slept, or a page that the browser held back. */
export const READING = 2_000;

export class PictureWatch {
  private count = 0;
  /** For how long none had come at the last reading. */
  private still = 0;
  private readAt = -Infinity;

  /** A new connection: nothing has come yet. */
  reset(): void {
    this.count = this.still = 0;
  }

  /** `count`: pictures that have come, null: not known. `looking`: whether any are wanted; a hidden page gets none. */
  read(count: number | null, looking: boolean, now: number): void {
    if (count === null || count === 0) return;
    this.still = count === this.count && looking ? this.still + Math.min(READING, now - this.readAt) : 0;
    this.count = count;
    this.readAt = now;
  }

  /** For how long there has been no picture, where it is longer than usual; else 0. */
  get stopped(): number {
    return this.still >= STOPPED_AFTER ? this.still : 0;
  }
}
