/** What the page waits for, in words, and whether trying at once is offered: no wait is without a reason and a way out for long. No DOM. */
import type { Stats } from "./protocol";
import type { Status } from "./signalling_types";
import { tryingSentence } from "./words";

/** A live call without a picture after this time is told why; milliseconds. */
export const PICTURE_LIMIT = 8_000;

export interface Wait {
  sentence: string;
  /** Whether the person may try at once. */
  canTry: boolean;
}

/** Not in the call. Trying at once is offered but in the first seconds of a first attempt. */
export function waitForCall(status: Status): Wait {
  const { phase, attempt, trouble, slowStep } = status;
  const canTry = phase === "waiting" || (phase === "connecting" && (attempt > 0 || trouble !== "none" || slowStep !== null));
  return { sentence: tryingSentence(status), canTry };
}

/** What is known of a picture that does not come. */
export interface PictureClues {
  /** What the server says of it: it is starting, an avatar is loading; or empty. */
  hint: string;
  /** Whether nobody is in the room, so that there is nothing to see. */
  isEmpty: boolean;
  /** Whether the browser wants a click first. */
  isRefused: boolean;
  server: Stats | null;
  /** Pictures a second that the browser decodes; null: it does not say. */
  decoded: number | null;
}

/** In a call that has been live for `waited` milliseconds, without a picture of this connection. */
export function waitForPicture(waited: number, clues: PictureClues): Wait {
  if (clues.isRefused) return { sentence: "Your browser shows the picture after a click.", canTry: false };
  if (clues.isEmpty) return { sentence: "Nobody is in the room: the picture comes with the first person.", canTry: false };
  if (waited < PICTURE_LIMIT) return { sentence: clues.hint || "Waiting for the picture…", canTry: false };
  return { sentence: `${whyNoPicture(clues)} Still waiting…`, canTry: true };
}

function whyNoPicture({ hint, server, decoded }: PictureClues): string {
  if (hint) return `${hint.replace("…", "")}, which takes longer than usual.`;
  if (!server) return "You are connected, but the server has said nothing of the picture yet.";
  if (server.fps === 0) return "You are connected, but the server has drawn nothing for you yet.";
  if (decoded) return "The picture arrives, but this browser does not show it.";
  return "You are connected and the server sends the picture, but it does not arrive.";
}
