import { type BackgroundChoice, cssColor } from "../background";
import type { Background } from "../protocol";
import { openDialog } from "./dialog";
import { h, setText } from "./dom";
import { icon } from "./icons";

const NAMES: Record<BackgroundChoice, string> = {
  auto: "Automatic", white: "White", dark: "Dark", sand: "Sand", sage: "Sage", sky: "Sky", picture: "Your picture", transparent: "Transparent",
};
const NOTES: Record<BackgroundChoice, string> = {
  auto: "White, or dark where your system is dark.",
  white: "", dark: "", sand: "", sage: "", sky: "",
  picture: "The picture stays in this browser. Nobody else sees it.",
  transparent: "For showing this page over something else, such as in OBS.",
};
const PLAIN: readonly BackgroundChoice[] = ["white", "dark", "sand", "sage", "sky"];

export interface BackgroundDialogOptions {
  chosen: BackgroundChoice;
  /** Address of the viewer's own picture; empty without one. */
  picture: string;
  choose(choice: BackgroundChoice): void;
  /** The viewer has chosen a file -> a sentence where it cannot be taken, and the address of the picture now. */
  take(file: File): Promise<{ trouble: string; picture: string }>;
  /** What else the dialog lets choose of the picture. */
  more: Node;
}

/** Chooses what is behind the people. Everything takes effect at once. */
export function openBackgroundDialog({ chosen, picture, choose, take, more }: BackgroundDialogOptions): void {
  const note = h("p", { class: "soft small", "data-testid": "background-note" }, NOTES[chosen]);
  const trouble = h("p", { class: "trouble", role: "alert", "data-testid": "background-trouble", hidden: true });
  const file = h("input", { type: "file", accept: "image/*", class: "visually-hidden", tabindex: -1, "aria-hidden": "true", "data-testid": "background-file" });
  const another = h("button", { type: "button", class: "button", "data-testid": "background-another", hidden: chosen !== "picture" }, "Choose another picture…");
  const radios = new Map<BackgroundChoice, HTMLInputElement>();
  const thumbnail = h("img", { alt: "", hidden: picture === "" });
  if (picture) thumbnail.src = picture;
  let present = chosen;
  let hasPicture = picture !== "";

  const apply = (choice: BackgroundChoice): void => {
    present = choice;
    const radio = radios.get(choice);
    if (radio) radio.checked = true;
    setText(note, NOTES[choice]);
    another.hidden = choice !== "picture";
    trouble.hidden = true;
    choose(choice);
  };
  const wish = (choice: BackgroundChoice): void => {
    if (choice !== "picture" || hasPicture) apply(choice);
    else {
      const radio = radios.get(present);
      if (radio) radio.checked = true;
      file.click();
    }
  };
  const swatch = (choice: BackgroundChoice): HTMLElement => {
    const radio = h("input", { type: "radio", name: "background", value: choice, checked: choice === chosen, "data-testid": `background-${choice}` });
    radio.addEventListener("change", () => wish(choice));
    radios.set(choice, radio);
    const sample = h("span", { class: `swatch ${choice}`, "aria-hidden": "true" });
    if (PLAIN.includes(choice)) sample.style.backgroundColor = cssColor(choice as Background);
    if (choice === "picture") sample.append(icon("photo"), thumbnail);
    return h("label", { class: "background-choice" }, radio, sample, h("span", {}, NAMES[choice]));
  };

  another.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    const [picked] = file.files ?? [];
    file.value = "";
    if (!picked) return;
    void take(picked).then((taken) => {
      if (taken.picture) {
        thumbnail.src = taken.picture;
        thumbnail.hidden = false;
        hasPicture = true;
        apply("picture");
      }
      setText(trouble, taken.trouble);
      trouble.hidden = taken.trouble === "";
    });
  });
  const choices = h("fieldset", { class: "background-choices" }, h("legend", {}, "Background"));
  for (const choice of Object.keys(NAMES) as BackgroundChoice[]) choices.append(swatch(choice));
  openDialog("Picture", "background-dialog", choices, note, trouble, another, file, more);
  radios.get(chosen)?.focus();
}
