/** Where the people of a room sit, and what one sees from a seat: `realtime/room/seating.py`, which says why, to the last digit. */
import { type Camera, FOV_Y, orbitCamera, TARGET } from "../render/camera";
import { identity, inverse, moved, type Rigid, times, turn } from "../render/rigid";

type Vector = [number, number, number];
/** left, top, width, height of an avatar's part of the picture, in parts of its width and height. */
export type Cell = [number, number, number, number];

/** Metres from which an avatar looks best. */
export const DISTANCE = 0.9;
export const [HEAD_WIDTH, HEAD_HEIGHT] = [0.31, 0.42];
const HALF = Math.tan(0.5 * FOV_Y);
const ALONE = HEAD_HEIGHT / (2 * DISTANCE * HALF);
const SHOULDER = 0.3;

/** position: of the avatar's origin, metres, room axes. yaw: radians about y; 0 faces +z. */
export interface Seat {
  position: Vector;
  yaw: number;
}

/** transforms: of each avatar, room -> view space, in which the camera stands. */
export interface Arrangement {
  camera: Camera;
  transforms: Rigid[];
  cells: Cell[];
}

export function matrixOf({ position, yaw }: Seat): Rigid {
  const m = turn(0, yaw, 0);
  position.forEach((value, i) => (m[4 * i + 3] = value));
  return m;
}

export function radius(count: number): number {
  return count < 2 ? 0 : (0.5 * DISTANCE) / Math.sin(Math.PI / count);
}

/** The seats of `count` people, clockwise as seen from above. */
export function seats(count: number): Seat[] {
  if (count === 1) return [{ position: [0, 0, 0], yaw: 0 }];
  return Array.from({ length: count }, (_, index) => {
    const angle = Math.PI + (2 * Math.PI * index) / count;
    return { position: [radius(count) * Math.sin(angle), 0, radius(count) * Math.cos(angle)], yaw: angle + Math.PI };
  });
}

/** From `start` (0) to `end` (1): the position goes straight, the yaw the shorter way. */
export function inBetween(start: Seat, end: Seat, share: number): Seat {
  const position = start.position.map((value, i) => value + share * (end.position[i]! - value)) as Vector;
  return { position, yaw: start.yaw + share * remainder(end.yaw - start.yaw, 2 * Math.PI) };
}

/** The cells of `others` on the picture from `own`: from the person's left hand to the right. */
export function seatCells(own: Seat, others: Seat[], width: number, height: number): Cell[] {
  return cellsOf(leftToRight(own, others), width, height);
}

export function spectatorCells(count: number, width: number, height: number): Cell[] {
  return cellsOf([...Array(count).keys()], width, height);
}

/** What the person on `own` sees: `others` in `cells`. */
export function fromSeat(own: Seat, others: Seat[], cells: Cell[], width: number, height: number): Arrangement {
  return arranged(others.map(() => eyeOf(own)), others, cells, width, height);
}

/** What somebody without a seat sees, or a person alone: everybody, each from before the face. */
export function forSpectators(people: Seat[], cells: Cell[], width: number, height: number): Arrangement {
  const before = people.map((seat): Vector => {
    const [eye, ahead] = [eyeOf(seat), forward(seat)];
    return [eye[0] + DISTANCE * ahead[0], eye[1] + DISTANCE * ahead[1], eye[2] + DISTANCE * ahead[2]];
  });
  return arranged(before, people, cells, width, height);
}

/** The room as it is, from a camera around its middle. */
export function aroundTable(people: Seat[], yaw: number, pitch: number, distance: number, width: number, height: number): Arrangement {
  const away = distance * (people.length > 1 ? wholeTable(people.length, pitch, width, height) / DISTANCE : 1);
  const camera = orbitCamera({ yaw, pitch, distance: away }, width, height);
  return { camera, transforms: people.map(identity), cells: people.map((seat) => cellAround(camera, seat)) };
}

/** Metres from the middle from which a picture of that size holds everybody at the table, whatever the yaw. */
export function wholeTable(count: number, pitch: number, width: number, height: number): number {
  const reach = radius(count);
  const across = (((reach + SHOULDER) / HALF) * height) / width;
  const down = (reach * Math.abs(Math.sin(pitch)) + SHOULDER) / HALF + reach * Math.cos(pitch);
  return Math.max(across, down);
}

/** One person alone, from a camera around the head. */
export function aroundPerson(seat: Seat, yaw: number, pitch: number, distance: number, width: number, height: number): Arrangement {
  const away = distance * Math.max(1, ((HEAD_WIDTH / HEAD_HEIGHT) * height) / width);
  return { camera: orbitCamera({ yaw, pitch, distance: away }, width, height), transforms: [inverse(matrixOf(seat))], cells: [alone()] };
}

