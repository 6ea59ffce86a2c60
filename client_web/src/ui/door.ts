import { Cover } from "./cover";
import { h } from "./dom";
import { brand } from "./header";

/** Before anything is known of the room: what the page waits for. */
export class Door {
  readonly element: HTMLElement;
  private readonly cover: Cover;

  constructor(tryNow: () => void) {
    this.cover = new Cover(tryNow);
    this.element = h("main", { class: "door" }, brand(), h("h1", { class: "visually-hidden" }, "Visavis"), h("div", { class: "scene", tabindex: -1 }, this.cover.element));
  }

  say(sentence: string, canTry: boolean): void {
    this.cover.say(sentence, canTry);
  }

  close(): void {
    this.element.remove();
  }
}
