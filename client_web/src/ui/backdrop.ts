import { type BackgroundChoice, cssColor, drawnBehind } from "../background";
import { h } from "./dom";

/** What fills the stage behind the picture: the colour that the server draws, so that the picture has no frame; or the viewer's own. */
export class Backdrop {
  readonly element = h("div", { class: "backdrop", "aria-hidden": "true", "data-testid": "backdrop" });
  private readonly image = h("img", { alt: "", hidden: true });
  private url = "";

  constructor() {
    this.element.append(this.image);
  }

  /** `url`: of the viewer's own picture. */
  show(choice: BackgroundChoice, isDark: boolean, url: string): void {
    document.documentElement.dataset.background = choice;
    const isPicture = choice === "picture" && url !== "";
    this.image.hidden = !isPicture;
    if (isPicture && url !== this.url) this.image.src = this.url = url;
    const plain = choice !== "auto" && choice !== "picture" && choice !== "transparent";
    this.element.style.backgroundColor = plain ? cssColor(drawnBehind({ choice, isDark, brightness: 0 })) : "";
  }

  close(): void {
    delete document.documentElement.dataset.background;
  }
}
