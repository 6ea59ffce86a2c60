import type { Role, RoomState } from "../protocol";
import type { Quality } from "../quality";
import { h, setText } from "./dom";
import { icon } from "./icons";

/** The top line of the call: name, who watches, how good the connection is. */
export class Header {
  readonly element: HTMLElement;
  private readonly watchers = h("span", {});
  private readonly people = h("p", { class: "chip", "data-testid": "viewers", hidden: true }, icon("watchers"), this.watchers);
  private readonly word = h("span", {});
  private readonly quality = h("p", { class: "chip quality", "data-testid": "quality" }, h("span", { class: "dot" }), this.word);

  constructor(private readonly role: Role) {
    this.element = h("header", { class: "header" }, brand(), h("div", { class: "header-end" }, this.people, this.quality));
    this.setQuality("unknown", "connecting");
  }

  /** `word`: said instead of the quality's own name. */
  setQuality(quality: Quality, word: string = quality): void {
    this.quality.dataset.quality = quality;
    setText(this.word, word.charAt(0).toUpperCase() + word.slice(1));
  }

  /** null: not known. */
  setRoom(room: RoomState | null): void {
    const viewers = room?.viewers ?? 0;
    this.people.hidden = viewers === 0 || (this.role === "viewer" && viewers < 2);
    setText(this.watchers, `${viewers} watching`);
  }
}

export function brand(): HTMLElement {
  return h("p", { class: "brand" }, h("span", { class: "brand-mark", "aria-hidden": "true" }), h("span", { class: "brand-name" }, "Visavis"));
}
