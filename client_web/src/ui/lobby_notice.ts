import type { Status } from "../signalling_types";
import { waitForCall } from "../wait";
import { asSentence } from "../words";
import { h, setText } from "./dom";
import { icon } from "./icons";
import { TryButton } from "./try_button";

export interface NoticeActions {
  /** Comes in to watch. */
  watch(): void;
  tryNow(): void;
  /** No longer waits for a place. */
  stay(): void;
}

/** Why the page is not in the room yet, and the ways on. */
export class LobbyNotice {
  readonly element: HTMLElement;
  private readonly words = h("p", {});
  private readonly tryNow: TryButton;
  private readonly watch: HTMLElement;
  private readonly stay: HTMLElement;

  constructor(actions: NoticeActions) {
    this.tryNow = new TryButton(actions.tryNow);
    this.watch = button("watch-instead", "Watch instead", actions.watch);
    this.stay = button("stop-waiting", "Stop waiting", actions.stay);
    const ways = h("div", { class: "notice-actions" }, this.tryNow.element, this.watch, this.stay);
    const words = h("div", {}, h("div", { role: "alert" }, this.words), ways);
    this.element = h("div", { class: "notice", "data-testid": "refusal", hidden: true }, icon("warning"), words);
  }

  show(status: Status): void {
    const { refusal, asking } = status;
    const { sentence, canTry } = waitForCall(status);
    const waits = !canTry && asking && refusal !== null;
    const text = canTry ? sentence : refusal ? asSentence(refusal.message) : "";
    this.element.hidden = text === "";
    setText(this.words, text);
    this.tryNow.show(canTry || waits);
    this.watch.hidden = canTry || !refusal?.may_watch;
    this.stay.hidden = !waits;
  }
}

function button(id: string, text: string, press: () => void): HTMLElement {
  const element = h("button", { type: "button", class: "button", "data-testid": id }, text);
  element.addEventListener("click", press);
  return element;
}
