/**
 * Drive frames on the data channel `drive`, as `models/exchange/drive_frames.py` writes and reads them: the layout is there and in
 * docs/protocol.md.
 */

export const VERSION = 1;
export const DRIVE_FRAMES = 1;
export const HEADER_BYTES = 3;
export const RECORD_BYTES = 86;
/** Records of a message at the most. */
export const MOST = 16;
/** Records that fit into one packet of the channel. */
export const FITTING = 13;
export const COEFFICIENTS = 52;
const [ROTATION_STEPS, TRANSLATION_STEPS, GAZE_STEPS, BYTE_STEPS] = [32767, 10_000, 8192, 255];
const MAX_TRANSLATION = 3.2767;
const MAX_GAZE = Math.PI / 2;
const UNIT_WITHIN = 0.01;

/** What a frame says something about, bits of `DriveFrame.known`; the rest of it is at rest. */
export const Known = {
  /** Rotation and translation. */
  HEAD: 1,
  /** All coefficients. */
  FACE: 2,
  /** The coefficients of jaw, mouth and tongue, from sound. */
  MOUTH: 4,
  GAZE: 8,
  /** Head and gaze are turned to somebody in the room, as with a headset; without it, to somebody on a screen. */
  IN_ROOM: 16,
} as const;
const KNOWN_BITS = 31;

/** One moment of a face, as `models/types.py: DriveFrame` has it, relative to the resting head. */
export interface DriveFrame {
  /** Whose. */
  participant: number;
  /** Counts from one frame to the next, and wraps at 2^16. */
  sequence: number;
  /** Milliseconds of the sender's clock, wraps at 2^32. */
  time: number;
  /** Bits of `Known`. */
  known: number;
  /** In [0, 1]; 0 where the avatar is at rest. */
  confidence: number;
  /** Unit quaternion, wxyz. */
  rotation: Numbers;
  /** Metres. */
  translation: Numbers;
  /** Radians: left yaw, left pitch, right yaw, right pitch. */
  gaze: Numbers;
  /** Each in [0, 1], ARKit's order. */
  coefficients: Numbers;
}

export type Numbers = Float32Array | Float64Array | readonly number[];

/** A message that holds no drive frames. */
export class WireError extends Error {}

/** A message of 1 to `MOST` frames. What lies beyond a range is cut to it. Throws `WireError` for what is not a number. */
export function encodeDriveFrames(frames: readonly DriveFrame[]): ArrayBuffer {
  if (frames.length < 1 || frames.length > MOST) throw new WireError(`1 to ${MOST} drive frames were expected in a message`);
  const buffer = new ArrayBuffer(HEADER_BYTES + frames.length * RECORD_BYTES);
  const view = new DataView(buffer);
  view.setUint8(0, VERSION);
  view.setUint8(1, DRIVE_FRAMES);
  view.setUint8(2, frames.length);
  frames.forEach((frame, i) => writeRecord(view, HEADER_BYTES + i * RECORD_BYTES, frame));
  return buffer;
}

/** The frames of a message. Throws `WireError`: another version or kind, another length than it says, out of range. */
export function decodeDriveFrames(data: ArrayBuffer): DriveFrame[] {
  const view = new DataView(data);
  if (data.byteLength < HEADER_BYTES) throw new WireError("a message of drive frames was expected, it is cut short");
  if (view.getUint8(0) !== VERSION) throw new WireError(`drive frames of version ${VERSION} were expected; reload the page`);
  if (view.getUint8(1) !== DRIVE_FRAMES) throw new WireError("drive frames were expected, another kind of message came");
  const count = view.getUint8(2);
  if (count < 1 || count > MOST || data.byteLength !== HEADER_BYTES + count * RECORD_BYTES)
    throw new WireError("a message of drive frames was expected, it has another length than it says");
  return Array.from({ length: count }, (_, i) => readRecord(view, HEADER_BYTES + i * RECORD_BYTES));
}

