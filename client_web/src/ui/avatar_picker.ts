import type { AvatarInfo } from "../protocol";
import { initialOf } from "../words";
import { h } from "./dom";

/** The avatars of the server as pictures, one of which is chosen: a radio group, so the arrow keys move in it. */
export class AvatarPicker {
  readonly element: HTMLElement;
  private readonly inputs: HTMLInputElement[];

  constructor(avatars: AvatarInfo[], chosen: string, changed: (id: string) => void) {
    const first = avatars.some(({ id }) => id === chosen) ? chosen : avatars[0]?.id;
    this.inputs = avatars.map(({ id }) => h("input", { type: "radio", name: "avatar", value: id, checked: id === first, "data-testid": `avatar-${id}` }));
    const cards = avatars.map(({ name, preview }, index) => {
      const input = this.inputs[index] ?? null;
      return h("label", { class: "avatar-card" }, input, picture(name, preview), h("span", { class: "avatar-name", dir: "auto" }, name));
    });
    for (const input of this.inputs) input.addEventListener("change", () => changed(input.value));
    this.element = h("fieldset", { class: "avatars" }, h("legend", {}, "Your avatar"), h("div", { class: "avatar-row" }, ...cards));
  }

  /** Id of the chosen avatar; empty where there is none. */
  get value(): string {
    return this.inputs.find((input) => input.checked)?.value ?? "";
  }
}

/** The avatar's picture, or the first letter of its name where there is none. */
function picture(name: string, preview: string): HTMLElement {
  const letter = h("span", { class: "avatar-picture initial", "aria-hidden": "true" }, initialOf(name));
  if (preview === "") return letter;
  const image = h("img", { class: "avatar-picture", src: preview, alt: "", draggable: "false" });
  image.addEventListener("error", () => image.replaceWith(letter));
  return image;
}
