/** The web avatar: an avatar as the server writes it for browsers (`models/exchange/web_avatar.py` defines the file). */

export const COEFFICIENTS = 52;
export const JOINTS = 6;
const MAGIC = 0x42455756; // "VWEB", little-endian
const VERSION = 1;
export const MAX_BYTES = 32 << 20;
const MAX_HEADER_BYTES = 64 << 10;
const MAX_GAUSSIANS = 500_000;

/** N Gaussians in the frames of their triangles: units of the triangle, quaternions xyzw. */
export interface Level {
  readonly count: number;
  readonly triangle: Uint16Array;
  readonly means: Float32Array;
  readonly rotations: Float32Array;
  readonly scales: Float32Array;
  /** In [0, 1]. */
  readonly opacities: Float32Array;
  /** sRGB, (N, 3). */
  readonly colors: Uint8Array;
}

export interface WebAvatar {
  /** (V, 3) metres in avatar space. */
  readonly rest: Float32Array;
  /** (V, 6) skinning weights. */
  readonly weights: Float32Array;
  /** (F, 3). */
  readonly triangles: Uint16Array;
  /** (6, 3) metres: torso, neck, head, jaw, left eye, right eye. */
  readonly joints: Float64Array;
  /** Names of the coefficients in order, as ARKit has them. */
  readonly coefficients: readonly string[];
  /** What coefficient k moves: vertices `index[first[k] .. first[k + 1]]` by `delta` metres. */
  readonly expression: { readonly first: readonly number[]; readonly index: Uint16Array; readonly delta: Float32Array };
  /** Coarse first. */
  readonly levels: readonly Level[];
}

/** A file that is no web avatar. The message is a sentence for people. */
export class WebAvatarError extends Error {}

interface Range {
  low: number[];
  high: number[];
}

interface Header {
  vertices: number;
  triangles: number;
  joints: number[][];
  coefficients: string[];
  rest: Range;
  expression: { first: number[]; step: number[] };
  levels: { count: number; begin: number; end: number; means: Range; log_scales: Range }[];
}

/** Reads a whole file, or as much of it as has come: levels that are not complete are left out, but one must be. */
export function parseWebAvatar(buffer: ArrayBuffer): WebAvatar {
  if (buffer.byteLength > MAX_BYTES) throw damaged("it is larger than an avatar can be");
  const { header, start } = readHeader(buffer);
  const reader = new Reader(buffer, start);
  const [v, f] = [header.vertices, header.triangles];
  const rest = fromSteps(reader.u16(3 * v), header.rest, 65535);
  const weights = parts(reader.u8(JOINTS * v));
  const triangles = reader.u16(3 * f);
  below(triangles, v);
  const { first, step } = header.expression;
  const index = reader.u16(first[COEFFICIENTS]!);
  below(index, v);
  const steps = reader.i16(3 * index.length);
  const delta = new Float32Array(steps.length);
  for (let k = 0; k < COEFFICIENTS; k++) for (let i = 3 * first[k]!; i < 3 * first[k + 1]!; i++) delta[i] = steps[i]! * step[k]!;
  const levels = header.levels.filter(({ end }) => start + end <= buffer.byteLength).map((level) => readLevel(reader.at(start + level.begin), level, f));
  if (levels.length === 0) throw damaged("it is cut short");
  return { rest, weights, triangles, joints: Float64Array.from(header.joints.flat()), coefficients: header.coefficients, expression: { first, index, delta }, levels };
}

function readHeader(buffer: ArrayBuffer): { header: Header; start: number } {
  const view = new DataView(buffer);
  if (buffer.byteLength < 12 || view.getUint32(0, true) !== MAGIC) throw damaged("it is none");
  if (view.getUint32(4, true) !== VERSION) throw new WebAvatarError("This page is older or newer than its server: load it again.");
  const length = view.getUint32(8, true);
  const start = 12 + length;
  if (length > MAX_HEADER_BYTES || start > buffer.byteLength || start % 4 !== 0) throw damaged("its header is not whole");
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, 12, length)));
  } catch {
    throw damaged("its header cannot be read");
  }
  if (!isHeader(header)) throw damaged("its header does not have what an avatar needs");
  return { header, start };
}

function readLevel(reader: Reader, { count, means, log_scales }: Header["levels"][number], triangles: number): Level {
  const triangle = reader.u16(count);
  below(triangle, triangles);
  const placed = fromSteps(reader.u16(3 * count), means, 65535);
  const rotations = unpackedRotations(reader.u32(count));
  const scales = exponentials(reader.u8(3 * count), log_scales);
  const opacities = parts(reader.u8(count));
  return { count, triangle, means: placed, rotations, scales, opacities, colors: reader.u8(3 * count) };
}

