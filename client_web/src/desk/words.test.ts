import { expect, it } from "vitest";
import type { AuditEntry, DeskJob, Health, Room } from "./api";
import { auditWords, healthLines, jobFacts, personFacts, roomFacts, roomName, setupTrouble, timeWords } from "./words";

const JOB: DeskJob = { id: "j", avatar: "a", quality: "standard", state: "running", stage: "fitting the head", progress: 0.425, ahead: 0, error: "", usable: false, previews: 0, owner: "p1", may_retry: false };
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
  expect(jobFacts({ ...JOB, ...change }, "")).toBe(words);
  expect(jobFacts({ ...JOB, ...change }, "Bo")).toBe(`Of Bo · ${words}`);
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
  const ada = { id: "p1", login: "ada", name: "Ada", role: "admin" as const, signs_in: "password" as const, disabled: true, version: 1 };
  expect(personFacts(ada, true)).toBe("You · ada · Admin · Disabled");
  expect(personFacts({ ...ada, login: null, role: "guest", signs_in: "link", disabled: false }, false)).toBe("Guest");
  expect(personFacts({ ...ada, login: null, role: "member", signs_in: "provider", disabled: false }, false)).toBe("Signs in elsewhere · Member");
});

it("says why a set-up link does not work", () => {
  expect(setupTrouble(410)).toContain("an admin already");
  expect(setupTrouble(404)).toContain("printed");
  expect(setupTrouble(200)).toBe("");
});

it("tells the time", () => {
  expect(timeWords(1_790_000_000, "en-GB")).toMatch(/^2\d Sept? 2026, \d\d:\d\d$/);
});

const ROOM: Room = { id: "r", name: "", owner: null, created: 1_790_000_000, first: false, open: true, people: 1, viewers: 2, pictures: 44.6, links: {} };

it.each([
  [{}, "Ada", /^Of Ada · 1 person, 2 watching · 45 pictures a second · made 2/],
  [{ people: 3, viewers: 0 }, "", /^3 people · 45 pictures a second · made/],
  [{ people: 0, viewers: 0 }, "", /^Nobody in it · made/],
  [{ people: 0, viewers: 0, open: false }, "", /^Nobody in it · made/],
] as [Partial<Room>, string, RegExp][])("says who is in a room: %j", (change, owner, words) => {
  expect(roomFacts({ ...ROOM, ...change }, owner, "en-GB")).toMatch(words);
});

it("names rooms", () => {
  expect([{ name: "Monday" }, { first: true }, {}].map((change) => roomName({ ...ROOM, ...change }))).toEqual(["Monday", "The first room", "A room"]);
});

const HEALTH: Health = {
  uptime: 7300,
  versions: { visavis: "1.0", python: "3.11" },
  disk: { free: 5.5e9, total: 100e9, low: false },
  queue: { waiting: 0, running: 1, failed: 2, oldest: 0 },
  store: { database: "sqlite", encrypted: true, people: 1, guests: 2, avatars: 3 },
  rooms: { kept: 3, open: 2, people: 4, viewers: 1, pictures: 60 },
};

it("says how the server is", () => {
  const lines = healthLines(HEALTH);
  expect(lines.filter(({ trouble }) => trouble)).toEqual([]);
  expect(lines.map(({ value }) => value)).toEqual([
    "2 h",
    "5.5 GB of 100 GB free",
    "2 open of 3: 4 people, 1 watching, 60 pictures a second",
    "1 running, 0 waiting, 2 failed",
    "1 account, 2 guests, 3 avatars",
    "sqlite, files encrypted",
    "visavis 1.0, python 3.11",
  ]);
});

it.each([
  [{ disk: null }, "Disk", "unknown"],
  [{ disk: { free: 5e8, total: 1e11, low: true } }, "Disk", "too little, make room"],
  [{ queue: { waiting: 3, running: 0, failed: 0, oldest: 1000 } }, "Jobs", "the first one waits for 17 min"],
] as [Partial<Health>, string, string][])("says what is wrong: %j", (change, what, value) => {
  const troubles = healthLines({ ...HEALTH, ...change }).filter(({ trouble }) => trouble);
  expect(troubles).toEqual([{ what, value: expect.stringContaining(value) as string, trouble: true }]);
});
