import type { Avatar } from "../../avatars/api";
import type { Better } from "../../avatars/enrollment";
import type { OwnAvatars } from "../../avatars/own_avatars";
import { progressPart, progressWords } from "../../avatars/words";
import { asSentence } from "../../words";
import { h, setText } from "../dom";
import { icon } from "../icons";
import { reportOf } from "./report";
import { type Source, sourcePicture } from "./source";
import type { Step } from "./step";
import { Turntable } from "./turntable";

export interface ProgressActions {
  /** Another photo. */
  again(): void;
  cancel(): void;
  /** All is well: back to the lobby. */
  use(): void;
  /** Makes it better, from what it was made of; null: the page does not have that any more. */
  better: ((avatar: Avatar) => void) | null;
  /** Makes it better, from a clip. */
  film(avatar: Avatar): void;
}

/** How far the server is, and what has become of it. */
export class ProgressStep implements Step {
  readonly element = h("div", { class: "make-step make-progress" });
  private readonly picture: ReturnType<typeof sourcePicture> | null;
  private readonly words = h("p", { class: "progress-words", "data-testid": "progress-words" });
  private readonly spoken = h("p", { class: "visually-hidden", role: "status", "data-testid": "progress-spoken" });
  private readonly fill = h("div", { class: "progress-fill" });
  private readonly bar = h("div", { class: "progress-bar", role: "progressbar", "aria-label": "Making your avatar", "aria-valuemin": 0, "aria-valuemax": 100, "data-testid": "progress" }, this.fill);
  private readonly main = h("div", { class: "make-main" });
  private shown = "";
  private turntable: Turntable | null = null;
  private readonly addresses: string[] = [];
  private previews = 0;
  private frame: HTMLElement | null = null;
  private closed = false;

  /** `source`: null when the page does not have it any more. */
  constructor(
    private readonly own: OwnAvatars,
    source: Source | null,
    private readonly actions: ProgressActions,
  ) {
    this.picture = source && sourcePicture(source);
    this.element.append(this.main, this.spoken);
    this.draw();
  }

  /** Without scrolling to it: on a phone the picture is above. */
  focus(): void {
    this.main.querySelector<HTMLElement>(".primary, [data-testid=cancel-making]")?.focus({ preventScroll: true });
    this.element.closest("dialog")?.scrollTo(0, 0);
  }

  close(): void {
    this.closed = true;
    this.picture?.close();
    this.turntable?.close();
    for (const address of this.addresses) URL.revokeObjectURL(address);
  }

  /** The enrollment has changed. */
  draw(): void {
    const { making } = this.own.enrollment;
    const kind = making.state === "done" || making.state === "failed" || making.state === "better" ? making.state : "busy";
    if (kind !== this.shown) {
      const focused = this.main.contains(document.activeElement);
      this.shown = kind;
      this.turntable?.close();
      this.turntable = null;
      if (making.state === "done") this.showDone(making.avatar, making.trouble);
      else if (making.state === "failed") this.showFailed(making.sentence);
      else if (making.state === "better") this.showBetter(making);
      else this.showBusy();
      if (focused || kind === "done" || kind === "failed") this.focus();
    }
    if (kind === "done" || kind === "failed") return;
    if (making.state === "better") void this.showProgressPicture(making);
    const words = progressWords(making);
    setText(this.words, words);
    setText(this.spoken, making.state === "better" ? `Your avatar can be used. ${words}` : words);
    const part = progressPart(making);
    this.bar.classList.toggle("is-open", part === null);
    if (part === null) this.bar.removeAttribute("aria-valuenow");
    else this.bar.setAttribute("aria-valuenow", String(Math.round(100 * part)));
    this.bar.setAttribute("aria-valuetext", words);
    this.fill.style.transform = `scaleX(${(part ?? 0.3).toFixed(3)})`;
  }

  private showBusy(): void {
    const cancel = button("cancel-making", "Cancel", "", this.actions.cancel);
    const words = h("p", { class: "soft small" }, "You can close this and go on: your avatar is made meanwhile.");
    this.main.replaceChildren(
      h("div", { class: "result-picture is-working" }, this.picture?.element ?? icon("portrait")),
      h("div", { class: "make-words" }, this.words, this.bar, words, h("div", { class: "make-actions" }, cancel)),
    );
  }

