import type { Enrollment } from "../avatars/enrollment";
import { progressPart, progressWords } from "../avatars/words";
import type { DeskApi, DeskOrder } from "../desk/api";
import { asSentence } from "../words";
import { h, setText } from "./dom";
import { icon } from "./icons";

/** A bar for how far something is. */
export class ProgressBar {
  private readonly fill = h("div", { class: "progress-fill" });
  readonly element: HTMLElement;

  constructor(label: string) {
    this.element = h("div", { class: "progress-bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 }, this.fill);
  }

  /** `part`: [0, 1]; null: not known. */
  show(part: number | null): void {
    this.element.classList.toggle("is-open", part === null);
    if (part === null) this.element.removeAttribute("aria-valuenow");
    else this.element.setAttribute("aria-valuenow", String(Math.round(100 * part)));
    this.fill.style.transform = `scaleX(${(part ?? 0.3).toFixed(3)})`;
  }
}

/** How far a colleague's avatar is, and the avatar. */
export class EnrollProgress {
  readonly element: HTMLElement;
  private readonly frame = h("div", { class: "result-picture" }, icon("portrait"));
  private readonly words = h("p", { class: "progress-words", role: "status", "data-testid": "enroll-words" });
  private readonly hint = h("p", { class: "soft small" }, "You can go on in other parts of the desk meanwhile, or enroll another one: Jobs says how far each is.");
  private readonly bar = new ProgressBar("Making the avatar");
  private readonly notes = h("div", { class: "notes", hidden: true });
  private readonly cancel = h("button", { type: "button", class: "button", "data-testid": "enroll-cancel" }, "Cancel");
  private readonly another = h("button", { type: "button", class: "button primary", "data-testid": "enroll-another" }, "Enroll another");
  private address = "";
  private shown = "";

  constructor(
    private readonly api: DeskApi,
    private readonly enrollment: Enrollment<DeskOrder>,
    again: () => void,
  ) {
    this.cancel.addEventListener("click", () => void enrollment.cancel());
    this.another.addEventListener("click", again);
    const actions = h("div", { class: "make-actions" }, this.cancel, this.another);
    this.element = h("div", { class: "make-main desk-made" }, this.frame, h("div", { class: "make-words" }, this.words, this.bar.element, this.hint, this.notes, actions));
  }

  draw(): void {
    const { making } = this.enrollment;
    const isDone = making.state === "done";
    setText(this.words, isDone ? `The avatar ${making.avatar.name} is ready.` : progressWords(making));
    this.bar.show(progressPart(making));
    for (const element of [this.bar.element, this.hint, this.cancel]) element.hidden = isDone;
    this.another.hidden = making.state === "sending";
    this.another.classList.toggle("primary", isDone);
    this.notes.hidden = !isDone || making.avatar.notes.length === 0;
    this.frame.classList.toggle("is-working", !isDone);
    if (!isDone) this.forget();
    else if (this.shown !== making.avatar.id) {
      this.shown = making.avatar.id;
      this.notes.replaceChildren(h("p", {}, "What the photo did not show well:"), h("ul", {}, ...making.avatar.notes.map((note) => h("li", {}, asSentence(note)))));
      void this.showPreview(making.avatar.id, making.avatar.name);
    }
  }

  close(): void {
    this.forget();
  }

  private forget(): void {
    if (this.address) URL.revokeObjectURL(this.address);
    [this.address, this.shown] = ["", ""];
    if (this.frame.querySelector("img")) this.frame.replaceChildren(icon("portrait"));
  }

  private async showPreview(id: string, name: string): Promise<void> {
    try {
      const picture = await this.api.preview(id);
      if (this.shown !== id) return;
      this.address = URL.createObjectURL(picture);
      this.frame.replaceChildren(h("img", { src: this.address, alt: `The avatar ${name}`, "data-testid": "made-picture" }));
    } catch {
      // The avatar is there all the same.
    }
  }
}
