import "../styles/private_switch.css";
import type { LocalMedia } from "../media";
import { h } from "./dom";

/** Whether the camera's picture stays on this device. `chosen`: the person has decided. */
export function privateSwitch(media: LocalMedia, chosen: () => void): HTMLElement {
  const box = h("input", { type: "checkbox", role: "switch", checked: media.choices.isPrivate, "aria-describedby": "private-camera-words", "data-testid": "private-camera" });
  box.addEventListener("change", () => {
    media.keepPrivate(box.checked);
    chosen();
  });
  const words = "Your picture stays on this device; only the outline of your face is sent.";
  return h(
    "div",
    { class: "private-switch" },
    h("label", { class: "switch" }, box, h("span", {}, "Private camera")),
    h("p", { class: "soft small", id: "private-camera-words" }, words),
  );
}
