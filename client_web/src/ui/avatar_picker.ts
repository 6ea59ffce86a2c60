import type { AvatarInfo } from "../protocol";
import { initialOf } from "../words";
import { h, setText } from "./dom";
import { icon } from "./icons";

export interface PickerActions {
  chosen(): void;
  /** "Make your avatar". */
  make(): void;
  manage(): void;
}

/** How one's own avatars stand. */
export interface OwnState {
  /** Whether there is none yet. */
  newcomer: boolean;
  /** What is being made at the moment; empty: nothing. */
  making: string;
}

/** The avatars as pictures, one of which is chosen: a radio group, so the arrow keys move in it; and the way to one's own. */
export class AvatarPicker {
  readonly element: HTMLElement;
  private inputs: HTMLInputElement[] = [];
  private readonly row = h("div", { class: "avatar-row" });
  private readonly makeWords = h("strong", {}, "Make your avatar");
  private readonly makeButton = h(
    "button",
    { type: "button", class: "make-card", "data-testid": "make-avatar-card" },
    h("span", { class: "make-sign", "aria-hidden": "true" }, icon("portrait")),
    h("span", { class: "make-card-words" }, this.makeWords, h("span", { class: "make-card-more" }, "Look into the camera once, and it moves as you do.")),
  );
  private readonly manage = h("button", { type: "button", class: "button manage", "data-testid": "manage-avatars", hidden: true }, "Manage");
  private readonly among = h("p", { class: "soft small among" }, "Or take one of these:");

  /** `enrolls`: whether avatars can be made here. */
  constructor(
    private readonly enrolls: boolean,
    private readonly actions: PickerActions,
  ) {
    this.makeButton.addEventListener("click", actions.make);
    this.manage.addEventListener("click", actions.manage);
    this.element = h("fieldset", { class: "avatars" }, h("legend", {}, "Your avatar"), h("div", { class: "avatar-tools" }, this.makeButton, this.manage), this.among, this.row);
    this.setOwn({ newcomer: true, making: "" });
  }

  /** Shows these; `chosen` is an id. */
  show(avatars: AvatarInfo[], chosen: string): void {
    const focused = this.row.contains(document.activeElement);
    const first = avatars.some(({ id }) => id === chosen) ? chosen : avatars[0]?.id;
    this.inputs = avatars.map(({ id }) => h("input", { type: "radio", name: "avatar", value: id, checked: id === first, "data-testid": `avatar-${id}` }));
    const cards = avatars.map(({ name, preview }, index) => {
      const input = this.inputs[index] ?? null;
      return h("label", { class: "avatar-card" }, input, picture(name, preview), h("span", { class: "avatar-name", dir: "auto" }, name));
    });
    for (const input of this.inputs) input.addEventListener("change", () => this.actions.chosen());
    this.row.replaceChildren(...cards);
    this.among.hidden = !this.enrolls || avatars.length === 0 || !this.element.classList.contains("is-new");
    const checked = this.inputs.find((input) => input.checked);
    if (focused) checked?.focus();
    checked?.closest(".avatar-card")?.scrollIntoView({ block: "nearest" });
  }

  setOwn({ newcomer, making }: OwnState): void {
    this.element.classList.toggle("is-new", newcomer);
    this.makeButton.hidden = !this.enrolls;
    this.manage.hidden = !this.enrolls || newcomer;
    this.among.hidden = !this.enrolls || !newcomer || this.inputs.length === 0;
    this.makeButton.classList.toggle("is-making", making !== "");
    setText(this.makeWords, making || (newcomer ? "Make your avatar" : "Make another avatar"));
  }

  /** Id of the chosen avatar; empty where there is none. */
  get value(): string {
    return this.inputs.find((input) => input.checked)?.value ?? "";
  }
}

/** The avatar's picture, or the first letter of its name where there is none. */
export function picture(name: string, preview: string): HTMLElement {
  const letter = h("span", { class: "avatar-picture initial", "aria-hidden": "true" }, initialOf(name));
  if (preview === "") return letter;
  const image = h("img", { class: "avatar-picture", src: preview, alt: "", draggable: "false" });
  image.addEventListener("error", () => image.replaceWith(letter));
  return image;
}
