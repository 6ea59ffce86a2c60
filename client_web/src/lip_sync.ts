/** How long pictures wait for voices that the browser holds back. No DOM; milliseconds. */

/**
 * What a voice may wait in the browser's buffer with no picture waiting for it. The server counts on 60 of it; sound that is up to
 * 125 late is not noticed (ITU-R BT.1359), and people would rather have their picture early.
 */
const UNNOTICED = 160;
/** A picture waits no longer than this, however late the sound. */
const LONGEST = 200;
/** By how much the wait must be wrong to be another one: each change is a picture that stands still, or one left out. */
const STEP = 30;

/** How long pictures are to wait. voices: how long sound waited lately; null: there is none. before: the wait until now. */
export function pictureWait(voices: number | null, before: number): number {
  const wanted = voices === null ? 0 : Math.min(LONGEST, Math.max(0, voices - UNNOTICED));
  return Math.abs(wanted - before) < STEP && wanted > 0 ? before : Math.round(wanted);
}
