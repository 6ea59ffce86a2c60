/** The audit log as it was read so far, newest first. No DOM. */
import type { AuditEntry, DeskApi } from "./api";

export class AuditLog {
  entries: AuditEntry[] = [];
  /** Whether there is nothing older. */
  isWhole = false;
  private after = "";

  constructor(private readonly api: Pick<DeskApi, "audit">) {}

  /** Reads the next older part -> what came. */
  async older(): Promise<AuditEntry[]> {
    const { items: found, next } = await this.api.audit(this.after);
    this.entries.push(...found);
    this.isWhole = next === null;
    this.after = next ?? "";
    return found;
  }
}
