/** The making of one avatar, from the photo or the clip to the end of the server's job. It goes on while nobody looks. No DOM. */
import { ApiError, type Avatar, type Job, type Order } from "./api";

export type Making =
  | { state: "idle" | "sending" }
  | { state: "waiting"; ahead: number }
  /** `progress`: part of all work, [0, 1]. */
  | { state: "running"; stage: string; progress: number }
  /** The server is not reached at the moment; its work goes on. */
  | { state: "away"; progress: number }
  | Better
  /** `trouble`: why it did not get better, where that was wanted. */
  | { state: "done"; avatar: Avatar; trouble: string }
  | { state: "failed"; sentence: string };

/** The avatar can be used, and a better one is made. `ahead`: jobs that come first. `previews`: counts pictures of it. */
export interface Better {
  state: "better";
  avatar: Avatar;
  job: string;
  ahead: number;
  stage: string;
  progress: number;
  previews: number;
}

/** Milliseconds between two questions to the server. */
export const ASK_EVERY = 500;
/** The same for what takes minutes. */
export const ASK_SLOWLY = 2_000;
/** Questions in a row that may fail: half an hour, as the work outlives a restart of the server. */
const MOST_FAILED = 600;
const LONGEST_PAUSE = 3_000;
/** Tries of the upload. */
const UPLOADS = 3;
/** Milliseconds after which an order that was stopped has arrived, or never will. */
const ARRIVES = 1_000;
const NOT_FINISHED = "This avatar was not finished: try again.";

/** What of the server's API an enrollment needs. `O`: what is ordered. */
export interface EnrollmentApi<O extends { key: string }> {
  enroll(order: O, signal: AbortSignal): Promise<Avatar>;
  improve?(id: string, order: O, signal: AbortSignal): Promise<Avatar>;
  job(id: string, signal: AbortSignal): Promise<Job>;
  cancelJob?(id: string): Promise<void>;
  avatar(id: string): Promise<Avatar>;
  erase(id: string): Promise<void>;
}

export class Enrollment<O extends { key: string } = Order> {
  making: Making = { state: "idle" };
  changed: () => void = () => undefined;
  /** What was ordered last, as long as the page has it. */
  order: Omit<O, "key"> | null = null;
  private abort: AbortController | null = null;
  private avatar: Avatar | null = null;

  constructor(
    private readonly api: EnrollmentApi<O>,
    private readonly sleep: (milliseconds: number) => Promise<void> = (time) => new Promise((done) => setTimeout(done, time)),
  ) {}

  get isBusy(): boolean {
    return !["idle", "done", "failed"].includes(this.making.state);
  }

  /** Does nothing while one is being made. */
  async make(order: Omit<O, "key">): Promise<void> {
    if (this.isBusy) return;
    const abort = this.begin();
    this.order = order;
    this.avatar = null;
    this.become({ state: "sending" });
    try {
      const avatar = await this.upload(order, (keyed) => this.api.enroll(keyed, abort.signal), abort.signal);
      if (abort.signal.aborted) return void this.eraseQuietly(avatar.id);
      this.avatar = avatar;
      await this.follow(avatar, null, abort.signal);
    } catch (error) {
      if (abort.signal.aborted) return;
      if (this.making.state === "better") this.become({ state: "done", avatar: this.making.avatar, trouble: sentenceOf(error) });
      else this.become({ state: "failed", sentence: sentenceOf(error) });
    }
  }

  /** Makes an avatar better that is there; it can be used meanwhile, and stays when that fails. */
  async improve(avatar: Avatar, order: Omit<O, "key">): Promise<void> {
    if (this.isBusy || !this.api.improve) return;
    const abort = this.begin();
    this.order = order;
    this.avatar = avatar;
    this.become(better(avatar, ""));
    try {
      const ordered = await this.upload(order, (keyed) => this.api.improve!(avatar.id, keyed, abort.signal), abort.signal);
      if (abort.signal.aborted) return void this.cancelQuietly(ordered.job);
      await this.follow({ ...avatar, job: ordered.job }, avatar, abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) this.become({ state: "done", avatar, trouble: sentenceOf(error) });
    }
  }

  /** Goes on with what the server makes better, after the page was loaded again. */
  async resume(avatar: Avatar): Promise<void> {
    if (this.making.state !== "idle" || avatar.improving === null) return;
    const abort = this.begin();
    this.avatar = avatar;
    this.become(better(avatar, avatar.improving));
    try {
      await this.follow({ ...avatar, job: avatar.improving }, avatar, abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) this.become({ state: "done", avatar, trouble: sentenceOf(error) });
    }
  }

