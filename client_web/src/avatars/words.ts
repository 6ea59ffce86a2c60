/** What the page says about making avatars. No DOM. */
import { MAX_NAME } from "../protocol";
import { asSentence } from "../words";
import type { Avatar } from "./api";
import type { Making } from "./enrollment";

/** What somebody agrees to; the server keeps these words with the avatar. */
export const CONSENT =
  "I am the person in the photo, or the person has agreed. An avatar is made of it, which I can see, share, export and erase. " +
  "The photo is deleted afterwards.";

/** The same for a clip. */
export const CLIP_CONSENT =
  "I am the person in the clip, or the person has agreed. An avatar learns from it, which I can see, share, export and erase. " +
  "The clip is deleted afterwards.";

export const TOKEN_REFUSED = "The server does not know this browser any more: avatars that were made here before are gone.";

/** Names of the server's stages, as they begin. */
const STAGES: [string, string][] = [
  ["starting", "Getting ready"],
  ["reading and checking", "Looking at your photo"],
  ["fitting the head", "Finding the shape of your head"],
  ["matching the outline", "Matching hair and outline"],
  ["building the avatar", "Building your avatar"],
  ["choosing a picture", "Looking at your clip"],
  ["tracking the face again", "Following your face once more"],
  ["tracking", "Following your face"],
  ["refining", "Making it better"],
  ["synthesising", "Looking from all sides"],
  ["done", "Almost there"],
];

/** The line above the bar. */
export function progressWords(making: Making): string {
  switch (making.state) {
    case "sending":
      return "Sending…";
    case "waiting":
      return making.ahead === 0 ? "Starting…" : aheadWords(making.ahead);
    case "running":
      return stageWords(making.stage);
    case "better":
      if (making.job === "") return "Sending…";
      return making.ahead > 0 ? aheadWords(making.ahead) : stageWords(making.stage);
    case "away":
      return "The server cannot be reached. Trying again…";
    default:
      return "";
  }
}

function aheadWords(ahead: number): string {
  return ahead === 1 ? "One avatar comes before yours…" : `${ahead} avatars come before yours…`;
}

function stageWords(stage: string): string {
  const known = STAGES.find(([begin]) => stage.startsWith(begin));
  return `${known?.[1] ?? (asSentence(stage).replace(/\.$/, "") || "Getting ready")}…`;
}

/** How full the bar is, [0, 1]; null: not known. */
export function progressPart(making: Making): number | null {
  switch (making.state) {
    case "better":
      return making.progress === 0 ? null : Math.min(1, making.progress);
    case "running":
    case "away":
      return 0.08 + 0.92 * Math.min(1, Math.max(0, making.progress)); // sending and waiting were work, too
    case "sending":
    case "waiting":
      return null;
    default:
      return making.state === "done" ? 1 : 0;
  }
}

/** What the lobby says beside the avatars while one is made. */
export function makingLine(making: Making): string {
  if (making.state === "better") return `Getting better…${making.progress > 0 ? ` ${Math.round(100 * making.progress)} %` : ""}`;
  const part = making.state === "running" ? ` ${Math.round(100 * (progressPart(making) ?? 0))} %` : "";
  return `Making…${part}`;
}

const PICTURES = /\.(heic|heif|avif|tiff?|jpe?g|png|webp)$/i;
export const MAX_PHOTO = 24 * 1024 * 1024;

/** Why a file cannot be the photo; empty: it can. Browsers do not know the type of every kind of picture. */
export function fileTrouble(file: { name: string; type: string; size: number }): string {
  const isPicture = file.type === "" ? PICTURES.test(file.name) : file.type.startsWith("image/") && file.type !== "image/svg+xml";
  if (!isPicture) return "A photo was expected (JPEG, PNG, HEIC, WebP): choose another file.";
  if (file.size === 0) return "This file is empty: choose another one.";
  return file.size > MAX_PHOTO ? "This photo is larger than 24 MB: choose a smaller one." : "";
}

export const MAX_CLIP = 48 * 1024 * 1024;

/** Why a file cannot be the clip; empty: it can. */
export function clipTrouble({ size }: { size: number }): string {
  if (size === 0) return "This clip is empty: choose another one.";
  return size > MAX_CLIP ? "This clip is larger than 48 MB: choose a shorter one." : "";
}

/** A name for the next avatar of somebody, which none of those `taken` has. */
export function newName(person: string, taken: string[]): string {
  const base = person.trim() || "My avatar";
  for (let i = 1; ; i++) {
    const end = i === 1 ? "" : ` ${i}`;
    const name = base.slice(0, MAX_NAME - end.length) + end;
    if (!taken.includes(name)) return name;
  }
}

/** Why an avatar cannot be taken yet. */
export function stateWords(state: Avatar["state"]): string {
  return { waiting: "It is being made.", failed: "It could not be made: erase it, and try another photo.", ready: "" }[state];
}
