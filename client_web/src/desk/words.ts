/** What the desk says. No DOM. */
import { progressWords } from "../avatars/words";
import { asSentence } from "../words";
import type { AuditEntry, DeskAvatar, DeskJob, Person, Quality, Role } from "./api";

/** The consent that an admin records for somebody else; the admin may put other words there. */
export const CONSENT_ON_FILE =
  "The person in the photo has agreed that an avatar is made of it, and may see, share, export and erase this avatar. " +
  "The consent is on file with us.";

export const ROLES: Record<Role, string> = { admin: "Admin", member: "Member", guest: "Guest" };
export const QUALITIES: Record<Quality, string> = {
  instant: "Instant (seconds)",
  standard: "Standard (minutes)",
  high: "High (an hour or more)",
};
const QUALITY_NAMES: Record<Quality, string> = { instant: "Instant", standard: "Standard", high: "High" };

/** What `/setup/KEY` answers with when its link cannot be used; empty: it can. */
export function setupTrouble(status: number): string {
  if (status === 410) return "This server has an admin already, so the set-up link does not work any more.";
  if (status === 404) return "This is not the set-up link that the server printed when it last started: open that one.";
  return "";
}

export function personFacts({ login, role, disabled }: Person, isMe: boolean): string {
  const facts = [isMe ? "You" : "", login ?? "", ROLES[role], disabled ? "Disabled" : ""];
  return facts.filter(Boolean).join(" · ");
}

export function avatarFacts({ quality, state }: DeskAvatar, owner: string): string {
  const how = { waiting: "Being made", ready: "", failed: "Could not be made" }[state];
  return [owner, QUALITY_NAMES[quality], how].filter(Boolean).join(" · ");
}

const STATES: Record<DeskJob["state"], string> = { waiting: "Waiting", running: "Running", done: "Done", failed: "Failed", cancelled: "Cancelled" };

export function jobIsOver({ state }: DeskJob): boolean {
  return state === "done" || state === "failed" || state === "cancelled";
}

export function jobFacts(job: DeskJob): string {
  const facts = [QUALITY_NAMES[job.quality], STATES[job.state]];
  if (job.state === "waiting" && job.ahead > 0) facts.push(job.ahead === 1 ? "one comes first" : `${job.ahead} come first`);
  if (job.state === "running") facts.push(`${Math.round(100 * job.progress)} %`, progressWords({ state: "running", stage: job.stage, progress: job.progress }));
  if (job.state === "failed") facts.push(asSentence(job.error));
  return facts.filter(Boolean).join(" · ");
}

const ACTS: Record<string, string> = {
  "person.add": "made an account for",
  "person.change": "changed the account of",
  "person.password": "set a new password for",
  "person.sign_out": "signed out everywhere",
  "person.erase": "erased",
  "avatar.enroll": "ordered the avatar",
  "avatar.share": "changed who may take",
  "avatar.download": "downloaded the avatar",
  "avatar.erase": "erased the avatar",
  "job.cancel": "cancelled a job",
  "key.add": "made an API key for",
  "key.delete": "deleted an API key of",
};
/** Acts of which the words say all: a job has no name, and one can only sign out oneself. */
const WITHOUT_OBJECT = ["job.cancel", "person.sign_out"];

/** One line of the audit log. `nameOf`: empty for what is gone. An act that this page does not know is shown as it is. */
export function auditWords(entry: AuditEntry, nameOf: (id: string) => string): { actor: string; act: string; object: string; detail: string } {
  const act = ACTS[entry.act] ?? entry.act;
  const isOwn = entry.actor === entry.object;
  const object = entry.object === "" || WITHOUT_OBJECT.includes(entry.act) ? "" : isOwn ? "themselves" : nameOf(entry.object) || gone(entry.object);
  const detail = Object.entries(entry.detail).map(([name, value]) => detailWords(name, value));
  return { actor: nameOf(entry.actor) || gone(entry.actor), act, object, detail: detail.filter(Boolean).join(", ") };
}

/** An id of somebody or something that was erased; or a word, as the command line writes it for itself. */
function gone(id: string): string {
  if (!/^[0-9a-f]{16}$/.test(id)) return id;
  return `no longer here (${id.slice(0, 8)})`;
}

function detailWords(name: string, value: string | number | boolean): string {
  if (value === true) return name;
  return value === false ? `not ${name}` : `${name} ${value}`;
}

/** "28 Nov 2026, 09:12", in the reader's own language. `at`: seconds since 1970. */
export function timeWords(at: number, locale?: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(at * 1000);
}
