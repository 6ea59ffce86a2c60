import type { Wait } from "../wait";
import { h, setText } from "./dom";
import { testLink } from "./test_link";
import { TryButton } from "./try_button";

/** What lies over the stage while there is no picture, or no place: what the page waits for. */
export class Cover {
  readonly element: HTMLElement;
  private readonly text = h("p", { "data-testid": "cover-text" }, "Connecting…");
  private readonly button: TryButton;

  constructor(tryNow: () => void) {
    this.button = new TryButton(tryNow);
    this.element = h("div", { class: "cover", "data-testid": "cover" }, h("span", { class: "spinner" }), this.text, this.button.element, testLink());
  }

  show({ sentence, canTry }: Wait): void {
    setText(this.text, sentence);
    this.button.show(canTry);
  }
}
