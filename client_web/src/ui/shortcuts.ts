import { isDialogOpen, openDialog } from "./dialog";
import { h } from "./dom";

export interface Shortcut {
  /** `KeyboardEvent.key`, lower case. */
  keys: string[];
  /** As shown in the list. */
  shown: string;
  what: string;
  /** Whether a key that is held down goes on; a switch must not flicker. */
  repeats?: boolean;
  run: (key: string) => void;
}

/** Listens for shortcuts on the whole page; returns the function that ends it. */
export function listen(shortcuts: Shortcut[]): () => void {
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || isDialogOpen() || isTyping(event.target)) return;
    const key = event.key.toLowerCase();
    const shortcut = shortcuts.find((candidate) => candidate.keys.includes(key));
    if (!shortcut) return;
    event.preventDefault();
    if (event.repeat && shortcut.repeats !== true) return;
    shortcut.run(key);
  };
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
}

export function showShortcuts(shortcuts: Shortcut[]): void {
  const rows = shortcuts.map(({ shown, what }) =>
    h("div", {}, h("dt", {}, ...shown.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, what)),
  );
  openDialog("Keyboard shortcuts", "shortcuts", h("dl", { class: "shortcuts" }, ...rows));
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
}
