import type { Order } from "../../avatars/api";
import { CLIP_CONSENT, CONSENT } from "../../avatars/words";
import { MAX_NAME } from "../../protocol";
import { h } from "../dom";
import { type Source, sourcePicture } from "./source";
import type { Step } from "./step";

export interface DetailsActions {
  again(): void;
  make(order: Omit<Order, "key">): void;
}

/** What the avatar is called, who is in the photo, and their consent. */
export class DetailsStep implements Step {
  readonly element: HTMLElement;
  private readonly picture: ReturnType<typeof sourcePicture>;
  private readonly name: HTMLInputElement;
  private readonly me = h("input", { type: "radio", name: "who", value: "me", checked: true, "data-testid": "who-me" });
  private readonly other = h("input", { type: "radio", name: "who", value: "other", "data-testid": "who-other" });
  private readonly subject = h("input", { class: "field", type: "text", name: "subject", maxlength: 128, autocomplete: "off", "data-testid": "subject" });
  private readonly subjectLine = h("label", { class: "labelled", hidden: true }, h("span", {}, "Their name"), this.subject);
  private readonly agreed = h("input", { type: "checkbox", name: "agreed", required: true, "data-testid": "agreed" });
  private readonly makeButton = h("button", { type: "submit", class: "button primary wide", "data-testid": "make" }, "Make my avatar");

  constructor(
    source: Source,
    private readonly myName: string,
    avatarName: string,
    /** It makes one better that is there, which has a name. */
    private readonly isBetter: boolean,
    actions: DetailsActions,
  ) {
    const { photo, clip } = source;
    const consent = clip ? CLIP_CONSENT : CONSENT;
    this.picture = sourcePicture(source);
    this.name = h("input", { class: "field", type: "text", name: "avatar-name", maxlength: MAX_NAME, required: true, autocomplete: "off", value: avatarName, "data-testid": "avatar-name" });
    const again = h("button", { type: "button", class: "button", "data-testid": "retake" }, clip ? "Record it again" : photo?.fromCamera ? "Take another" : "Choose another");
    again.addEventListener("click", actions.again);
    const who = h(
      "fieldset",
      { class: "choices" },
      h("legend", {}, clip ? "Who is in the clip?" : "Who is in the photo?"),
      h("label", { class: "choice" }, this.me, h("span", {}, "Me")),
      h("label", { class: "choice" }, this.other, h("span", {}, "Somebody else")),
    );
    who.addEventListener("change", () => this.draw());
    const form = h(
      "form",
      { class: "make-form" },
      isBetter ? null : h("label", { class: "labelled" }, h("span", {}, "Name of the avatar"), this.name),
      who,
      this.subjectLine,
      h("label", { class: "consent" }, this.agreed, h("span", {}, consent)),
      this.makeButton,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      actions.make({ photo: photo?.data ?? null, clip, name: this.name.value.trim() || "My avatar", subject: this.who(), consent });
    });
    this.draw();
    this.element = h("div", { class: "make-step make-details" }, h("div", { class: "make-photo" }, this.picture.element, again), form);
  }

  focus(): void {
    this.agreed.focus();
  }

  close(): void {
    this.picture.close();
  }

  private who(): string {
    return (this.other.checked ? this.subject.value.trim() : this.myName) || this.name.value.trim() || "Guest";
  }

  private draw(): void {
    this.subjectLine.hidden = !this.other.checked;
    this.subject.required = this.other.checked;
    this.makeButton.textContent = this.isBetter ? "Make it better" : this.other.checked ? "Make the avatar" : "Make my avatar";
    if (this.other.checked) this.subject.focus();
  }
}
