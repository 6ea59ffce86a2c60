/** What tracking takes on this machine. */
export interface Cost {
  /** Median of a picture, milliseconds. */
  milliseconds: number;
  /** Pictures a second. */
  rate: number;
}

const WINDOW_MS = 2_000;

export class CostMeter {
  private entries: { at: number; milliseconds: number }[] = [];

  /** A picture took so long, and was done at `now`, milliseconds. */
  add(milliseconds: number, now: number): void {
    this.entries = this.entries.filter(({ at }) => now - at < WINDOW_MS);
    this.entries.push({ at: now, milliseconds });
  }

  /** Of the last two seconds; null: nothing was tracked. */
  read(now: number): Cost | null {
    const recent = this.entries.filter(({ at }) => now - at < WINDOW_MS);
    if (recent.length === 0) return null;
    const sorted = recent.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b);
    return { milliseconds: sorted[sorted.length >> 1]!, rate: (recent.length * 1000) / WINDOW_MS };
  }
}
