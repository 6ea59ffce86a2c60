import { h } from "./dom";
import { icon, type IconName } from "./icons";

export interface Ending {
  testId: string;
  icon: IconName;
  title: string;
  sentence: string;
  action: string;
  actionId: string;
  press: () => void;
}

/** The page after a call: what happened, and the one way on. */
export function endingScreen(ending: Ending): HTMLElement {
  const button = h("button", { type: "button", class: "button primary", "data-testid": ending.actionId }, ending.action);
  button.addEventListener("click", ending.press);
  return h(
    "main",
    { class: "ending", "data-testid": ending.testId },
    h("div", { class: "ending-icon" }, icon(ending.icon)),
    h("h1", { tabindex: -1 }, ending.title),
    h("p", { class: "soft", "data-testid": `${ending.testId}-text` }, ending.sentence),
    button,
  );
}
