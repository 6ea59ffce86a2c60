/** What the page waits for, in words, and whether trying at once is offered: no wait is without a reason and a way out for long. No DOM. */
import { PICTURE_LIMIT, type Stats } from "./protocol";
import type { Status } from "./signalling_types";
import { tryingSentence } from "./words";

/** A live call without a picture after this time is told why; milliseconds. */
export const EXPLAINED_AFTER = 1_000 * PICTURE_LIMIT;

export interface Wait {
  sentence: string;
  /** Whether the person may try at once. */
  canTry: boolean;
  /** Whether what played has stopped. */
  isStopped?: boolean;
}

/** A server that owes an answer for longer than this is probably gone; milliseconds. */
export const SILENT_AFTER = 2_500;

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
  if (waited < EXPLAINED_AFTER) return { sentence: clues.hint || "Waiting for the picture…", canTry: false };
  return { sentence: `${whyNoPicture(clues)} Still waiting…`, canTry: true };
}

function whyNoPicture({ hint, server, decoded }: PictureClues): string {
  if (hint) return `${hint.replace("…", "")}, which takes longer than usual.`;
  if (!server) return "You are connected, but the server has said nothing of the picture yet.";
  if (server.fps === 0) return "You are connected, but the server has drawn nothing for you yet.";
  if (decoded) return "The picture arrives, but this browser does not show it.";
  return "You are connected and the server sends the picture, but it does not arrive.";
}

/** What is known of pictures that came and have stopped. */
export interface StopClues {
  server: Stats | null;
  /** Whether the browser knows that no network is there. */
  isOffline: boolean;
}

/**
 * In a call with a picture: `stopped`, for how long none has come, where one should have; `silence`, for how long the server has
 * owed an answer. null: all is well.
 */
export function waitForNextPicture(stopped: number, silence: number, { server, isOffline }: StopClues): Wait | null {
  const say = (sentence: string, canTry = true): Wait => ({ sentence, canTry, isStopped: true });
  if (silence >= SILENT_AFTER && isOffline) return say("Picture and sound have stopped: this device is offline. The call goes on when it is back.");
  if (silence >= SILENT_AFTER) return say("Picture and sound have stopped: nothing comes from the server any more. Waiting for it…");
  if (stopped === 0) return null;
  if (server?.ready === false) return say("The picture has stopped: the server starts it anew, which takes a few seconds.", false);
  if (server?.fps === 0) return say("The picture has stopped: the server draws none now. Waiting for it…");
  return say("The picture has stopped: the server sends it, but it does not arrive. The page connects anew…");
}

/** Whether pictures that have stopped for so long may come by another connection: the server makes them, or says nothing of it. */
export function wantsAnotherConnection(stopped: number, server: Stats | null): boolean {
  return stopped >= EXPLAINED_AFTER && server?.ready !== false;
}
