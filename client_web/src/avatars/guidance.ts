/** From numbers about the camera's picture to one hint for whoever looks into it. No DOM. */

/** Brightness from 0 to 255 (BT.709 luma of sRGB values). */
export interface Light {
  /** Mean within the oval, and around it. */
  inside: number;
  outside: number;
  /** Mean within the oval's middle, where no background is. */
  middle: number;
  /** Standard deviation within the oval. */
  contrast: number;
  /** Mean of the oval's brighter half, left or right, in parts of the other's. */
  sides: number;
  /** Part of the oval that is as bright as can be, [0, 1]. */
  blown: number;
}

/** A face, where the browser can find one. Lengths in parts of the oval's. */
export interface Face {
  count: number;
  /** Height of the face. */
  height: number;
  /** Of its centre from the oval's; right and down are positive. */
  x: number;
  y: number;
}

export interface Measured extends Light {
  /** How sharp edges are: mean square of the Laplacian in parts of the variance; see `measure.ts`. */
  sharpness: number;
  /** How much has changed since the picture before, in parts of the contrast. */
  motion: number;
  /** null: not known. */
  face: Face | null;
}

export type Hint =
  | "starting" | "no-face" | "several" | "closer" | "further" | "centre" | "dark" | "bright" | "backlit" | "one-sided" | "flat" | "moving" | "blurred"
  | "good";

export const HINTS: Record<Hint, string> = {
  starting: "Starting your camera…",
  "no-face": "Look into the camera, with your face in the oval.",
  several: "Only one face, please.",
  closer: "Come a little closer.",
  further: "Go back a little.",
  centre: "Move your face into the oval.",
  dark: "It is too dark: turn towards a light.",
  bright: "The light is too strong: turn away from it a little.",
  backlit: "The light is behind you: turn towards it.",
  "one-sided": "One side is dark: turn towards the light.",
  flat: "Turn towards a light, so that your face stands out.",
  moving: "Hold still.",
  blurred: "The picture is not sharp: hold still, or wipe the lens.",
  good: "Good. Look straight ahead, mouth closed and relaxed.",
};

/** What most needs to change. Dark skin in good light is darker than light skin in bad light: contrast tells them apart. Of drawn
 * heads of many people, sizes and lights; see tests/client_web/test_camera_hints.py. */
export function hintOf({ inside, outside, middle, contrast, sides, blown, sharpness, motion, face }: Measured): Hint {
  if (face?.count === 0) return "no-face";
  if (face && face.count > 1) return "several";
  if (inside < 34 || (inside < 60 && contrast < 16)) return "dark";
  if (outside > 150 && middle < 60 && outside > 4 * middle) return "backlit";
  if (blown > 0.2) return "bright";
  if (face && face.height < 0.55) return "closer";
  if (face && face.height > 1.1) return "further";
  if (face && Math.hypot(face.x, face.y) > 0.25) return "centre";
  if (motion > 0.25) return "moving";
  if (sides > 2.4) return "one-sided";
  if (contrast < 12) return "flat";
  return sharpness < BLURRED ? "blurred" : "good";
}

/** Below: faces that are out of focus; sharp ones have five times as much. */
export const BLURRED = 0.008;

/** Milliseconds that a hint has to hold before it is shown, so that words do not flicker, and how long it stays at least. */
const SETTLES = 500;
const STAYS = 1_200;

/** Steadies hints. */
export class Guide {
  shown: Hint = "starting";
  private coming: Hint = "starting";
  private since = -Infinity;
  private shownAt = -Infinity;

  /** What to show `now`, milliseconds. */
  take(hint: Hint, now: number): Hint {
    if (hint !== this.coming) [this.coming, this.since] = [hint, now];
    const settled = this.shown === "starting" || (now - this.since >= SETTLES && now - this.shownAt >= STAYS);
    if (hint !== this.shown && settled) [this.shown, this.shownAt] = [hint, now];
    return this.shown;
  }
}
