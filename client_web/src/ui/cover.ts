import { h, setText } from "./dom";
import { testLink } from "./test_link";

/** What lies over the stage while there is no picture, or no place: what the page waits for. */
export class Cover {
  readonly element: HTMLElement;
  private readonly text = h("p", { "data-testid": "cover-text" }, "Connecting…");
  private readonly tryNow = h("button", { type: "button", class: "button", "data-testid": "try-now", hidden: true }, "Try now");

  constructor(tryNow: () => void) {
    this.tryNow.addEventListener("click", tryNow);
    this.element = h("div", { class: "cover", "data-testid": "cover" }, h("span", { class: "spinner" }), this.text, this.tryNow, testLink());
  }

  /** `canTry`: whether it helps to ask at once instead of waiting. */
  say(sentence: string, canTry: boolean): void {
    setText(this.text, sentence);
    this.tryNow.hidden = !canTry;
  }
}
