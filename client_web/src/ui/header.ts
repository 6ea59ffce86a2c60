import type { Quality } from "../quality";
import type { Room } from "../room";
import { countSentence, watchingSentence } from "../words";
import { h, setText } from "./dom";
import { icon } from "./icons";

/** The top line of the call: name, who is here, how good the connection is. */
export class Header {
  readonly element: HTMLElement;
  readonly people: HTMLButtonElement;
  private readonly count = h("span", {});
  private readonly watching = h("span", { class: "watching" });
  private readonly locked = h("span", { class: "chip", "data-testid": "locked", hidden: true }, icon("lock"), h("span", { class: "chip-word" }, "Locked"));
  private readonly word = h("span", {});
  private readonly quality = h("p", { class: "chip quality", "data-testid": "quality" }, h("span", { class: "dot" }), this.word);

  constructor(showPeople: () => void) {
    this.people = h("button", { type: "button", class: "chip", "data-testid": "people-button", "aria-expanded": "false", "aria-keyshortcuts": "P", hidden: true }, icon("people"), h("span", {}, this.count, this.watching));
    this.people.addEventListener("click", showPeople);
    this.element = h("header", { class: "header" }, brand(), h("div", { class: "header-end" }, this.locked, this.people, this.quality));
    this.setQuality("unknown", "connecting");
  }

  /** `word`: said instead of the quality's own name. */
  setQuality(quality: Quality, word: string = quality): void {
    this.quality.dataset.quality = quality;
    setText(this.word, word.charAt(0).toUpperCase() + word.slice(1));
  }

  setRoom({ state }: Room): void {
    this.people.hidden = state === null;
    if (state) {
      setText(this.count, countSentence(state.people.length));
      setText(this.watching, watchingSentence(state.viewers));
    }
    this.locked.hidden = state?.locked !== true;
  }
}

export function brand(): HTMLElement {
  return h("p", { class: "brand" }, h("span", { class: "brand-mark", "aria-hidden": "true" }), h("span", { class: "brand-name" }, "Visavis"));
}
