import { clipTrouble, fileTrouble } from "../avatars/words";
import { h } from "./dom";
import { PhotoPicture } from "./make_avatar/photo_picture";

const MAX_PHOTOS = 8;

/** What an avatar is made of: photos, a clip, or both, from files. */
export class MaterialField {
  private readonly input: HTMLInputElement;
  private readonly pictures = h("div", { class: "desk-photos" });
  private readonly clipLine = h("p", { class: "soft small", hidden: true, "data-testid": "clip-name" });
  private shown: PhotoPicture[] = [];
  readonly element: HTMLElement;

  /** `changed` gets what is wrong with the files; empty: nothing. */
  constructor(hint: string, changed: (trouble: string) => void) {
    this.input = h("input", { class: "field", type: "file", id: "photos", accept: "image/*,.heic,.heif,.avif,video/*", multiple: true, required: true, "aria-describedby": "photos-hint", "data-testid": "photos" });
    this.input.addEventListener("change", () => {
      this.show();
      changed(this.trouble());
    });
    const label = h("label", { for: "photos" }, "Photos, or a clip");
    this.element = h("div", { class: "labelled" }, label, this.input, h("p", { class: "soft small", id: "photos-hint" }, hint), this.pictures, this.clipLine);
  }

  get photos(): File[] {
    return this.files.filter((file) => !isClip(file));
  }

  get clip(): File | null {
    return this.files.find(isClip) ?? null;
  }

  clear(): void {
    this.input.value = "";
    this.show();
  }

  close(): void {
    for (const picture of this.shown) picture.close();
    this.shown = [];
    this.pictures.replaceChildren();
  }

  private get files(): File[] {
    return [...(this.input.files ?? [])];
  }

  private trouble(): string {
    if (this.files.filter(isClip).length > 1) return "One clip can be used: choose one.";
    if (this.photos.length > MAX_PHOTOS) return `At most ${MAX_PHOTOS} photos can be used: choose fewer.`;
    return this.files.map((file) => (isClip(file) ? clipTrouble(file) : fileTrouble(file))).find((sentence) => sentence !== "") ?? "";
  }

  private show(): void {
    this.close();
    const trouble = this.trouble();
    this.input.setCustomValidity(trouble);
    const clip = trouble === "" ? this.clip : null;
    this.clipLine.hidden = clip === null;
    this.clipLine.textContent = clip === null ? "" : `Clip: ${clip.name}`;
    if (trouble) return;
    this.shown = this.photos.map((data, index) => new PhotoPicture({ data, fromCamera: false }, `Photo ${index + 1}`));
    this.pictures.replaceChildren(...this.shown.map(({ element }) => element));
  }
}

/** Browsers do not know the type of every kind of clip. */
function isClip({ type, name }: File): boolean {
  return type.startsWith("video/") || (type === "" && /\.(mov|mp4|m4v|webm|mkv)$/i.test(name));
}
