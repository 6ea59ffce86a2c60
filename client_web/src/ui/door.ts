import type { Wait } from "../wait";
import type { Announcer } from "./announcer";
import { Cover } from "./cover";
import { h } from "./dom";
import { brand } from "./header";

/** Before anything is known of the room: what the page waits for. */
export class Door {
  readonly element: HTMLElement;
  private readonly cover: Cover;
  /** What was read out already. */
  private readonly said = new Set<string>();

  constructor(
    private readonly announcer: Announcer,
    tryNow: () => void,
  ) {
    this.cover = new Cover(tryNow);
    this.element = h("main", { class: "door" }, brand(), h("h1", { class: "visually-hidden" }, "Visavis"), h("div", { class: "scene", tabindex: -1 }, this.cover.element));
  }

  show(wait: Wait): void {
    this.cover.show(wait);
    if (!wait.canTry || this.said.has(wait.sentence)) return;
    this.said.add(wait.sentence);
    this.announcer.say(wait.sentence);
  }

  close(): void {
    this.element.remove();
  }
}
