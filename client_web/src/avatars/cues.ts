/** Whether somebody did what a guided clip asks for, from how the face in the oval differs from the face at rest. Forgiving: it tells
 * that something was done, not how well. No DOM. */

export type Ask = "ahead" | "left" | "right" | "up" | "smile" | "open" | "relax";

/** Pixels in which the oval's box is looked at. */
export const [CUE_WIDTH, CUE_HEIGHT] = [48, 64] as const;
/** How far features are searched for, pixels: to the sides, up and down. */
const [MOST_X, MOST_Y] = [12, 9] as const;
/** What moves with the head, parts of the box: eyes, nose, mouth. */
const [LEFT, RIGHT, TOP, BOTTOM] = [0.28, 0.72, 0.3, 0.72] as const;
/** Where the mouth is, and a part of the face that moves little with it. */
const MOUTH = { left: 0.28, right: 0.72, top: 0.6, bottom: 0.86 } as const;
const BROW = { left: 0.28, right: 0.72, top: 0.26, bottom: 0.5 } as const;

export interface Cues {
  /** How far the features lie from where they rest, parts of the box: to the picture's right, and down. */
  x: number;
  y: number;
  /** How much the mouth has changed, and how much of that the upper face has, in parts of the contrast. */
  mouth: number;
  brow: number;
}

/** Compares pictures of the oval, `CUE_WIDTH` x `CUE_HEIGHT` luma, with one of a face at rest. */
export class CueMeter {
  private rest: Float32Array | null = null;

  /** The face at rest. */
  take(luma: Float32Array): void {
    this.rest = flattened(luma);
  }

  /** null before there is a face at rest. */
  measure(luma: Float32Array): Cues | null {
    if (this.rest === null) return null;
    const now = flattened(luma);
    const at = nearest(this.rest, now);
    return {
      x: at.x / CUE_WIDTH,
      y: at.y / CUE_HEIGHT,
      mouth: change(this.rest, now, MOUTH, at),
      brow: change(this.rest, now, BROW, at),
    };
  }
}

/** The picture is not mirrored: the person's left is on its right. */
export function isDone(ask: Ask, cues: Cues | null): boolean {
  if (ask === "ahead" || ask === "relax") return true;
  if (cues === null) return false;
  if (ask === "left") return cues.x > TURNED;
  if (ask === "right") return cues.x < -TURNED;
  if (ask === "up") return cues.y < -RAISED;
  return (cues.mouth > MOVED && cues.mouth > MORE * cues.brow) || (cues.mouth > MUCH && cues.mouth > cues.brow);
}

/** Parts of the box: a turn of some ten degrees. Of drawn heads in all lights; see tests/client_web/test_camera_hints.py. */
const [TURNED, RAISED] = [0.06, 0.03] as const;
/** How much a mouth changes that smiles or opens; heads that only move a little change as much above it. */
const [MOVED, MORE, MUCH] = [0.09, 1.5, 0.45] as const;

/** Without slow changes of light, and of the same contrast everywhere. */
function flattened(luma: Float32Array): Float32Array {
  const blurred = boxBlur(luma, 8);
  const out = luma.map((value, i) => value - blurred[i]!);
  let squares = 0;
  for (const value of out) squares += value * value;
  const scale = 1 / Math.max(2, Math.sqrt(squares / out.length));
  return out.map((value) => Math.max(-3, Math.min(3, value * scale)));
}

function boxBlur(values: Float32Array, radius: number): Float32Array {
  const across = new Float32Array(values.length);
  const out = new Float32Array(values.length);
  for (let y = 0; y < CUE_HEIGHT; y++) {
    for (let x = 0; x < CUE_WIDTH; x++) {
      let [sum, count] = [0, 0];
      for (let i = Math.max(0, x - radius); i <= Math.min(CUE_WIDTH - 1, x + radius); i++) [sum, count] = [sum + values[y * CUE_WIDTH + i]!, count + 1];
      across[y * CUE_WIDTH + x] = sum / count;
    }
  }
  for (let y = 0; y < CUE_HEIGHT; y++) {
    for (let x = 0; x < CUE_WIDTH; x++) {
      let [sum, count] = [0, 0];
      for (let j = Math.max(0, y - radius); j <= Math.min(CUE_HEIGHT - 1, y + radius); j++) [sum, count] = [sum + across[j * CUE_WIDTH + x]!, count + 1];
      out[y * CUE_WIDTH + x] = sum / count;
    }
  }
  return out;
}

/** By how many pixels the features of `rest` are found further right and down in `now`. */
function nearest(rest: Float32Array, now: Float32Array): { x: number; y: number } {
  const [x0, x1, y0, y1] = [Math.round(LEFT * CUE_WIDTH), Math.round(RIGHT * CUE_WIDTH), Math.round(TOP * CUE_HEIGHT), Math.round(BOTTOM * CUE_HEIGHT)];
  let best = { x: 0, y: 0, cost: Infinity };
  for (let dy = -MOST_Y; dy <= MOST_Y; dy++) {
    for (let dx = -MOST_X; dx <= MOST_X; dx++) {
      let cost = 0;
      for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) cost += Math.abs(rest[y * CUE_WIDTH + x]! - now[(y + dy) * CUE_WIDTH + x + dx]!);
      cost *= 1 + 0.01 * Math.hypot(dx, dy); // of two that are alike, the nearer
      if (cost < best.cost) best = { x: dx, y: dy, cost };
    }
  }
  return best;
}

function change(rest: Float32Array, now: Float32Array, box: typeof MOUTH | typeof BROW, at: { x: number; y: number }): number {
  let [sum, count] = [0, 0];
  for (let y = Math.round(box.top * CUE_HEIGHT); y < box.bottom * CUE_HEIGHT; y++) {
    for (let x = Math.round(box.left * CUE_WIDTH); x < box.right * CUE_WIDTH; x++) {
      const [i, j] = [x + at.x, y + at.y];
      if (i < 0 || j < 0 || i >= CUE_WIDTH || j >= CUE_HEIGHT) continue;
      sum += Math.abs(rest[y * CUE_WIDTH + x]! - now[j * CUE_WIDTH + i]!);
      count += 1;
    }
  }
  return count === 0 ? 0 : sum / count;
}
