/** The mouth of the own avatar from the microphone, for the server, while no camera sees it: drive frames up. No DOM. */
import { ARKIT } from "../arkit";
import { type DriveFrame, encodeDriveFrames, Known } from "../drive/wire";
import { MOUTH_COEFFICIENTS } from "./coefficients";
import type { Mouth } from "./mouth";

const PLACES = MOUTH_COEFFICIENTS.map((name) => ARKIT.indexOf(name));
/** Seconds that a camera may miss the face before sound takes the mouth. */
const FACELESS_LIMIT = 3;
/** Frames that say "closed" after the mouth has closed: the channel may lose one or two. */
const LAST_WORDS = 5;
const CLOSED = 0.01;

/** What is known of the own devices. */
export interface Devices {
  /** The microphone where it is on. */
  microphone: MediaStreamTrack | null;
  camera: boolean;
  /** Whether the server sees the face in the camera's picture. */
  face: boolean;
}

/** Whether sound moves the mouth: somebody is heard, and not seen, for a while. */
export class Unseen {
  private since = -Infinity;

  /** now: seconds. */
  read({ microphone, camera, face }: Devices, now: number): boolean {
    if (camera && face) this.since = now;
    return microphone !== null && (!camera || now - this.since > FACELESS_LIMIT);
  }
}

/** What goes up of a mouth: its drive frames while it moves, then that it is closed, then nothing. */
export class SpokenFrames {
  private readonly frame: DriveFrame & { coefficients: Float32Array } = {
    participant: -1, sequence: 0, time: 0, known: Known.MOUTH, confidence: 0, rotation: [1, 0, 0, 0], translation: [0, 0, 0], gaze: [0, 0, 0, 0],
    coefficients: new Float32Array(ARKIT.length),
  }; // prettier-ignore
  private left = 0;

  /** -> a message of `drive/wire.ts`, or null where there is nothing to say. now: milliseconds. */
  next(mouth: Mouth, participant: number, now: number): ArrayBuffer | null {
    const { frame } = this;
    let most = 0;
    PLACES.forEach((place, k) => {
      frame.coefficients[place] = mouth.shape[k]!;
      most = Math.max(most, mouth.shape[k]!);
    });
    if (most > CLOSED) this.left = LAST_WORDS;
    else if (this.left-- <= 0) this.left = 0;
    if (participant < 0 || (most <= CLOSED && this.left <= 0)) return null;
    Object.assign(frame, { participant, sequence: (frame.sequence + 1) & 0xffff, time: now, confidence: Math.max(0.01, mouth.confidence) });
    return encodeDriveFrames([frame]);
  }
}
