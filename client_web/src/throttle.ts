/** Passes values on at most once every `interval` milliseconds; what is overtaken while it waits is never sent. */
export class LatestWins<T> {
  private waiting: { value: T } | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = -Infinity;

  constructor(
    private readonly pass: (value: T) => void,
    private readonly interval: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  push(value: T): void {
    this.waiting = { value };
    if (this.timer !== undefined) return;
    const wait = this.last + this.interval - this.now();
    if (wait <= 0) this.flush();
    else this.timer = setTimeout(() => this.flush(), Math.ceil(wait));
  }

  private flush(): void {
    this.timer = undefined;
    if (!this.waiting) return;
    const { value } = this.waiting;
    this.waiting = null;
    this.last = this.now();
    this.pass(value);
  }
}