/** Whether a sequence number comes after another one, both modulo 2^16 (RFC 1982). */
export function isNewer(sequence: number, than: number): boolean {
  const ahead = (sequence - than) & 0xffff;
  return ahead > 0 && ahead < 0x8000;
}

function writeRecord(view: DataView, at: number, frame: DriveFrame): void {
  const { rotation, translation, gaze, coefficients } = frame;
  if (rotation.length !== 4 || translation.length !== 3 || gaze.length !== 4 || coefficients.length !== COEFFICIENTS)
    throw new WireError("a drive frame of finite numbers was expected, this one has another number of them");
  for (const values of [rotation, translation, gaze, coefficients, [frame.time, frame.confidence]])
    for (let i = 0; i < values.length; i++)
      if (!Number.isFinite(values[i])) throw new WireError("a drive frame of finite numbers was expected, this one has others");
  const [w, x, y, z] = [rotation[0]!, rotation[1]!, rotation[2]!, rotation[3]!];
  const length = Math.sqrt(w * w + x * x + y * y + z * z);
  if (!(length > 0)) throw new WireError("a drive frame with a unit quaternion was expected, this one is zero");
  view.setInt32(at, frame.participant, true);
  view.setUint16(at + 4, frame.sequence, true);
  view.setUint32(at + 6, Math.floor(frame.time + 0.5) % 2 ** 32, true);
  view.setUint8(at + 10, frame.known & KNOWN_BITS);
  const confidence = Math.min(Math.max(frame.confidence, 0), 1);
  view.setUint8(at + 11, Math.max(Math.floor(confidence * BYTE_STEPS + 0.5), confidence > 0 ? 1 : 0));
  for (let i = 0; i < 4; i++) view.setInt16(at + 12 + 2 * i, Math.floor((rotation[i]! / length) * ROTATION_STEPS + 0.5), true);
  for (let i = 0; i < 3; i++) view.setInt16(at + 20 + 2 * i, steps(translation[i]!, MAX_TRANSLATION, TRANSLATION_STEPS), true);
  for (let i = 0; i < 4; i++) view.setInt16(at + 26 + 2 * i, steps(gaze[i]!, MAX_GAZE, GAZE_STEPS), true);
  for (let i = 0; i < COEFFICIENTS; i++)
    view.setUint8(at + 34 + i, Math.floor(Math.min(Math.max(coefficients[i]!, 0), 1) * BYTE_STEPS + 0.5));
}

function steps(value: number, limit: number, scale: number): number {
  return Math.floor(Math.min(Math.max(value, -limit), limit) * scale + 0.5);
}

function readRecord(view: DataView, at: number): DriveFrame {
  const participant = view.getInt32(at, true);
  const rotation = numbers(4, (i) => view.getInt16(at + 12 + 2 * i, true) / ROTATION_STEPS);
  const translation = numbers(3, (i) => view.getInt16(at + 20 + 2 * i, true) / TRANSLATION_STEPS);
  const gaze = numbers(4, (i) => view.getInt16(at + 26 + 2 * i, true) / GAZE_STEPS);
  const length = Math.sqrt(rotation.reduce((sum, value) => sum + value * value, 0));
  if (participant < -1) throw new WireError("a participant's number was expected in a drive frame, a negative one came");
  if (Math.abs(length - 1) > UNIT_WITHIN) throw new WireError("a drive frame with a unit quaternion was expected, it has another length");
  if (gaze.some((value) => Math.abs(value) > MAX_GAZE + 0.5 / GAZE_STEPS))
    throw new WireError("a gaze of at most a quarter turn was expected in a drive frame");
  return {
    participant,
    sequence: view.getUint16(at + 4, true),
    time: view.getUint32(at + 6, true),
    known: view.getUint8(at + 10) & KNOWN_BITS,
    confidence: view.getUint8(at + 11) / BYTE_STEPS,
    rotation: rotation.map((value) => value / length),
    translation,
    gaze,
    coefficients: Float32Array.from({ length: COEFFICIENTS }, (_, i) => view.getUint8(at + 34 + i) / BYTE_STEPS),
  };
}

function numbers(count: number, value: (i: number) => number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => value(i));
}
