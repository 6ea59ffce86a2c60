import { RESTART_AFTER } from "../approach";
import { h, setText } from "./dom";

/** "Try now". For a moment after a press it says that this is done, as nothing else on the page may change. */
export class TryButton {
  readonly element = h("button", { type: "button", class: "button", "data-testid": "try-now", hidden: true });
  private isPressed = false;

  constructor(press: () => void) {
    this.draw();
    this.element.addEventListener("click", () => {
      if (this.isPressed) return;
      this.mark(true);
      setTimeout(() => this.mark(false), RESTART_AFTER);
      press();
    });
  }

  show(on: boolean): void {
    this.element.hidden = !on;
  }

  private mark(on: boolean): void {
    this.isPressed = on;
    this.draw();
  }

  /** Stays focusable meanwhile. */
  private draw(): void {
    this.element.setAttribute("aria-disabled", String(this.isPressed));
    setText(this.element, this.isPressed ? "Trying…" : "Try now");
  }
}
