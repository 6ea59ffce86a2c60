/**
 * A face's landmarks on the data channel `drive`, as `models/exchange/landmark_frames.py` reads them: the layout is there and in
 * docs/protocol.md.
 */
import { LANDMARK_FRAMES, VERSION } from "./format";
import { WireError } from "./wire";

export const LANDMARKS = 478;
const HEADER_BYTES = 13;
const [STEPS, BYTE_STEPS] = [16384, 255];
const [LEAST_SIDE, MOST_SIDE] = [32, 8192];

/** What was seen in one picture of the camera. */
export interface LandmarkFrame {
  /** Counts from one picture to the next, and wraps at 2^16. */
  sequence: number;
  /** Milliseconds of the page's clock, wraps at 2^32. */
  time: number;
  /** Of the camera's picture, pixels. */
  width: number;
  height: number;
  /** In [0, 1]. */
  confidence: number;
  /** Of each landmark x and z in parts of the width and y in parts of the height, right, down and away; null: no face is seen. */
  points: ArrayLike<number> | null;
}

/** A message. What lies beyond a range is cut to it. Throws `WireError` for what is not a number, and for pictures of no size. */
export function encodeLandmarks({ sequence, time, width, height, confidence, points }: LandmarkFrame): ArrayBuffer {
  if (!(Math.min(width, height) >= LEAST_SIDE && Math.max(width, height) <= MOST_SIDE))
    throw new WireError(`a picture of ${LEAST_SIDE} to ${MOST_SIDE} pixels a side was expected`);
  if (points && points.length !== 3 * LANDMARKS) throw new WireError(`${LANDMARKS} landmarks were expected`);
  if (!Number.isFinite(time) || !Number.isFinite(confidence)) throw new WireError("landmarks with finite numbers were expected");
  const view = new DataView(new ArrayBuffer(HEADER_BYTES + (points ? 6 * LANDMARKS : 0)));
  view.setUint8(0, VERSION);
  view.setUint8(1, LANDMARK_FRAMES);
  view.setUint16(2, sequence, true);
  view.setUint32(4, Math.floor(time + 0.5) % 2 ** 32, true);
  view.setUint16(8, width, true);
  view.setUint16(10, height, true);
  if (points) {
    view.setUint8(12, Math.max(Math.floor(Math.min(Math.max(confidence, 0), 1) * BYTE_STEPS + 0.5), 1));
    for (let i = 0; i < points.length; i++) {
      const value = points[i]!;
      if (!Number.isFinite(value)) throw new WireError("landmarks of finite numbers were expected, these are others");
      view.setInt16(HEADER_BYTES + 2 * i, Math.min(Math.max(Math.floor(value * STEPS + 0.5), -32768), 32767), true);
    }
  }
  return view.buffer as ArrayBuffer;
}
