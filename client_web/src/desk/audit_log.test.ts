import { expect, it } from "vitest";
import { AUDIT_PAGE, type AuditEntry } from "./api";
import { AuditLog } from "./audit_log";

const ALL: AuditEntry[] = Array.from({ length: AUDIT_PAGE + 3 }, (_, index) => ({ id: 100 - index, at: 0, actor: "a", act: "x", object: "", detail: {} }));

it("reads one part after the other, until there is nothing older", async () => {
  const asked: string[] = [];
  const log = new AuditLog({
    audit: (after) => {
      asked.push(after);
      const left = ALL.filter(({ id }) => after === "" || id < Number(after));
      const items = left.slice(0, AUDIT_PAGE);
      return Promise.resolve({ items, next: left.length > AUDIT_PAGE ? String(items.at(-1)?.id) : null });
    },
  });
  expect(await log.older()).toHaveLength(AUDIT_PAGE);
  expect(log.isWhole).toBe(false);
  expect(await log.older()).toHaveLength(3);
  expect(log.isWhole).toBe(true);
  expect(log.entries).toEqual(ALL);
  expect(asked).toEqual(["", String(ALL[AUDIT_PAGE - 1]?.id)]);
});
