import type { Enrollment } from "../avatars/enrollment";
import type { DeskApi, DeskOrder, Quality } from "../desk/api";
import type { Directory } from "../desk/directory";
import { QUALITIES } from "../desk/words";
import { ConsentFields } from "./desk_consent";
import { DeskForm, selectField, textField } from "./desk_form";
import { MaterialField } from "./desk_material";
import { EnrollProgress } from "./desk_progress";
import { DeskSection } from "./desk_section";
import { h } from "./dom";

const HINT = "The most frontal photo first; more photos of the same face make the avatar better. A clip of some fifteen seconds shows the sides, and how the person moves.";

/** An avatar for a colleague, whose consent is on file. `enrollment` goes on while another part of the desk is shown. */
export class EnrollSection extends DeskSection {
  private readonly person = selectField("owner", "Whose avatar it becomes", [["", "People are being looked up"]], "", true);
  private readonly material = new MaterialField(HINT, (trouble) => this.materialChanged(trouble));
  private readonly name = textField("avatar-name", "Name of the avatar", { maxlength: 64 });
  private readonly consent = new ConsentFields();
  private readonly quality = selectField("quality", "Quality", Object.entries(QUALITIES), "standard");
  private readonly form: DeskForm;
  private readonly progress: EnrollProgress;

  constructor(
    api: DeskApi,
    private readonly directory: Directory,
    private readonly enrollment: Enrollment<DeskOrder>,
    private readonly chosen: string,
  ) {
    super("Enroll a colleague", "Makes an avatar of photos or of a clip. The server keeps who agreed, to which words, when, and who recorded it.");
    const fields = [this.person.element, this.material.element, this.name.element, ...this.consent.elements, this.quality.element];
    this.form = new DeskForm("enroll", "Make the avatar", () => this.make(), ...fields);
    this.progress = new EnrollProgress(api, enrollment, () => this.again());
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
    this.material.close();
    this.progress.close();
    super.close();
  }

  /** The person's own name, until another one is typed. */
  private propose(): void {
    const names = (this.directory.people ?? []).map(({ name }) => name);
    const name = this.directory.nameOf(this.person.input.value);
    for (const { input } of [this.name, this.consent.subject]) if (input.value === "" || names.includes(input.value)) input.value = name;
  }

  private materialChanged(trouble: string): void {
    this.form.say(trouble);
    const isClip = this.material.clip !== null;
    this.quality.input.disabled = isClip; // high is for photos, and a clip is for more than an instant avatar
    if (isClip) this.quality.input.value = "standard";
  }

  private async make(): Promise<void> {
    const { photos, clip } = this.material;
    const order = { photos, clip, owner: this.person.input.value, name: this.name.input.value.trim(), quality: this.quality.input.value as Quality };
    void this.enrollment.make({ ...order, ...this.consent.value });
  }

  private again(): void {
    this.enrollment.leave();
    this.material.clear();
    this.consent.clear();
    this.materialChanged("");
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
