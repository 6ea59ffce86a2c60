import "../styles/drawn_by.css";
import type { DrawnBy } from "../scene/drawn_by";
import type { Drawing } from "./drawing";
import { h, setText } from "./dom";

const NAMES: Record<DrawnBy, [string, string]> = {
  auto: ["Automatic", "This device, once it has shown that it can; else the server."],
  server: ["The server", "Any device can show its video."],
  device: ["This device", "Follows your view at once, and needs a weaker line."],
};

/** Chooses who draws the picture, and says who does. */
export function drawnByChoices(drawing: Drawing): HTMLElement {
  const words = h("p", { class: "soft small", role: "status", "data-testid": "drawn-by-words" });
  const show = (): void => setText(words, drawing.sentence);
  const choices = (Object.keys(NAMES) as DrawnBy[]).map((choice) => {
    const radio = h("input", { type: "radio", name: "drawn-by", value: choice, checked: choice === drawing.choice, "data-testid": `drawn-by-${choice}` });
    radio.addEventListener("change", () => drawing.choose(choice));
    const [name, note] = NAMES[choice];
    return h("label", { class: "drawn-by-choice" }, radio, h("span", {}, name), h("span", { class: "soft small" }, note));
  });
  drawing.told = show;
  show();
  return h("fieldset", { class: "drawn-by" }, h("legend", {}, "Drawn by"), words, ...choices);
}
