/** The making of one avatar, from the photo to the end of the server's job. It goes on while nobody looks. No DOM. */
import { ApiError, type Api, type Avatar, type Order } from "./api";

export type Making =
  | { state: "idle" | "sending" }
  | { state: "waiting"; ahead: number }
  /** `progress`: part of all work, [0, 1]. */
  | { state: "running"; stage: string; progress: number }
  /** The server is not reached at the moment; its work goes on. */
  | { state: "away"; progress: number }
  | { state: "done"; avatar: Avatar }
  | { state: "failed"; sentence: string };

/** Milliseconds between two questions to the server. */
export const ASK_EVERY = 500;
/** Questions in a row that may fail: half an hour, as the work outlives a restart of the server. */
const MOST_FAILED = 600;
const LONGEST_PAUSE = 3_000;
/** Tries of the upload. */
const UPLOADS = 3;

export class Enrollment {
  making: Making = { state: "idle" };
  changed: () => void = () => undefined;
  private abort: AbortController | null = null;
  private avatar: Avatar | null = null;

  constructor(
    private readonly api: Api,
    private readonly sleep: (milliseconds: number) => Promise<void> = (time) => new Promise((done) => setTimeout(done, time)),
  ) {}

  get isBusy(): boolean {
    return !["idle", "done", "failed"].includes(this.making.state);
  }

  /** Does nothing while one is being made. */
  async make(order: Omit<Order, "key">): Promise<void> {
    if (this.isBusy) return;
    const abort = (this.abort = new AbortController());
    this.avatar = null;
    this.become({ state: "sending" });
    try {
      const avatar = await this.upload({ ...order, key: randomKey() }, abort.signal);
      if (abort.signal.aborted) return void this.eraseQuietly(avatar.id);
      this.avatar = avatar;
      await this.follow(avatar, abort.signal);
    } catch (error) {
      if (abort.signal.aborted) return;
      this.become({ state: "failed", sentence: error instanceof ApiError ? error.message : "Something went wrong in this page: try again." });
    }
  }

  /** Stops, and leaves nothing of it on the server. */
  async cancel(): Promise<void> {
    if (!this.isBusy) return;
    this.abort?.abort();
    this.become({ state: "idle" });
    if (this.avatar) await this.eraseQuietly(this.avatar.id);
  }

  /** Ready for another one. */
  reset(): void {
    if (!this.isBusy) this.become({ state: "idle" });
  }

  private async upload(order: Order, signal: AbortSignal): Promise<Avatar> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.api.enroll(order, signal);
      } catch (error) {
        if (tries === UPLOADS || !(error instanceof ApiError) || error.status !== 0) throw error;
        await this.sleep(1_000 * tries);
        if (signal.aborted) throw error;
      }
    }
  }

  private async follow(avatar: Avatar, signal: AbortSignal): Promise<void> {
    let progress = 0;
    for (let failed = 0; failed < MOST_FAILED; ) {
      try {
        const job = await this.api.job(avatar.job ?? "", signal);
        if (signal.aborted) return;
        failed = 0;
        progress = Math.max(progress, job.progress);
        if (job.state === "waiting") this.become({ state: "waiting", ahead: job.ahead });
        else if (job.state === "running") this.become({ state: "running", stage: job.stage, progress });
        else if (job.state === "done") {
          const made = await this.api.avatar(avatar.id);
          if (!signal.aborted) this.become({ state: "done", avatar: made });
          return;
        } else {
          await this.eraseQuietly(avatar.id); // with the photo
          throw new ApiError(409, job.error || "This avatar was not finished: try again.");
        }
      } catch (error) {
        if (signal.aborted || !(error instanceof ApiError) || !error.passes) throw error;
        if (++failed > 1) this.become({ state: "away", progress });
      }
      await this.sleep(Math.min(LONGEST_PAUSE, ASK_EVERY * (failed + 1)));
      if (signal.aborted) return;
    }
    throw new ApiError(0, "The server cannot be reached any more: load this page again later, the avatar may be there then.");
  }

  /** What cannot be erased now can be erased by hand among one's avatars. */
  private async eraseQuietly(id: string): Promise<void> {
    await this.api.erase(id).catch(() => undefined);
  }

  private become(making: Making): void {
    if (JSON.stringify(making) === JSON.stringify(this.making)) return;
    this.making = making;
    this.changed();
  }
}

/** `crypto.randomUUID` is missing on pages that came over plain http. */
function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
