/** Where an orbit camera looks from: on a sphere around a head or the table. Radians and metres, as `ViewerCamera`. */
import { MAX_DISTANCE, MAX_PITCH, MIN_DISTANCE } from "./protocol";

export interface View {
  /** 0 faces the avatar, positive towards its left; any turn, kept in (-pi, pi]. */
  yaw: number;
  /** Positive looks from above. */
  pitch: number;
  distance: number;
}

export const FRONT: Readonly<View> = { yaw: 0, pitch: 0, distance: 0.9 };

/** A drag across the whole stage turns this far. */
const TURN_PER_STAGE = Math.PI;
/** One notch of a usual mouse wheel is about 100 pixels. */
const ZOOM_PER_PIXEL = 0.0012;
const SECONDS_PER_TURN = 24;

export function limited(view: View): View {
  return {
    yaw: wrap(view.yaw),
    pitch: clamp(view.pitch, -MAX_PITCH, MAX_PITCH),
    distance: clamp(view.distance, MIN_DISTANCE, MAX_DISTANCE),
  };
}

/** The head follows the hand: dragging right turns it right, which takes the camera to the other side. */
export function dragged(view: View, dx: number, dy: number, stage: number): View {
  const angle = TURN_PER_STAGE / Math.max(1, stage);
  return limited({ ...view, yaw: view.yaw - dx * angle, pitch: view.pitch + dy * angle });
}

export function turned(view: View, yaw: number, pitch: number): View {
  return limited({ ...view, yaw: view.yaw + yaw, pitch: view.pitch + pitch });
}

/** `factor` above 1 goes away. */
export function zoomed(view: View, factor: number): View {
  return limited({ ...view, distance: view.distance * factor });
}

/** A wheel event's `deltaY` and `deltaMode` as a factor for `zoomed`. */
export function wheelFactor(delta: number, mode: number): number {
  const pixels = delta * (mode === 1 ? 33 : mode === 2 ? 400 : 1);
  return Math.exp(clamp(pixels, -300, 300) * ZOOM_PER_PIXEL);
}

/** The slow turn, `seconds` later. */
export function turning(view: View, seconds: number): View {
  return turned(view, (2 * Math.PI * seconds) / SECONDS_PER_TURN, 0);
}

/** From `a` (t = 0) to `b` (t = 1), eased, yaw the short way round. */
export function between(a: View, b: View, t: number): View {
  if (t >= 1) return { ...b };
  const s = Math.max(0, t);
  const ease = s * s * (3 - 2 * s);
  return limited({
    yaw: a.yaw + wrap(b.yaw - a.yaw) * ease,
    pitch: a.pitch + (b.pitch - a.pitch) * ease,
    distance: a.distance + (b.distance - a.distance) * ease,
  });
}

/** An angle in (-pi, pi]. */
export function wrap(angle: number): number {
  const turns = angle - 2 * Math.PI * Math.floor((angle + Math.PI) / (2 * Math.PI));
  return turns === -Math.PI ? Math.PI : turns;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
