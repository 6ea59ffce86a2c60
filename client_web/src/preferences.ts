/** What this browser remembers between calls: choices and the name that was typed, never anything about a room or the others. */

import { type BackgroundChoice, isChoice } from "./background";
import { type DrawnBy, isDrawnBy } from "./scene/drawn_by";

export interface Preferences {
  name: string;
  /** Id of the avatar. */
  avatar: string;
  camera: string;
  microphone: string;
  cameraOn: boolean;
  microphoneOn: boolean;
  selfView: boolean;
  stats: "off" | "small" | "full";
  background: BackgroundChoice;
  drawnBy: DrawnBy;
  /** The camera's picture stays on this device. */
  privateCamera: boolean;
}

type Store = Pick<Storage, "getItem" | "setItem">;

const KEY = "visavis.preferences";

export function defaults(): Preferences {
  return { name: "", avatar: "", camera: "", microphone: "", cameraOn: true, microphoneOn: true, selfView: true, stats: "small", background: "auto", drawnBy: "auto", privateCamera: false };
}

export function loadPreferences(store: Store | null = storage()): Preferences {
  const result = defaults();
  let saved: unknown;
  try {
    saved = JSON.parse(store?.getItem(KEY) ?? "null");
  } catch {
    return result;
  }
  if (typeof saved !== "object" || saved === null) return result;
  const { name, avatar, camera, microphone, cameraOn, microphoneOn, selfView, stats, background, drawnBy, privateCamera } = saved as Record<string, unknown>;
  if (typeof name === "string") result.name = name;
  if (typeof avatar === "string") result.avatar = avatar;
  if (typeof camera === "string") result.camera = camera;
  if (typeof microphone === "string") result.microphone = microphone;
  if (typeof cameraOn === "boolean") result.cameraOn = cameraOn;
  if (typeof microphoneOn === "boolean") result.microphoneOn = microphoneOn;
  if (typeof selfView === "boolean") result.selfView = selfView;
  if (stats === "off" || stats === "small" || stats === "full") result.stats = stats;
  if (isChoice(background)) result.background = background;
  if (isDrawnBy(drawnBy)) result.drawnBy = drawnBy;
  if (typeof privateCamera === "boolean") result.privateCamera = privateCamera;
  return result;
}

export function savePreferences(preferences: Preferences, store: Store | null = storage()): void {
  try {
    store?.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // A full or forbidden store only means that choices are asked again.
  }
}

/** Reading `localStorage` itself throws where the browser forbids it. */
function storage(): Store | null {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}
