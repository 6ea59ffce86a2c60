import type { Enrollment } from "../avatars/enrollment";
import { fileTrouble } from "../avatars/words";
import type { DeskApi, DeskOrder, Quality } from "../desk/api";
import type { Directory } from "../desk/directory";
import { CONSENT_ON_FILE, QUALITIES } from "../desk/words";
import { DeskForm, selectField, textField } from "./desk_form";
import { EnrollProgress } from "./desk_progress";
import { DeskSection } from "./desk_section";
import { h } from "./dom";
import { PhotoPicture } from "./make_avatar/photo_picture";

const MAX_PHOTOS = 8;

/** An avatar for a colleague, whose consent is on file. `enrollment` goes on while another part of the desk is shown. */
export class EnrollSection extends DeskSection {
  private readonly person = selectField("owner", "Whose avatar it becomes", [], "");
  private readonly photos = h("input", { class: "field", type: "file", id: "photos", accept: "image/*,.heic,.heif,.avif", multiple: true, required: true, "aria-describedby": "photos-hint", "data-testid": "photos" });
  private readonly pictures = h("div", { class: "desk-photos" });
  private readonly name = textField("avatar-name", "Name of the avatar", { maxlength: 64 });
  private readonly subject = textField("subject", "Who is in the photo", { maxlength: 128 });
  private readonly consent = h("textarea", { class: "field", id: "consent", rows: 4, minlength: 10, maxlength: 4000, required: true, "data-testid": "consent" }, CONSENT_ON_FILE);
  private readonly agreed = h("input", { type: "checkbox", required: true, "data-testid": "agreed" });
  private readonly keep = h("input", { type: "checkbox", "data-testid": "keep-photo" });
  private readonly quality = selectField("quality", "Quality", Object.entries(QUALITIES), "standard");
  private readonly form: DeskForm;
  private readonly progress: EnrollProgress;
  private shown: PhotoPicture[] = [];

  constructor(
    api: DeskApi,
    private readonly directory: Directory,
    private readonly enrollment: Enrollment<DeskOrder>,
    private readonly chosen: string,
  ) {
    super("Enroll a colleague", "Makes an avatar of a photo. The server keeps who agreed, to which words, when, and who recorded it.");
    this.form = new DeskForm("enroll", "Make the avatar", () => this.make(), ...this.fields());
    this.progress = new EnrollProgress(api, enrollment, () => this.again());
    this.photos.addEventListener("change", () => this.showPhotos());
    this.person.input.addEventListener("change", () => this.propose());
  }

  async start(): Promise<void> {
    this.draw();
    await this.attempt(async () => this.directory.readPeople());
    const { accounts, guests, me } = this.directory;
    const people = [...accounts, ...guests].filter(({ disabled }) => !disabled);
    const options = people.map(({ id, name, login }) => h("option", { value: id }, `${name} (${id === me.id ? "you" : (login ?? "guest")})`));
    this.person.input.replaceChildren(...options);
    const first = people.find(({ id }) => id === this.chosen) ?? people.find(({ id }) => id !== me.id) ?? people[0];
    this.person.input.value = first?.id ?? "";
    this.propose();
  }

  override close(): void {
    this.closePhotos();
    this.progress.close();
    super.close();
  }

  private fields(): HTMLElement[] {
    const photoHint = "The most frontal one first; more photos of the same face make the avatar better.";
    const keep = "Keep the photo after the avatar is made. The consent has to say so.";
    return [
      this.person.element,
      h("div", { class: "labelled" }, h("label", { for: "photos" }, "Photo"), this.photos, h("p", { class: "soft small", id: "photos-hint" }, photoHint), this.pictures),
      this.name.element,
      this.subject.element,
      h("div", { class: "labelled" }, h("label", { for: "consent" }, "The words of the consent"), this.consent),
      h("label", { class: "consent" }, this.agreed, h("span", {}, "Who is in the photo has agreed to these words, and I can show it.")),
      h("label", { class: "choice" }, this.keep, h("span", {}, keep)),
      this.quality.element,
    ];
  }

  /** The person's own name, until another one is typed. */
  private propose(): void {
    const names = (this.directory.people ?? []).map(({ name }) => name);
    const name = this.directory.nameOf(this.person.input.value);
    for (const { input } of [this.name, this.subject]) if (input.value === "" || names.includes(input.value)) input.value = name;
  }

  private showPhotos(): void {
    this.closePhotos();
    const files = [...(this.photos.files ?? [])];
    const trouble = files.map(fileTrouble).find((sentence) => sentence !== "") ?? (files.length > MAX_PHOTOS ? `At most ${MAX_PHOTOS} photos can be used: choose fewer.` : "");
    this.photos.setCustomValidity(trouble);
    this.form.say(trouble);
    if (trouble) return;
    this.shown = files.map((data, index) => new PhotoPicture({ data, fromCamera: false }, `Photo ${index + 1}`));
    this.pictures.replaceChildren(...this.shown.map(({ element }) => element));
  }

  private closePhotos(): void {
    for (const picture of this.shown) picture.close();
    this.shown = [];
    this.pictures.replaceChildren();
  }

  private async make(): Promise<void> {
    const [photo, ...others] = [...(this.photos.files ?? [])];
    if (photo === undefined) return;
    void this.enrollment.make({
      photo,
      others,
      owner: this.person.input.value,
      name: this.name.input.value.trim(),
      subject: this.subject.input.value.trim(),
      consent: this.consent.value.trim(),
      keepPhoto: this.keep.checked,
      quality: this.quality.input.value as Quality,
    });
  }

  private again(): void {
    this.enrollment.reset();
    this.photos.value = "";
    this.agreed.checked = false;
    this.showPhotos();
  }

  /** Either the form, or how far it is. */
  draw(): void {
    const { making } = this.enrollment;
    const isForm = making.state === "idle" || making.state === "failed";
    const element = isForm ? this.form.element : this.progress.element;
    const isSwitched = this.body.firstElementChild !== null && this.body.firstElementChild !== element;
    if (this.body.firstElementChild !== element) this.body.replaceChildren(element);
    if (making.state === "failed") this.form.say(making.sentence);
    if (!isForm) this.progress.draw();
    if (isSwitched) this.element.querySelector<HTMLElement>("h1")?.focus({ preventScroll: !isForm });
  }
}
