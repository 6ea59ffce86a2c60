import { h, setText } from "./dom";
import { TryButton } from "./try_button";

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
  private readonly words = h("span", {});
  private readonly button = new TryButton(() => this.press?.());
  private readonly toast = h("div", { class: "toast", "data-testid": "toast", hidden: true }, this.words, this.button.element);
  private press: (() => void) | null = null;
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

  get isShowing(): boolean {
    return !this.toast.hidden;
  }

  /** A toast that goes by itself, and is read out. */
  show(text: string, seconds = 4): void {
    if (!this.isShowing || this.words.textContent !== text) this.say(text);
    this.put(text, null);
    this.toast.classList.remove("is-busy");
    this.timer = setTimeout(() => this.hide(), seconds * 1000);
  }

  /** A toast that stays, with a sign of work going on and, where it helps, a button to try now. It is not read out. */
  busy(text: string, tryNow: (() => void) | null): void {
    this.put(text, tryNow);
    this.toast.classList.add("is-busy");
  }

  /** Hides a busy toast, but no other. */
  endBusy(): void {
    if (this.toast.classList.contains("is-busy")) this.hide();
  }

  hide(): void {
    clearTimeout(this.timer);
    this.keepFocus();
    this.toast.hidden = true;
  }

  private put(text: string, press: (() => void) | null): void {
    clearTimeout(this.timer);
    if (!press) this.keepFocus();
    this.press = press;
    this.button.show(press !== null);
    setText(this.words, text);
    this.toast.hidden = false;
  }

  /** A button that goes takes no focus with it. */
  private keepFocus(): void {
    if (this.toast.contains(document.activeElement)) document.querySelector<HTMLElement>("main [tabindex='-1']")?.focus();
  }
}
