import type { DeskApi } from "../desk/api";
import { healthLines } from "../desk/words";
import { DeskSection } from "./desk_section";
import { h } from "./dom";
import { icon } from "./icons";

/** Milliseconds between two looks. */
const LOOK_EVERY = 5_000;

/** How the server is. */
export class HealthSection extends DeskSection {
  private readonly list = h("dl", { class: "desk-facts", "data-testid": "health" });
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly api: DeskApi) {
    super("Health", "How the server is now.");
    this.body.append(this.list);
  }

  async start(): Promise<void> {
    clearTimeout(this.timer);
    await this.attempt(async () => {
      const lines = healthLines(await this.api.health());
      this.list.replaceChildren(
        ...lines.map(({ what, value, trouble }) =>
          h("div", { class: trouble ? "is-trouble" : "" }, h("dt", {}, what), h("dd", {}, trouble ? icon("warning") : null, h("span", {}, value))),
        ),
      );
    });
    if (!this.isClosed) this.timer = setTimeout(() => void this.start(), LOOK_EVERY);
  }

  override close(): void {
    clearTimeout(this.timer);
    super.close();
  }
}