/** Smallest three: two bits say which component is left out, ten bits each give the others. */
function unpackedRotations(packed: Uint32Array): Float32Array {
  const out = new Float32Array(4 * packed.length);
  const part = (bits: number, shift: number): number => (((bits >>> shift) & 1023) / 1023 - 0.5) * Math.SQRT2;
  for (let n = 0, o = 0; n < packed.length; n++, o += 4) {
    const bits = packed[n]!;
    const largest = bits >>> 30; // of w, x, y, z
    const [a, b, c] = [part(bits, 20), part(bits, 10), part(bits, 0)];
    const square = a * a + b * b + c * c;
    const most = Math.sqrt(Math.max(0, 1 - square));
    const length = Math.sqrt(square + most * most);
    out[o + 3] = (largest === 0 ? most : a) / length;
    out[o] = (largest === 0 ? a : largest === 1 ? most : b) / length;
    out[o + 1] = (largest < 2 ? b : largest === 2 ? most : c) / length;
    out[o + 2] = (largest < 3 ? c : most) / length;
  }
  return out;
}

/** Sections one after the other, each padded to 4 bytes. */
class Reader {
  constructor(
    private readonly buffer: ArrayBuffer,
    private place: number,
  ) {}

  at(place: number): Reader {
    return new Reader(this.buffer, place);
  }

  u8 = (count: number): Uint8Array => new Uint8Array(this.buffer, this.take(count), count);
  u16 = (count: number): Uint16Array => new Uint16Array(this.buffer, this.take(2 * count), count);
  i16 = (count: number): Int16Array => new Int16Array(this.buffer, this.take(2 * count), count);
  u32 = (count: number): Uint32Array => new Uint32Array(this.buffer, this.take(4 * count), count);

  private take(bytes: number): number {
    const begin = this.place;
    this.place += bytes + ((4 - (bytes % 4)) % 4);
    if (begin + bytes > this.buffer.byteLength) throw damaged("it is cut short");
    return begin;
  }
}

function fromSteps(steps: Uint16Array, { low, high }: Range, most: number): Float32Array {
  const out = new Float32Array(steps.length);
  for (let c = 0; c < 3; c++) {
    const [base, range] = [low[c]!, high[c]! - low[c]!];
    for (let i = c; i < steps.length; i += 3) out[i] = base + (steps[i]! / most) * range;
  }
  return out;
}

/** As `fromSteps`, of what the steps are the logarithm of. */
function exponentials(steps: Uint8Array, { low, high }: Range): Float32Array {
  const out = new Float32Array(steps.length);
  for (let c = 0; c < 3; c++) {
    const [base, range] = [low[c]!, high[c]! - low[c]!];
    const values = new Float32Array(256);
    for (let step = 0; step < 256; step++) values[step] = Math.exp(Math.fround(base + (step / 255) * range));
    for (let i = c; i < steps.length; i += 3) out[i] = values[steps[i]!]!;
  }
  return out;
}

function parts(steps: Uint8Array): Float32Array {
  const out = new Float32Array(steps.length);
  for (let i = 0; i < steps.length; i++) out[i] = steps[i]! / 255;
  return out;
}

function below(values: Uint16Array, limit: number): void {
  for (const value of values) if (value >= limit) throw damaged("it names what it does not have");
}

function damaged(why: string): WebAvatarError {
  return new WebAvatarError(`The avatar's file cannot be used because ${why}: load the page again.`);
}

function isHeader(value: unknown): value is Header {
  const h = value as Header;
  return (
    isObject(h) &&
    isCount(h.vertices, 1 << 16) &&
    isCount(h.triangles, 1 << 16) &&
    Array.isArray(h.joints) &&
    h.joints.length === JOINTS &&
    h.joints.every((joint) => areNumbers(joint, 3)) &&
    Array.isArray(h.coefficients) &&
    h.coefficients.length === COEFFICIENTS &&
    h.coefficients.every((name) => typeof name === "string") &&
    isRange(h.rest) &&
    isObject(h.expression) &&
    areNumbers(h.expression.step, COEFFICIENTS) &&
    areNumbers(h.expression.first, COEFFICIENTS + 1) &&
    h.expression.first.every((n, k, all) => Number.isInteger(n) && (k === 0 ? n === 0 : n >= all[k - 1]!)) &&
    Array.isArray(h.levels) &&
    h.levels.length >= 1 &&
    h.levels.length <= 8 &&
    h.levels.every((level) => isObject(level) && isCount(level.count, MAX_GAUSSIANS) && isPlace(level.begin) && isPlace(level.end) && level.begin < level.end && isRange(level.means) && isRange(level.log_scales) && [...level.log_scales.low, ...level.log_scales.high].every((log) => log < 10))
  );
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function isCount(value: unknown, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most;
}

function isPlace(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_BYTES && (value as number) % 4 === 0;
}

function isRange(value: unknown): boolean {
  const range = value as Range;
  return isObject(range) && areNumbers(range.low, 3) && areNumbers(range.high, 3);
}

function areNumbers(value: unknown, count: number): boolean {
  return Array.isArray(value) && value.length === count && value.every((number) => typeof number === "number" && Math.abs(number) < 1e6);
}
