import { CONSENT_ON_FILE } from "../desk/words";
import { textField } from "./desk_form";
import { h } from "./dom";

/** A consent as it is kept. */
export interface ConsentOnFile {
  subject: string;
  consent: string;
  keepPhoto: boolean;
}

/** Who is seen, the words that were agreed to, and that they were. */
export class ConsentFields {
  readonly subject = textField("subject", "Who is seen", { maxlength: 128 });
  private readonly words = h("textarea", { class: "field", id: "consent", rows: 4, minlength: 10, maxlength: 4000, required: true, "data-testid": "consent" }, CONSENT_ON_FILE);
  private readonly agreed = h("input", { type: "checkbox", required: true, "data-testid": "agreed" });
  private readonly keep = h("input", { type: "checkbox", "data-testid": "keep-photo" });

  get elements(): HTMLElement[] {
    const keep = "Keep photo and clip after the avatar is made. The consent has to say so.";
    return [
      this.subject.element,
      h("div", { class: "labelled" }, h("label", { for: "consent" }, "The words of the consent"), this.words),
      h("label", { class: "consent" }, this.agreed, h("span", {}, "Who is seen has agreed to these words, and I can show it.")),
      h("label", { class: "choice" }, this.keep, h("span", {}, keep)),
    ];
  }

  get value(): ConsentOnFile {
    return { subject: this.subject.input.value.trim(), consent: this.words.value.trim(), keepPhoto: this.keep.checked };
  }

  /** Each photo is agreed to anew. */
  clear(): void {
    this.agreed.checked = false;
  }
}