  private showBetter({ avatar }: Better): void {
    this.frame = h("div", { class: "result-picture is-working" }, icon("portrait"));
    this.previews = 0;
    void this.showPreview(this.frame, avatar);
    const hint = h("p", { class: "soft small" }, "That takes some minutes, in the background. You can use it now: where you are seen with it, it changes by itself.");
    this.main.replaceChildren(
      this.frame,
      h(
        "div",
        { class: "make-words", "data-testid": "bettering" },
        h("h3", {}, "You can use it now, and it gets better"),
        this.words,
        this.bar,
        hint,
        h("div", { class: "make-actions" }, button("use", "Use it", "primary", this.actions.use), button("cancel-making", "Keep it as it is", "", this.actions.cancel)),
      ),
    );
  }

  private showDone(avatar: Avatar, trouble: string): void {
    const isBetter = avatar.quality !== "instant";
    const title = isBetter ? "Your avatar is better now" : "Your avatar is ready";
    setText(this.spoken, `${title}.`);
    const { id, name, report, notes } = avatar;
    const table = (this.turntable = new Turntable(this.own, id, name));
    const frame = h("div", { class: "result-picture" }, icon("portrait"));
    void this.showPreview(frame, avatar).then(async () => {
      if (avatar.turntable && (await table.load()) && !this.closed) frame.replaceWith(table.element);
    });
    const notice = trouble === "" ? null : h("div", { class: "notice", role: "alert", "data-testid": "not-better" }, icon("warning"), h("p", {}, `It did not get better: ${asSentence(trouble)}`));
    const told = isBetter ? `${name} has taken the place of the first one, also where you are seen with it.` : `It is called ${name}, and it is chosen. It moves as you do, as soon as you join.`;
    this.main.replaceChildren(
      frame,
      h(
        "div",
        { class: "make-words", "data-testid": "made" },
        h("h3", {}, title),
        h("p", { class: "soft" }, told),
        notice,
        reportOf(report, notes),
        h("div", { class: "make-actions" }, button("use", "Use it", "primary", this.actions.use), button("again", "Retake", "", this.actions.again)),
        this.offer(avatar),
      ),
    );
  }

  /** The ways to a better one. */
  private offer(avatar: Avatar): HTMLElement | null {
    if (!avatar.may_improve) return null;
    const { better, film } = this.actions;
    const fromPhoto = better && avatar.quality === "instant" ? button("make-better", "Make it better", "", () => better(avatar)) : null;
    const fromClip = button("film-better", "Record a short clip", "", () => film(avatar));
    const words = fromPhoto ? "In the background it can get sharper from the photo, or learn your sides and how you move from a short clip." : "It can learn your sides and how you move from a short clip.";
    return h("div", { class: "better-offer" }, h("p", { class: "soft small" }, words), h("div", { class: "make-actions" }, fromPhoto, fromClip));
  }

  private showFailed(sentence: string): void {
    const notice = h("div", { class: "notice", role: "alert", "data-testid": "making-failed" }, icon("warning"), h("p", {}, asSentence(sentence)));
    this.main.replaceChildren(
      h("div", { class: "result-picture" }, this.picture?.element ?? icon("portrait")),
      h("div", { class: "make-words" }, h("h3", {}, "That did not work"), notice, h("div", { class: "make-actions" }, button("again", "Start again", "primary", this.actions.again))),
    );
  }

  private async showPreview(frame: HTMLElement, { id, name }: Avatar): Promise<void> {
    try {
      this.place(frame, await this.own.api.preview(id), `The avatar ${name}`);
    } catch {
      // The avatar is there all the same.
    }
  }

  /** What it looks like by now. */
  private async showProgressPicture({ job, previews, avatar }: Better): Promise<void> {
    if (previews <= this.previews || this.frame === null) return;
    this.previews = previews;
    try {
      this.place(this.frame, await this.own.api.jobPreview(job), `The avatar ${avatar.name} as it is by now`);
    } catch {
      // The next one comes soon.
    }
  }

  private place(frame: HTMLElement, picture: Blob, alt: string): void {
    if (this.closed) return;
    const address = URL.createObjectURL(picture);
    this.addresses.push(address);
    frame.replaceChildren(h("img", { src: address, alt, "data-testid": "made-picture" }));
  }
}

function button(id: string, text: string, look: string, press: () => void): HTMLButtonElement {
  const made = h("button", { type: "button", class: `button ${look}`, "data-testid": id }, text);
  made.addEventListener("click", press);
  return made;
}
