/**
 * Drive frames on the data channel `drive`, as `models/exchange/drive_frames.py` writes and reads them: the layout is there and in
 * docs/protocol.md.
 */
import * as format from "./format";

export const { HEADER_BYTES, SHORTEST, MOST, COEFFICIENTS, Known } = format;
const { AT, ROTATION_STEPS, TRANSLATION_STEPS, GAZE_STEPS, BYTE_STEPS, MAX_TRANSLATION, MAX_GAZE } = format;
const KNOWN_BITS = Object.values(Known).reduce((all, bit) => all | bit, 0);

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
  const view = new DataView(new ArrayBuffer(HEADER_BYTES + frames.length * format.LONGEST));
  view.setUint8(0, format.VERSION);
  view.setUint8(1, format.DRIVE_FRAMES);
  view.setUint8(2, frames.length);
  const end = frames.reduce((at, frame) => writeRecord(view, at, frame), HEADER_BYTES);
  return (view.buffer as ArrayBuffer).slice(0, end);
}

/** The frames of a message. Throws `WireError`: another version or kind, another length than it says, out of range. */
export function decodeDriveFrames(data: ArrayBuffer): DriveFrame[] {
  const view = new DataView(data);
  if (data.byteLength < HEADER_BYTES) throw new WireError("a message of drive frames was expected, it is cut short");
  if (view.getUint8(0) !== format.VERSION) throw new WireError(`drive frames of version ${format.VERSION} were expected; reload the page`);
  if (view.getUint8(1) !== format.DRIVE_FRAMES) throw new WireError("drive frames were expected, another kind of message came");
  const count = view.getUint8(2);
  const frames: DriveFrame[] = [];
  let at = HEADER_BYTES;
  for (; frames.length < count && at + SHORTEST <= data.byteLength; at += recordBytes(view, at)) frames.push(readRecord(view, at));
  if (count < 1 || count > MOST || frames.length !== count || at !== data.byteLength)
    throw new WireError("a message of drive frames was expected, it has another length than it says");
  return frames;
}

/** Whether a sequence number comes after another one, both modulo 2^16 (RFC 1982). */
export function isNewer(sequence: number, than: number): boolean {
  const ahead = (sequence - than) & 0xffff;
  return ahead > 0 && ahead < 0x8000;
}

/** Returns where the record ends. */
function writeRecord(view: DataView, at: number, frame: DriveFrame): number {
  const { rotation, translation, gaze, coefficients } = frame;
  if (rotation.length !== 4 || translation.length !== 3 || gaze.length !== 4 || coefficients.length !== COEFFICIENTS)
    throw new WireError("a drive frame of finite numbers was expected, this one has another number of them");
  for (const values of [rotation, translation, gaze, coefficients, [frame.time, frame.confidence]])
    for (let i = 0; i < values.length; i++)
      if (!Number.isFinite(values[i])) throw new WireError("a drive frame of finite numbers was expected, this one has others");
  view.setInt32(at + AT.participant, frame.participant, true);
  view.setUint16(at + AT.sequence, frame.sequence, true);
  view.setUint32(at + AT.time, Math.floor(frame.time + 0.5) % 2 ** 32, true);
  view.setUint8(at + AT.known, (frame.known & KNOWN_BITS) | (writeRotation(view, at + AT.rotation, rotation) << format.LARGEST_AT));
  const confidence = Math.min(Math.max(frame.confidence, 0), 1);
  view.setUint8(at + AT.confidence, Math.max(Math.floor(confidence * BYTE_STEPS + 0.5), confidence > 0 ? 1 : 0));
  for (let i = 0; i < 3; i++) view.setInt16(at + AT.translation + 2 * i, steps(translation[i]!, MAX_TRANSLATION, TRANSLATION_STEPS), true);
  for (let eye = 0; eye < 2; eye++) {
    const [yaw, pitch] = [steps(gaze[2 * eye]!, MAX_GAZE, GAZE_STEPS), steps(gaze[2 * eye + 1]!, MAX_GAZE, GAZE_STEPS)];
    const bits = (yaw & 0xfff) | ((pitch & 0xfff) << 12);
    view.setUint16(at + AT.gaze + 3 * eye, bits & 0xffff, true);
    view.setUint8(at + AT.gaze + 3 * eye + 2, bits >>> 16);
  }
  let end = at + SHORTEST;
  for (let i = 0; i < COEFFICIENTS; i++) {
    const value = Math.floor(Math.min(Math.max(coefficients[i]!, 0), 1) * BYTE_STEPS + 0.5);
    if (value === 0) continue;
    const filled = at + AT.filled + (i >> 3);
    view.setUint8(filled, view.getUint8(filled) | (1 << (i & 7)));
    view.setUint8(end++, value);
  }
  return end;
}

