/** Whether pictures that came have stopped coming. No DOM; times in milliseconds on one clock. */

/** Even of avatars that rest the server sends a picture twice a second. */
export const STOPPED_AFTER = 3_000;

export class PictureWatch {
  private count = 0;
  private at = Infinity;

  /** A new connection: nothing has come yet. */
  reset(): void {
    this.count = 0;
    this.at = Infinity;
  }

  /** `count`: pictures that have come, null: not known. `looking`: whether any are wanted; a hidden page gets none. */
  read(count: number | null, looking: boolean, now: number): void {
    if (count === null || count === 0) return;
    if (count !== this.count || !looking) this.at = now;
    this.count = count;
  }

  /** For how long there has been no picture, where it is longer than usual; else 0. */
  stopped(now: number): number {
    const since = now - this.at;
    return since >= STOPPED_AFTER ? since : 0;
  }
}
