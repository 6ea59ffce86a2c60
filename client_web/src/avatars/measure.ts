/** Numbers about a picture, cheap enough for several times a second. No DOM: pixels are RGBA, row by row. */
import type { Light } from "./guidance";

export interface Pixels {
  data: ArrayLike<number>;
  width: number;
  height: number;
}

/** A rectangle in pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Where the face belongs, in parts of the picture: the oval of make_avatar.css. */
export const OVAL = { x: 0.5, y: 0.48, height: 0.74, aspect: 0.75 };

/** The oval's bounding box in a picture of that size. */
export function ovalBox(width: number, height: number): Box {
  const size = OVAL.height * height;
  const wide = OVAL.aspect * size;
  return { left: OVAL.x * width - wide / 2, top: OVAL.y * height - size / 2, width: wide, height: size };
}

/** The middle of a picture with `aspect` (width by height): what `object-fit: cover` shows of it. */
export function coverBox(width: number, height: number, aspect: number): Box {
  const [w, h] = width / height > aspect ? [height * aspect, height] : [width, width / aspect];
  return { left: (width - w) / 2, top: (height - h) / 2, width: w, height: h };
}

/** What of the camera's picture the still has: all of it, but of a wide one only as much as is shown, with shoulders. */
export function stillBox(width: number, height: number, aspect: number): Box {
  return coverBox(width, height, Math.min(width / height, Math.max(4 / 3, aspect)));
}

/** BT.709 luma of sRGB values, 0 to 255. */
export function lumaOf({ data, width, height }: Pixels): Float32Array {
  const luma = new Float32Array(width * height);
  for (let i = 0; i < luma.length; i++) luma[i] = 0.2126 * data[4 * i]! + 0.7152 * data[4 * i + 1]! + 0.0722 * data[4 * i + 2]!;
  return luma;
}

/** `luma` of the oval's bounding box, `around` of the whole small picture. */
export function lightOf(luma: Float32Array, width: number, around: Float32Array, aroundWidth: number): Light {
  const height = luma.length / width;
  let [count, sum, squares, blown, middles, middle] = [0, 0, 0, 0, 0, 0];
  const halves = [0, 0];
  const counts = [0, 0];
  eachInOval(width, height, (i, x, y) => {
    const value = luma[i]!;
    const side = x < width / 2 ? 0 : 1;
    halves[side]! += value;
    counts[side]! += 1;
    count += 1;
    sum += value;
    squares += value * value;
    if (value > 250) blown += 1;
    if (Math.hypot((2 * x + 1) / width - 1, (2 * y + 1) / height - 1) > MIDDLE) return;
    middles += 1;
    middle += value;
  });
  const inside = sum / count;
  const [left, right] = [halves[0]! / counts[0]! + 1, halves[1]! / counts[1]! + 1];
  return {
    inside,
    middle: middle / middles,
    outside: meanOutside(around, aroundWidth),
    contrast: Math.sqrt(Math.max(0, squares / count - inside * inside)),
    sides: Math.max(left / right, right / left),
    blown: blown / count,
  };
}

/** Mean square of the Laplacian within the oval, in parts of the variance there; 0 for an even picture. */
export function sharpnessOf(luma: Float32Array, width: number, contrast: number): number {
  const height = luma.length / width;
  let [count, sum] = [0, 0];
  eachInOval(width, height, (i, x, y) => {
    if (x < 1 || y < 1 || x >= width - 1 || y >= height - 1) return;
    const laplacian = luma[i - 1]! + luma[i + 1]! + luma[i - width]! + luma[i + width]! - 4 * luma[i]!;
    sum += laplacian * laplacian;
    count += 1;
  });
  return contrast < 1 ? 0 : sum / count / (contrast * contrast);
}

/** Of the oval's radius. */
const MIDDLE = 0.6;

const CELL = 6;

/** Mean change from one picture to the next, coarsely, in parts of the contrast: noise goes, motion stays. */
export function motionOf(before: Float32Array | null, luma: Float32Array, width: number, contrast: number): number {
  if (before === null || before.length !== luma.length) return 0;
  const height = luma.length / width;
  let [cells, sum] = [0, 0];
  for (let y = 0; y + CELL <= height; y += CELL) {
    for (let x = 0; x + CELL <= width; x += CELL) {
      let change = 0;
      for (let j = y; j < y + CELL; j++) for (let i = x; i < x + CELL; i++) change += luma[j * width + i]! - before[j * width + i]!;
      sum += Math.abs(change) / (CELL * CELL);
      cells += 1;
    }
  }
  return sum / cells / Math.max(8, contrast);
}

function eachInOval(width: number, height: number, visit: (index: number, x: number, y: number) => void): void {
  for (let y = 0; y < height; y++) {
    const part = (2 * (y + 0.5)) / height - 1;
    const half = (Math.sqrt(1 - part * part) * width) / 2;
    for (let x = Math.ceil((width - 1) / 2 - half); x <= (width - 1) / 2 + half; x++) visit(y * width + x, x, y);
  }
}

/** Mean of what is left and right of the oval's box, above its lower end: where no clothes are. */
function meanOutside(around: Float32Array, width: number): number {
  const height = around.length / width;
  const { left, top, width: wide, height: high } = ovalBox(width, height);
  let [count, sum] = [0, 0];
  for (let y = 0; y < top + 0.6 * high; y++) {
    for (let x = 0; x < width; x++) {
      if (x >= left && x < left + wide && y >= top) continue;
      sum += around[y * width + x]!;
      count += 1;
    }
  }
  return count === 0 ? 0 : sum / count;
}
