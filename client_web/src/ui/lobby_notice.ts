import type { Status } from "../signalling_types";
import { asSentence, tryingSentence } from "../words";
import { h } from "./dom";
import { icon } from "./icons";

export interface NoticeActions {
  /** Comes in to watch. */
  watch(): void;
  tryNow(): void;
  /** No longer waits for a place. */
  stay(): void;
}

/** Why the page is not in the room yet, and the ways on. */
export class LobbyNotice {
  readonly element = h("div", { class: "notice", role: "alert", "data-testid": "refusal", hidden: true });
  private shown = "";

  constructor(private readonly actions: NoticeActions) {}

  show(status: Status): void {
    const { refusal, asking, phase } = status;
    const lost = phase === "waiting" || (phase === "connecting" && status.trouble !== "none");
    const sentence = lost ? tryingSentence(status) : refusal ? asSentence(refusal.message) : "";
    const waits = !lost && asking && refusal !== null;
    const shown = JSON.stringify([sentence, waits]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.element.hidden = sentence === "";
    const buttons = [
      lost || waits ? this.button("try-now", "Try now", this.actions.tryNow) : null,
      !lost && refusal?.may_watch ? this.button("watch-instead", "Watch instead", this.actions.watch) : null,
      waits ? this.button("stop-waiting", "Stop waiting", this.actions.stay) : null,
    ];
    this.element.replaceChildren(icon("warning"), h("div", {}, h("p", {}, sentence), h("div", { class: "notice-actions" }, ...buttons)));
  }

  private button(id: string, text: string, press: () => void): HTMLElement {
    const button = h("button", { type: "button", class: "button", "data-testid": id }, text);
    button.addEventListener("click", press);
    return button;
  }
}