  /** Stops, and leaves nothing of it on the server; of what was to become better, what there is. */
  async cancel(): Promise<void> {
    if (!this.isBusy) return;
    this.abort?.abort();
    if (this.making.state === "better") {
      const { avatar, job } = this.making;
      this.become({ state: "done", avatar, trouble: "" });
      return this.cancelQuietly(job || (await this.arrived(avatar.id)));
    }
    this.become({ state: "idle" });
    if (this.avatar) await this.eraseQuietly(this.avatar.id);
  }

  /** Looks no longer; the server goes on with it. Not while it is on its way there. */
  leave(): void {
    if (this.making.state === "sending" || (this.making.state === "better" && this.making.job === "")) return;
    this.abort?.abort();
    this.become({ state: "idle" });
  }

  /** Ready for another one. */
  reset(): void {
    if (!this.isBusy) this.become({ state: "idle" });
  }

  private begin(): AbortController {
    return (this.abort = new AbortController());
  }

  private async upload(order: Omit<O, "key">, send: (keyed: O) => Promise<Avatar>, signal: AbortSignal): Promise<Avatar> {
    const keyed = { ...order, key: randomKey() } as unknown as O;
    for (let tries = 1; ; tries++) {
      try {
        return await send(keyed);
      } catch (error) {
        if (tries === UPLOADS || !(error instanceof ApiError) || error.status !== 0) throw error;
        await this.sleep(1_000 * tries);
        if (signal.aborted) throw error;
      }
    }
  }

  /** `usable`: the avatar, where it can be used already. */
  private async follow(ordered: Avatar, usable: Avatar | null, signal: AbortSignal): Promise<void> {
    let progress = 0;
    const id = ordered.job ?? "";
    for (let failed = 0; failed < MOST_FAILED; ) {
      try {
        const job = await this.api.job(id, signal);
        if (signal.aborted) return;
        failed = 0;
        progress = Math.max(progress, job.progress);
        if (job.state === "done") {
          const made = await this.api.avatar(ordered.id);
          if (!signal.aborted) this.become({ state: "done", avatar: made, trouble: "" });
          return;
        }
        if (job.usable && usable === null) {
          usable = await this.api.avatar(ordered.id);
          if (signal.aborted) return;
        }
        if (job.state === "failed" || job.state === "cancelled") {
          if (usable === null) await this.eraseQuietly(ordered.id); // with the photo
          throw new ApiError(409, job.error || NOT_FINISHED);
        }
        const { ahead, stage, previews } = job;
        if (usable) this.become({ ...better(usable, id), ahead, stage, progress, previews });
        else if (job.state === "waiting") this.become({ state: "waiting", ahead });
        else this.become({ state: "running", stage, progress });
      } catch (error) {
        if (signal.aborted || !(error instanceof ApiError) || !error.passes) throw error;
        if (++failed > 1 && usable === null) this.become({ state: "away", progress });
      }
      await this.sleep(Math.min(LONGEST_PAUSE, (usable ? ASK_SLOWLY : ASK_EVERY) * (failed + 1)));
      if (signal.aborted) return;
    }
    throw new ApiError(0, "The server cannot be reached any more: load this page again later, the avatar may be there then.");
  }

  /** What cannot be erased now can be erased by hand among one's avatars. */
  private async eraseQuietly(id: string): Promise<void> {
    await this.api.erase(id).catch(() => undefined);
  }

  /** The job of an order that was stopped on its way, and may have arrived all the same. */
  private async arrived(id: string): Promise<string | null> {
    await this.sleep(ARRIVES);
    return this.api.avatar(id).then(({ improving }) => improving, () => null);
  }

  private async cancelQuietly(job: string | null): Promise<void> {
    if (job) await this.api.cancelJob?.(job).catch(() => undefined);
  }

  private become(making: Making): void {
    if (JSON.stringify(making) === JSON.stringify(this.making)) return;
    this.making = making;
    this.changed();
  }
}

function better(avatar: Avatar, job: string): Better {
  return { state: "better", avatar, job, ahead: 0, stage: "", progress: 0, previews: 0 };
}

function sentenceOf(error: unknown): string {
  return error instanceof ApiError ? error.message : "Something went wrong in this page: try again.";
}

/** `crypto.randomUUID` is missing on pages that came over plain http. */
export function randomKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
