import type { DeskApi, DeskAvatar, DeskJob } from "../desk/api";
import type { Directory } from "../desk/directory";
import { jobFacts, jobIsOver } from "../desk/words";
import { betterDialog } from "./desk_better";
import { ProgressBar } from "./desk_progress";
import { DeskSection } from "./desk_section";
import { h, setText } from "./dom";

/** Milliseconds between two looks at the jobs. */
const LOOK_EVERY = 2_000;

interface Row {
  element: HTMLElement;
  name: HTMLElement;
  facts: HTMLElement;
  bar: ProgressBar;
  cancel: HTMLButtonElement;
  again: HTMLButtonElement;
  job: DeskJob;
}

/** Avatars that are made, or were: the newest first. */
export class JobsSection extends DeskSection {
  private readonly list = h("ul", { class: "desk-list", "data-testid": "jobs" });
  private readonly empty = h("p", { class: "soft", hidden: true, "data-testid": "no-jobs" }, "No avatar is being made.");
  private readonly rows = new Map<string, Row>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly api: DeskApi,
    private readonly directory: Directory,
  ) {
    super("Jobs", "Avatars that are being made, and what became of earlier ones.");
    this.body.append(this.empty, this.list);
  }

  async start(): Promise<void> {
    await this.directory.refresh();
    await this.look();
  }

  override close(): void {
    clearTimeout(this.timer);
    super.close();
  }

  private async look(): Promise<void> {
    clearTimeout(this.timer);
    await this.attempt(async () => this.draw(await this.api.jobs()));
    if (!this.isClosed) this.timer = setTimeout(() => void this.look(), LOOK_EVERY);
  }

  private draw(jobs: DeskJob[]): void {
    this.empty.hidden = jobs.length > 0;
    const here = new Set(jobs.map(({ id }) => id));
    for (const [id, { element }] of this.rows) {
      if (here.has(id)) continue;
      element.remove();
      this.rows.delete(id);
    }
    for (const [index, job] of jobs.entries()) {
      const row = this.rows.get(job.id) ?? this.add(job);
      if (this.list.children[index] !== row.element) this.list.insertBefore(row.element, this.list.children[index] ?? null);
      this.show(row, job);
    }
  }

  private show(row: Row, job: DeskJob): void {
    const name = this.directory.nameOf(job.avatar) || "An avatar";
    setText(row.name, name);
    setText(row.facts, jobFacts(job, this.directory.nameOf(job.owner ?? "")));
    row.element.dataset.state = job.state;
    row.bar.element.hidden = jobIsOver(job);
    row.bar.element.setAttribute("aria-label", `Making ${name}`);
    row.bar.show(job.state === "running" ? job.progress : job.state === "waiting" ? 0 : 1);
    if (jobIsOver(job) && row.cancel === document.activeElement) this.element.querySelector<HTMLElement>("h1")?.focus();
    row.cancel.hidden = jobIsOver(job);
    row.cancel.setAttribute("aria-label", `Cancel ${name}`);
    row.again.hidden = !(job.state === "failed" || job.state === "cancelled") || this.avatarOf(job) === undefined;
    row.again.setAttribute("aria-label", `Try again: ${name}`);
    row.job = job;
  }

  private avatarOf({ avatar }: DeskJob): DeskAvatar | undefined {
    return this.directory.avatars?.find(({ id }) => id === avatar);
  }

  /** With the photos that are still there; else with new ones. */
  private async retry(job: DeskJob): Promise<void> {
    if (job.may_retry) {
      if (await this.attempt(() => this.api.retryJob(job.id))) await this.look();
      return;
    }
    const avatar = this.avatarOf(job);
    const owner = this.directory.nameOf(job.owner ?? "");
    if (avatar?.may_improve) betterDialog(this.api, avatar, owner, () => void this.look());
    else location.hash = `#enroll/${job.owner ?? ""}`;
  }

  private add(job: DeskJob): Row {
    const { id } = job;
    const [name, facts] = [h("p", { class: "person-name", dir: "auto" }), h("p", { class: "soft small" })];
    const bar = new ProgressBar("");
    const cancel = h("button", { type: "button", class: "button", "data-testid": `cancel-${id}` }, "Cancel");
    cancel.addEventListener("click", () => {
      void this.attempt(() => this.api.cancelJob(id)).then((done) => (done ? this.look() : undefined));
    });
    const again = h("button", { type: "button", class: "button", hidden: true, "data-testid": `again-${id}` }, "Try again");
    again.addEventListener("click", () => void this.retry(row.job));
    const element = h("li", { class: "person desk-job", "data-testid": `job-${id}` }, h("div", { class: "person-words" }, name, facts, bar.element), again, cancel);
    const row: Row = { element, name, facts, bar, cancel, again, job };
    this.rows.set(id, row);
    return row;
  }
}
