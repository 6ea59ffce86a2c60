import { type Photo } from "./photo_step";
import { PhotoPicture } from "./photo_picture";
import { h, reducedMotion } from "../dom";

/** What an avatar is made of: one of both. */
export interface Source {
  photo: Photo | null;
  clip: Blob | null;
}

/** A photo or a clip, as the person has just seen it. */
export function sourcePicture({ photo, clip }: Source): { element: HTMLElement; close(): void } {
  if (photo || !clip) return new PhotoPicture(photo ?? { data: new Blob(), fromCamera: false }, "The photo");
  const address = URL.createObjectURL(clip);
  const still = reducedMotion();
  const film = h("video", { class: "mirror", src: address, playsinline: true, muted: true, loop: true, autoplay: !still, controls: still, "aria-label": "The clip", "data-testid": "clip-film" });
  film.muted = true; // the attribute does nothing on an element that a script makes
  return { element: h("div", { class: "photo-picture" }, film), close: () => URL.revokeObjectURL(address) };
}
