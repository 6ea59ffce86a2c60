import { h } from "../dom";
import { icon } from "../icons";
import type { Photo } from "./photo_step";

/** A photo on this computer, as the camera showed it. Browsers cannot show every kind that the server can read. */
export class PhotoPicture {
  readonly element = h("div", { class: "photo-picture" });
  private readonly address: string;

  constructor({ data, fromCamera }: Photo, alt: string) {
    this.address = URL.createObjectURL(data);
    const image = h("img", { class: fromCamera ? "mirror" : "", src: this.address, alt });
    image.addEventListener("error", () => {
      const name = data instanceof File ? data.name : "";
      image.replaceWith(h("p", { class: "photo-unseen" }, icon("portrait"), h("span", {}, name)));
    });
    this.element.append(image);
  }

  close(): void {
    URL.revokeObjectURL(this.address);
  }
}
