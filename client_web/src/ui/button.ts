import { h } from "./dom";
import { icon, type IconName } from "./icons";

export interface ButtonOptions {
  id: string;
  icon: IconName;
  label: string;
  /** Shortcut shown beside the label. */
  key?: string;
  /** More classes beside `button`. */
  look?: string;
  /** Text next to the icon; without it the label is a tooltip. */
  text?: string;
  press: () => void;
}

/** A round or pill-shaped button with an icon; `data-testid` is its id. */
export class IconButton {
  readonly element: HTMLButtonElement;
  private shown: IconName;

  constructor(private readonly options: ButtonOptions) {
    this.shown = options.icon;
    this.element = h(
      "button",
      { type: "button", class: `button ${options.look ?? ""}`, "data-testid": options.id },
      icon(options.icon),
      options.text === undefined ? null : h("span", {}, options.text),
    );
    if (options.key !== undefined) this.element.setAttribute("aria-keyshortcuts", options.key);
    this.label(options.label);
    this.element.addEventListener("click", options.press);
  }

  label(text: string): void {
    const { key, text: visible } = this.options;
    this.element.setAttribute("aria-label", visible !== undefined && text.startsWith(visible) ? visible : text);
    if (visible === undefined) this.element.dataset.tip = key === undefined ? text : `${text}  (${key})`;
  }

  icon(name: IconName): void {
    if (name === this.shown) return;
    this.shown = name;
    this.element.querySelector("svg")?.replaceWith(icon(name));
  }

  /** For a switch: whether it is on. */
  pressed(on: boolean): void {
    this.element.setAttribute("aria-pressed", String(on));
  }

  /** Something is switched off that others may miss. */
  muted(on: boolean): void {
    this.element.classList.toggle("is-off", on);
  }

  enabled(on: boolean): void {
    this.element.disabled = !on;
  }

  visible(on: boolean): void {
    this.element.hidden = !on;
  }
}
