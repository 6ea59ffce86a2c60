import type { OwnAvatars } from "../../avatars/own_avatars";
import { progressPart, progressWords } from "../../avatars/words";
import { asSentence } from "../../words";
import { h, setText } from "../dom";
import { icon } from "../icons";
import { PhotoPicture } from "./photo_picture";
import type { Photo } from "./photo_step";
import type { Step } from "./step";

export interface ProgressActions {
  /** Another photo. */
  again(): void;
  cancel(): void;
  /** All is well: back to the lobby. */
  use(): void;
}

/** How far the server is, and what has become of it. */
export class ProgressStep implements Step {
  readonly element = h("div", { class: "make-step make-progress" });
  private readonly picture: PhotoPicture | null;
  private readonly words = h("p", { class: "progress-words", "data-testid": "progress-words" });
  private readonly spoken = h("p", { class: "visually-hidden", role: "status", "data-testid": "progress-spoken" });
  private readonly fill = h("div", { class: "progress-fill" });
  private readonly bar = h("div", { class: "progress-bar", role: "progressbar", "aria-label": "Making your avatar", "aria-valuemin": 0, "aria-valuemax": 100, "data-testid": "progress" }, this.fill);
  private readonly main = h("div", { class: "make-main" });
  private shown = "";
  private address = "";
  private closed = false;

  /** `photo`: null when the page does not have it any more. */
  constructor(
    private readonly own: OwnAvatars,
    photo: Photo | null,
    private readonly actions: ProgressActions,
  ) {
    this.picture = photo && new PhotoPicture(photo, "The photo");
    this.element.append(this.main, this.spoken);
    this.draw();
  }

  focus(): void {
    this.main.querySelector<HTMLElement>(".primary, [data-testid=cancel-making]")?.focus();
  }

  close(): void {
    this.closed = true;
    this.picture?.close();
    if (this.address) URL.revokeObjectURL(this.address);
  }

  /** The enrollment has changed. */
  draw(): void {
    const { making } = this.own.enrollment;
    const kind = making.state === "done" || making.state === "failed" ? making.state : "busy";
    if (kind !== this.shown) {
      const focused = this.main.contains(document.activeElement);
      this.shown = kind;
      if (making.state === "done") this.showDone(making.avatar.id, making.avatar.name, making.avatar.notes);
      else if (making.state === "failed") this.showFailed(making.sentence);
      else this.showBusy();
      if (focused || kind !== "busy") this.focus();
    }
    if (kind !== "busy") return;
    const words = progressWords(making);
    setText(this.words, words);
    setText(this.spoken, words);
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

  private showDone(id: string, name: string, notes: string[]): void {
    setText(this.spoken, "Your avatar is ready.");
    const frame = h("div", { class: "result-picture" }, icon("portrait"));
    void this.showPreview(frame, id, name);
    this.main.replaceChildren(
      frame,
      h(
        "div",
        { class: "make-words", "data-testid": "made" },
        h("h3", {}, "Your avatar is ready"),
        h("p", { class: "soft" }, `It is called ${name}, and it is chosen. It moves as you do, as soon as you join.`),
        notesOf(notes),
        h("div", { class: "make-actions" }, button("use", "Use it", "primary", this.actions.use), button("again", "Take another photo", "", this.actions.again)),
      ),
    );
  }

  private showFailed(sentence: string): void {
    const notice = h("div", { class: "notice", role: "alert", "data-testid": "making-failed" }, icon("warning"), h("p", {}, asSentence(sentence)));
    this.main.replaceChildren(
      h("div", { class: "result-picture" }, this.picture?.element ?? icon("portrait")),
      h("div", { class: "make-words" }, h("h3", {}, "That did not work"), notice, h("div", { class: "make-actions" }, button("again", "Take another photo", "primary", this.actions.again))),
    );
  }

  private async showPreview(frame: HTMLElement, id: string, name: string): Promise<void> {
    try {
      const picture = await this.own.api.preview(id);
      if (this.closed) return;
      this.address = URL.createObjectURL(picture);
      frame.replaceChildren(h("img", { src: this.address, alt: `The avatar ${name}`, "data-testid": "made-picture" }));
    } catch {
      // The avatar is there all the same.
    }
  }
}

function notesOf(notes: string[]): HTMLElement | null {
  if (notes.length === 0) return null;
  const items = notes.map((note) => h("li", {}, asSentence(note)));
  return h("div", { class: "notes", "data-testid": "notes" }, h("p", {}, "What the photo did not show well:"), h("ul", {}, ...items));
}

function button(id: string, text: string, look: string, press: () => void): HTMLButtonElement {
  const made = h("button", { type: "button", class: `button ${look}`, "data-testid": id }, text);
  made.addEventListener("click", press);
  return made;
}
