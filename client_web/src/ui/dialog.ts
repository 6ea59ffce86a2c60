import { h } from "./dom";
import { IconButton } from "./button";

/** Opens a modal dialog; Escape, the cross and a click beside it close it, and focus goes back to where it was. */
export function openDialog(title: string, testId: string, ...content: Node[]): HTMLDialogElement {
  const dialog = openWorkDialog(title, testId, "", ...content);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  return dialog;
}

/** The same for work that a click beside it must not throw away. `look`: more classes. */
export function openWorkDialog(title: string, testId: string, look: string, ...content: Node[]): HTMLDialogElement {
  const before = document.activeElement;
  const heading = h("h2", { id: `${testId}-title`, tabindex: -1 }, title);
  const dialog = h("dialog", { class: `dialog ${look}`, "aria-labelledby": heading.id, "data-testid": testId });
  const cross = new IconButton({ id: `${testId}-close`, icon: "close", label: "Close", look: "round quiet", press: () => dialog.close() });
  delete cross.element.dataset.tip; // the edge of the dialog would cut it
  dialog.append(h("div", { class: "dialog-head" }, heading, cross.element), ...content);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before instanceof HTMLElement) before.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Another screen comes. */
export function closeDialogs(): void {
  for (const dialog of document.querySelectorAll<HTMLDialogElement>("dialog[open]")) dialog.close();
}

export function isDialogOpen(): boolean {
  return document.querySelector("dialog[open]") !== null;
}

/** Asks before something that cannot be taken back. */
export function confirmDialog(title: string, sentence: string, action: string, act: () => void): void {
  const yes = h("button", { type: "button", class: "button danger", "data-testid": "confirm-yes" }, action);
  const no = h("button", { type: "button", class: "button", "data-testid": "confirm-no" }, "Cancel");
  openDialog(title, "confirm", h("p", { class: "soft" }, sentence), h("div", { class: "dialog-actions" }, no, yes));
  const close = (button: HTMLElement): void => button.closest("dialog")?.close();
  no.addEventListener("click", () => close(no));
  yes.addEventListener("click", () => {
    close(yes);
    act();
  });
}
