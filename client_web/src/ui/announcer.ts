import { h, setText } from "./dom";

/** Speaks to screen readers and shows toasts. One element lives as long as the page. */
export class Announcer {
  readonly element: HTMLElement;
  private readonly voice = h("div", { class: "visually-hidden", "aria-live": "polite", "data-testid": "announcer" });
  private readonly toast = h("div", { class: "toast", "data-testid": "toast", hidden: true });
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.element = h("div", { class: "announcer" }, this.voice, this.toast);
  }

  /** For screen readers only. */
  say(text: string): void {
    setText(this.voice, text);
  }

  /** A toast that goes by itself. */
  show(text: string, seconds = 4): void {
    this.put(text, false);
    this.timer = setTimeout(() => this.hide(), seconds * 1000);
  }

  /** A toast that stays until `hide`, with a sign of work going on. */
  busy(text: string): void {
    this.put(text, true);
  }

  hide(): void {
    clearTimeout(this.timer);
    this.toast.hidden = true;
  }

  private put(text: string, busy: boolean): void {
    clearTimeout(this.timer);
    this.say(text);
    this.toast.classList.toggle("is-busy", busy);
    setText(this.toast, text);
    this.toast.hidden = false;
  }
}
