/** The audit log as it was read so far, newest first. No DOM. */
import { AUDIT_PAGE, type AuditEntry, type DeskApi } from "./api";

export class AuditLog {
  entries: AuditEntry[] = [];
  /** Whether there is nothing older. */
  isWhole = false;

  constructor(private readonly api: Pick<DeskApi, "audit">) {}

  /** Reads the next older part -> what came. */
  async older(): Promise<AuditEntry[]> {
    const found = await this.api.audit(this.entries.at(-1)?.id ?? null);
    this.entries.push(...found);
    this.isWhole = found.length < AUDIT_PAGE;
    return found;
  }
}
