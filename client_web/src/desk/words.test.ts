import { expect, it } from "vitest";
import type { AuditEntry, DeskJob } from "./api";
import { auditWords, jobFacts, personFacts, setupTrouble, timeWords } from "./words";

const JOB: DeskJob = { id: "j", avatar: "a", quality: "standard", state: "running", stage: "fitting the head", progress: 0.425, ahead: 0, error: "", usable: false, previews: 0 };
const ENTRY: AuditEntry = { id: 1, at: 0, actor: "p1", act: "person.add", object: "p2", detail: { role: "member" } };
const names = (id: string): string => ({ p1: "Ada", p2: "Bo" })[id] ?? "";

it.each([
  [{}, "Standard · Running · 43 % · Finding the shape of your head…"],
  [{ state: "waiting", ahead: 0 }, "Standard · Waiting"],
  [{ state: "waiting", ahead: 1 }, "Standard · Waiting · one comes first"],
  [{ state: "waiting", ahead: 3 }, "Standard · Waiting · 3 come first"],
  [{ state: "failed", error: "no face was found; use another photo" }, "Standard · Failed · No face was found; use another photo."],
  [{ state: "done", quality: "high" }, "High · Done"],
] as [Partial<DeskJob>, string][])("says what a job does: %j", (change, words) => {
  expect(jobFacts({ ...JOB, ...change })).toBe(words);
});

it.each([
  [{}, ["Ada", "made an account for", "Bo", "role member"]],
  [{ object: "p1" }, ["Ada", "made an account for", "themselves", "role member"]],
  [{ act: "person.erase", object: "0123456789abcdef", detail: {} }, ["Ada", "erased", "no longer here (01234567)", ""]],
  [{ act: "avatar.share", detail: { shared: false, more: true } }, ["Ada", "changed who may take", "Bo", "not shared, more"]],
  [{ act: "job.cancel", object: "j", detail: {} }, ["Ada", "cancelled a job", "", ""]],
  [{ act: "person.sign_out", object: "p1", detail: {} }, ["Ada", "signed out everywhere", "", ""]],
  [{ actor: "operator", detail: {} }, ["operator", "made an account for", "Bo", ""]],
  [{ act: "some.newer", object: "", detail: { files: 2 } }, ["Ada", "some.newer", "", "files 2"]],
] as [Partial<AuditEntry>, string[]][])("says what was done: %j", (change, [actor, act, object, detail]) => {
  expect(auditWords({ ...ENTRY, ...change }, names)).toEqual({ actor, act, object, detail });
});

it("says who somebody is", () => {
  const ada = { id: "p1", login: "ada", name: "Ada", role: "admin" as const, disabled: true };
  expect(personFacts(ada, true)).toBe("You · ada · Admin · Disabled");
  expect(personFacts({ ...ada, login: null, role: "guest", disabled: false }, false)).toBe("Guest");
});

it("says why a set-up link does not work", () => {
  expect(setupTrouble(410)).toContain("an admin already");
  expect(setupTrouble(404)).toContain("printed");
  expect(setupTrouble(200)).toBe("");
});

it("tells the time", () => {
  expect(timeWords(1_790_000_000, "en-GB")).toMatch(/^2\d Sept? 2026, \d\d:\d\d$/);
});
