import type { Welcome } from "../protocol";
import { h } from "./dom";

/** Says that the people in the picture are synthetic (EU AI Act, Article 50), for eyes and screen readers; always there. */
export function syntheticLabel(seat: Welcome): HTMLElement {
  return h("p", { class: "synthetic", "data-testid": "synthetic", hidden: !seat.synthetic }, "AI-generated avatars");
}