/** How large an avatar is drawn in its cell. */
export function pixelsPerMetre([, , wide, tall]: Cell, width: number, height: number): number {
  return Math.min((wide * width) / HEAD_WIDTH, (tall * height) / HEAD_HEIGHT);
}

/** (rows, columns) in which `count` avatars are largest on a picture of that size. */
function grid(count: number, width: number, height: number): [number, number] {
  let [best, largest]: [[number, number], number] = [[1, 1], 0];
  for (let rows = 1; rows <= count; rows++) {
    const columns = Math.ceil(count / rows);
    const size = Math.min(width / columns / HEAD_WIDTH, height / rows / HEAD_HEIGHT);
    if (size > 1.02 * largest) [best, largest] = [[rows, columns], size];
  }
  return best;
}

function alone(): Cell {
  return [0.5 - ALONE / 2, 0.5 - ALONE / 2, ALONE, ALONE];
}

function forward({ yaw }: Seat): Vector {
  return [Math.sin(yaw), 0, Math.cos(yaw)];
}

export function eyeOf({ position }: Seat): Vector {
  return [position[0] + TARGET[0], position[1] + TARGET[1], position[2] + TARGET[2]];
}

/** Avatar `order[n]` comes into the n-th cell, row by row; each row is centred. */
function cellsOf(order: number[], width: number, height: number): Cell[] {
  const count = order.length;
  if (count === 1) return [alone()];
  const [rows, columns] = grid(count, width, height);
  const cells: Cell[] = [];
  order.forEach((index, place) => {
    const [row, column] = [Math.floor(place / columns), place % columns];
    const inRow = Math.min(columns, count - row * columns);
    const x = 0.5 + (column - 0.5 * (inRow - 1)) / columns;
    cells[index] = [x - 0.5 / columns, row / rows, 1 / columns, 1 / rows];
  });
  return cells;
}

function arranged(eyes: Vector[], shown: Seat[], cells: Cell[], width: number, height: number): Arrangement {
  const focal = (0.5 * height) / HALF;
  const worldToCamera = Float64Array.of(1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 0);
  const camera: Camera = { width, height, fx: focal, fy: focal, cx: 0.5 * width, cy: 0.5 * height, worldToCamera };
  const transforms = shown.map((seat, index) => {
    const cell = cells[index]!;
    const [x, y] = [cell[0] + cell[2] / 2, cell[1] + cell[3] / 2];
    const away = focal / pixelsPerMetre(cell, width, height);
    return aboutEye(eyes[index]!, eyeOf(seat), [(away * (x - 0.5) * width) / focal, (away * (0.5 - y) * height) / focal, -away]);
  });
  return { camera, transforms, cells };
}

/** Room -> a space with the eye at the origin that looks along -z: `head` comes to `place`, seen from where `eye` sees it. */
function aboutEye(eye: Vector, head: Vector, place: Vector): Rigid {
  const apart = head.map((value, i) => value - eye[i]!) as Vector;
  const round = turn(0, Math.atan2(place[0], place[2]) - Math.atan2(apart[0], apart[2]), 0);
  const tilt = Math.atan2(place[1], Math.hypot(place[0], place[2])) - Math.atan2(apart[1], Math.hypot(apart[0], apart[2]));
  const across = tilt / Math.hypot(place[0], place[2]);
  const m = times(turn(-place[2] * across, 0, place[0] * across), round);
  const at = moved(m, head);
  place.forEach((value, i) => (m[4 * i + 3] = value - at[i]!));
  return m;
}

/** Positions in `others`, by angle from the person's left hand to the right. */
function leftToRight(own: Seat, others: Seat[]): number[] {
  const [x, , z] = forward(own);
  const angles = others.map(({ position }) => {
    const [a, c] = [position[0] - own.position[0], position[2] - own.position[2]];
    return Math.atan2(z * a - x * c, x * a + z * c);
  });
  return [...others.keys()].sort((a, b) => angles[b]! - angles[a]!);
}

function cellAround(camera: Camera, seat: Seat): Cell {
  const [x, y, depth] = moved(camera.worldToCamera, eyeOf(seat));
  const [wide, tall] = [(HEAD_WIDTH * camera.fx) / depth / camera.width, (HEAD_HEIGHT * camera.fy) / depth / camera.height];
  const left = ((camera.fx * x) / depth + camera.cx) / camera.width;
  const top = ((camera.fy * y) / depth + camera.cy) / camera.height;
  return [left - wide / 2, top - tall / 2, wide, tall];
}

/** IEEE 754: what is left of x after the nearest whole number of y, the even one of two. */
function remainder(x: number, y: number): number {
  const left = x % y;
  const isOdd = Math.abs(Math.round((x - left) / y)) % 2 === 1;
  const [size, half] = [Math.abs(left), y / 2];
  return size > half || (size === half && isOdd) ? left - Math.sign(left) * y : left;
}
