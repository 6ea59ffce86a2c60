import { h, setText } from "./dom";

/** Sentences that the live region holds at most, and how long each stays there: longer than it takes to read them out. */
const KEPT = 6;
const KEPT_MS = 15_000;

/**
 * Speaks to screen readers and shows toasts. One element lives as long as the page. What is said is added to a live region: so
 * each sentence is read out, also where several come at once or the same comes again.
 */
export class Announcer {
  readonly element: HTMLElement;
  private readonly voice = h("div", { class: "visually-hidden", role: "log", "aria-live": "polite", "aria-relevant": "additions", "data-testid": "announcer" });
  private readonly toast = h("div", { class: "toast", "data-testid": "toast", hidden: true });
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.element = h("section", { class: "announcer", "aria-label": "Messages" }, this.voice, this.toast);
  }

  /** For screen readers only. */
  say(text: string): void {
    if (text === "") return;
    const sentence = h("p", {}, text);
    this.voice.append(sentence);
    if (this.voice.childElementCount > KEPT) this.voice.firstElementChild?.remove();
    setTimeout(() => sentence.remove(), KEPT_MS);
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
    if (this.toast.hidden || this.toast.textContent !== text) this.say(text);
    this.toast.classList.toggle("is-busy", busy);
    setText(this.toast, text);
    this.toast.hidden = false;
  }
}
