/** What the desk says. No DOM. */
import { progressWords } from "../avatars/words";
import { asSentence } from "../words";
import type { AuditEntry, DeskAvatar, DeskJob, Health, LimitName, Person, Quality, Role, Room } from "./api";

/** The consent that an admin records for somebody else; the admin may put other words there. */
export const CONSENT_ON_FILE =
  "The person in the photo or the clip has agreed that an avatar is made of it, and may see, share, export and erase this avatar. " +
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

export function personFacts({ login, role, signs_in, disabled }: Person, isMe: boolean): string {
  const facts = [isMe ? "You" : "", login ?? (signs_in === "provider" ? "Signs in elsewhere" : ""), ROLES[role], disabled ? "Disabled" : ""];
  return facts.filter(Boolean).join(" · ");
}

export function avatarFacts({ quality, state, improving }: DeskAvatar, owner: string): string {
  const how = { waiting: "Being made", ready: "", failed: "Could not be made" }[state];
  return [owner, QUALITY_NAMES[quality], how, improving === null ? "" : "Gets better"].filter(Boolean).join(" · ");
}

const STATES: Record<DeskJob["state"], string> = { waiting: "Waiting", running: "Running", done: "Done", failed: "Failed", cancelled: "Cancelled" };

export function jobIsOver({ state }: DeskJob): boolean {
  return state === "done" || state === "failed" || state === "cancelled";
}

/** `owner`: whose it is; empty for somebody who is gone. */
export function jobFacts(job: DeskJob, owner: string): string {
  const facts = [owner && `Of ${owner}`, QUALITY_NAMES[job.quality], STATES[job.state]];
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
  "avatar.improve": "ordered a better one of the avatar",
  "avatar.rename": "renamed the avatar",
  "avatar.share": "changed who may take",
  "avatar.download": "downloaded the avatar",
  "avatar.erase": "erased the avatar",
  "job.cancel": "cancelled a job",
  "job.retry": "began a job anew",
  "key.add": "made an API key for",
  "key.delete": "deleted an API key of",
  "room.add": "made a room",
  "room.renew": "gave new links to a room",
  "room.end": "ended the meeting in a room",
  "room.mute": "muted somebody in a room",
  "room.remove": "removed somebody from a room",
  "room.lock": "locked a room",
  "room.unlock": "unlocked a room",
  "room.delete": "deleted a room",
  "room.token": "made a token for a room",
  "limits.change": "changed the limits",
  "person.link": "linked a sign-in with the account of",
  "person.unlink": "unlinked a sign-in of",
  "store.backup": "made a backup",
  "store.restore": "brought a backup back",
  "store.encrypt": "encrypted the files anew",
};
/** Acts of which the words say all: a job has no name, one can only sign out oneself. */
const WITHOUT_OBJECT = ["job.cancel", "job.retry", "person.sign_out", "room.add", "room.renew", "room.end", "room.mute", "room.remove", "room.lock", "room.unlock", "room.delete", "room.token", "limits.change"];

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

export const LIMITS: Record<LimitName, string> = {
  avatars: "Avatars of one person",
  jobs: "Avatars that are made for one person at the same time",
  rooms: "Rooms in all",
  rooms_each: "Rooms of one person",
};

export function roomName({ name, first }: Room): string {
  return name || (first ? "The first room" : "A room");
}

/** `owner`: who made it; empty for nobody in particular. */
export function roomFacts({ open, people, viewers, pictures, created }: Room, owner: string, locale?: string): string {
  const there = [people > 0 ? count(people, "person", "people") : "", viewers > 0 ? `${viewers} watching` : ""].filter(Boolean).join(", ");
  const facts = [owner && `Of ${owner}`, there || "Nobody in it", open && there ? `${Math.round(pictures)} pictures a second` : "", `made ${timeWords(created, locale)}`];
  return facts.filter(Boolean).join(" · ");
}

/** What a health report says, as [what, value] lines; `trouble`: needs somebody's attention. */
export function healthLines({ uptime, versions, disk, queue, store, rooms }: Health): { what: string; value: string; trouble: boolean }[] {
  const space = disk === null ? "unknown" : `${gigabytes(disk.free)} of ${gigabytes(disk.total)} free${disk.low ? ": too little, make room" : ""}`;
  const wait = queue.waiting > 0 ? `, the first one waits for ${duration(queue.oldest)}` : "";
  const isEmpty = rooms.people + rooms.viewers === 0;
  const there = isEmpty ? "nobody is there" : `${count(rooms.people, "person", "people")}, ${rooms.viewers} watching, ${Math.round(rooms.pictures)} pictures a second`;
  const kept = `${count(store.people, "account", "accounts")}, ${count(store.guests, "guest", "guests")}, ${count(store.avatars, "avatar", "avatars")}`;
  const lines: [string, string, boolean][] = [
    ["Running for", duration(uptime), false],
    ["Disk", space, disk?.low ?? true],
    ["Rooms", `${rooms.open} open of ${rooms.kept}: ${there}`, false],
    ["Jobs", `${queue.running} running, ${queue.waiting} waiting${wait}, ${queue.failed} failed`, queue.oldest > LONG_WAIT],
    ["Kept", kept, false],
    ["Database", `${store.database}, files ${store.encrypted ? "encrypted" : "not encrypted"}`, false],
    ["Versions", Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", "), false],
  ];
  return lines.map(([what, value, trouble]) => ({ what, value, trouble }));
}

/** Seconds that a job waits after which an admin should look. */
const LONG_WAIT = 900;

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e10 ? 1 : 0)} GB`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

/** "28 Nov 2026, 09:12", in the reader's own language. `at`: seconds since 1970. */
export function timeWords(at: number, locale?: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(at * 1000);
}
