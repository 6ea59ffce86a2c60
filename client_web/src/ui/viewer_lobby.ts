import type { Status } from "../signalling_types";
import { h, setText } from "./dom";
import { brand } from "./header";
import { LobbyNotice, type NoticeActions } from "./lobby_notice";
import { testLink } from "./test_link";

/** Before a viewer's call: one click, which also lets the browser play sound. */
export class ViewerLobby {
  readonly element: HTMLElement;
  private readonly notice: LobbyNotice;
  private readonly button = h("button", { type: "button", class: "button primary wide", "data-testid": "watch" }, "Watch");

  constructor(actions: NoticeActions) {
    this.notice = new LobbyNotice(actions);
    this.button.addEventListener("click", actions.watch);
    this.element = h(
      "main",
      { class: "lobby viewer-lobby" },
      brand(),
      h(
        "section",
        { class: "lobby-side" },
        h("h1", { tabindex: -1 }, "Watch this room"),
        h("p", { class: "soft" }, "You see and hear everybody. Nobody sees or hears you: the page asks for no camera and no microphone."),
        this.notice.element,
        this.button,
        testLink(),
      ),
    );
  }

  refresh(status: Status): void {
    this.notice.show(status);
    this.button.disabled = status.phase !== "lobby" || status.asking;
    setText(this.button, status.asking ? (status.refusal ? "Waiting for a place…" : "Joining…") : "Watch");
  }

  close(): void {
    this.element.remove();
  }
}
