import type { DeskApi, LimitName, Limits } from "../desk/api";
import { LIMITS } from "../desk/words";
import type { Announcer } from "./announcer";
import { DeskForm, type Field, textField } from "./desk_form";
import { DeskSection } from "./desk_section";

const RANGES: Record<LimitName, [least: number, most: number]> = { avatars: [0, 10_000], jobs: [1, 100], rooms: [1, 256], rooms_each: [0, 256] };
const NAMES = Object.keys(LIMITS) as LimitName[];

/** How much one person may keep, and all together. */
export class LimitsSection extends DeskSection {
  private limits: Limits | null = null;
  private readonly fields: Record<LimitName, Field>;
  private readonly form: DeskForm;

  constructor(
    private readonly api: DeskApi,
    private readonly announcer: Announcer,
  ) {
    super("Limits", "How much one person may keep, and all together. What is there already stays.");
    const made = NAMES.map((name): [LimitName, Field] => {
      const [min, max] = RANGES[name];
      const hint = name === "rooms" ? "The server's own limit, --max-rooms, goes first." : "";
      return [name, textField(`limit-${name}`, LIMITS[name], { type: "number", inputmode: "numeric", min, max, step: 1 }, hint)];
    });
    this.fields = Object.fromEntries(made) as Record<LimitName, Field>;
    this.form = new DeskForm("limits", "Save", () => this.save(), ...made.map(([, field]) => field.element));
    this.form.element.hidden = true;
    this.body.append(this.form.element);
  }

  async start(): Promise<void> {
    await this.attempt(async () => this.show(await this.api.limits()));
  }

  private show(limits: Limits): void {
    this.limits = limits;
    for (const name of NAMES) this.fields[name].input.value = String(limits[name]);
    this.form.element.hidden = false;
  }

  private async save(): Promise<void> {
    const { limits } = this;
    if (limits === null) return;
    const typed = NAMES.map((name): [LimitName, number] => [name, Number(this.fields[name].input.value)]);
    const changed = typed.filter(([name, value]) => value !== limits[name]);
    if (changed.length === 0) return this.announcer.show("Nothing was changed.");
    try {
      this.show(await this.api.changeLimits(limits, Object.fromEntries(changed)));
      this.announcer.show("The limits are saved.");
    } catch (error) {
      await this.start(); // as they are now, where somebody else was first
      throw error;
    }
  }
}