/** All but the largest number of a quaternion. Returns which that is. */
function writeRotation(view: DataView, at: number, rotation: Numbers): number {
  const [w, x, y, z] = [rotation[0]!, rotation[1]!, rotation[2]!, rotation[3]!];
  const length = Math.sqrt(w * w + x * x + y * y + z * z);
  if (!(length > 0 && length < Infinity)) throw new WireError("a drive frame with a unit quaternion was expected, this one has no length");
  let largest = 0;
  for (let i = 1; i < 4; i++) if (Math.abs(rotation[i]!) > Math.abs(rotation[largest]!)) largest = i;
  const signed = rotation[largest]! < 0 ? -length : length;
  for (let i = 0, end = at; i < 4; i++) {
    if (i === largest) continue;
    view.setInt16(end, Math.floor((rotation[i]! / signed) * ROTATION_STEPS + 0.5), true);
    end += 2;
  }
  return largest;
}

function steps(value: number, limit: number, scale: number): number {
  return Math.floor(Math.min(Math.max(value, -limit), limit) * scale + 0.5);
}

function isFilled(view: DataView, at: number, coefficient: number): boolean {
  return ((view.getUint8(at + AT.filled + (coefficient >> 3)) >> (coefficient & 7)) & 1) === 1;
}

function recordBytes(view: DataView, at: number): number {
  let bytes = SHORTEST;
  for (let i = 0; i < COEFFICIENTS; i++) if (isFilled(view, at, i)) bytes++;
  return bytes;
}

function readRecord(view: DataView, at: number): DriveFrame {
  const participant = view.getInt32(at + AT.participant, true);
  const known = view.getUint8(at + AT.known);
  const smaller = Array.from({ length: 3 }, (_, i) => view.getInt16(at + AT.rotation + 2 * i, true) / ROTATION_STEPS);
  const rest = smaller.reduce((sum, value) => sum + value * value, 0);
  const translation = numbers(3, (i) => view.getInt16(at + AT.translation + 2 * i, true) / TRANSLATION_STEPS);
  const gaze = numbers(4, (i) => {
    const eye = at + AT.gaze + 3 * (i >> 1);
    const bits = (view.getUint16(eye, true) | (view.getUint8(eye + 2) << 16)) >> (12 * (i & 1));
    return (((bits & 0xfff) ^ 0x800) - 0x800) / GAZE_STEPS;
  });
  if (at + recordBytes(view, at) > view.byteLength || view.getUint8(at + AT.filled + (COEFFICIENTS >> 3)) >> (COEFFICIENTS & 7))
    throw new WireError(`${COEFFICIENTS} coefficients were expected in a drive frame, it names others`);
  if (participant < -1) throw new WireError("a participant's number was expected in a drive frame, a negative one came");
  if (rest > format.MAX_REST) throw new WireError("a drive frame with a unit quaternion was expected, it has another length");
  if (gaze.some((value) => Math.abs(value) > MAX_GAZE + 0.5 / GAZE_STEPS))
    throw new WireError("a gaze of at most a quarter turn was expected in a drive frame");
  smaller.splice(known >> format.LARGEST_AT, 0, Math.sqrt(1 - rest));
  const coefficients = new Float32Array(COEFFICIENTS);
  for (let i = 0, value = at + SHORTEST; i < COEFFICIENTS; i++)
    if (isFilled(view, at, i)) coefficients[i] = view.getUint8(value++) / BYTE_STEPS;
  return {
    participant,
    sequence: view.getUint16(at + AT.sequence, true),
    time: view.getUint32(at + AT.time, true),
    known: known & KNOWN_BITS,
    confidence: view.getUint8(at + AT.confidence) / BYTE_STEPS,
    rotation: Float64Array.from(smaller),
    translation,
    gaze,
    coefficients,
  };
}

function numbers(count: number, value: (i: number) => number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => value(i));
}
