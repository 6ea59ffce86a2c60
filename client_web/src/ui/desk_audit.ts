import type { AuditEntry, DeskApi } from "../desk/api";
import { AuditLog } from "../desk/audit_log";
import type { Directory } from "../desk/directory";
import { auditWords, timeWords } from "../desk/words";
import { DeskSection } from "./desk_section";
import { h } from "./dom";

/** Who did what, newest first. */
export class AuditSection extends DeskSection {
  private readonly log: AuditLog;
  private readonly list = h("ol", { class: "desk-list desk-log", "data-testid": "audit" });
  private readonly older = h("button", { type: "button", class: "button", hidden: true, "data-testid": "older" }, "Older");

  constructor(
    api: DeskApi,
    private readonly directory: Directory,
  ) {
    super("Audit log", "Who did what on this server, newest first.");
    this.log = new AuditLog(api);
    this.older.addEventListener("click", () => void this.more());
    this.body.append(this.list, this.older);
  }

  async start(): Promise<void> {
    await this.directory.refresh();
    await this.more();
  }

  private async more(): Promise<void> {
    const before = this.list.childElementCount;
    const isRead = await this.attempt(async () => {
      for (const entry of await this.log.older()) this.list.append(this.row(entry));
    });
    if (!isRead) return;
    const hadFocus = this.older === document.activeElement;
    this.older.hidden = this.log.isWhole;
    if (hadFocus) this.list.querySelector<HTMLElement>(`li:nth-child(${before + 1})`)?.focus();
  }

  private row(entry: AuditEntry): HTMLElement {
    const { actor, act, object, detail } = auditWords(entry, (id) => this.directory.nameOf(id));
    const time = h("time", { class: "soft small", datetime: new Date(entry.at * 1000).toISOString() }, timeWords(entry.at));
    const what = h("p", {}, h("bdi", { class: "desk-who" }, actor), ` ${act} `, h("bdi", { class: "desk-who" }, object));
    return h("li", { tabindex: -1, "data-testid": `entry-${entry.id}` }, what, detail ? h("p", { class: "soft small" }, detail) : null, time);
  }
}
