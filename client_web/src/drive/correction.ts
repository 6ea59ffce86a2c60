/** The difference between what was shown and what should have been, worn off so slowly that nobody sees a jump. */
import type { OwnMoment } from "./moment";
import { between, turnBy } from "./turning";

/** Milliseconds in which a small difference shrinks to a third. */
const WEARS = 120;
/** At most so much of it goes from one picture to the next: radians, metres, radians of gaze, a coefficient. */
const STEPS = { turn: 0.01, translation: 0.0015, gaze: 0.02, coefficient: 0.03 };
const STRAIGHT = Float64Array.of(1, 0, 0, 0);

export class Correction {
  private readonly turn = new Float64Array(3);
  private readonly translation = new Float64Array(3);
  private readonly gaze = new Float64Array(4);
  private readonly coefficients = new Float64Array(52);
  private readonly step = new Float64Array(3);
  private readonly rotation = new Float64Array(4);

  /** Nothing is left of it. */
  isWorn = true;

  /** What is shown goes on from `shown`, though it should be `target`: both without what is corrected already. */
  add(shown: OwnMoment, target: OwnMoment): void {
    const { turn, step, rotation } = this;
    between(target.rotation, shown.rotation, step);
    rotation.set(STRAIGHT);
    turnBy(rotation, step[0]!, step[1]!, step[2]!);
    turnBy(rotation, turn[0]!, turn[1]!, turn[2]!);
    between(STRAIGHT, rotation, turn);
    for (let i = 0; i < 3; i++) this.translation[i]! += shown.translation[i]! - target.translation[i]!;
    for (let i = 0; i < 4; i++) this.gaze[i]! += shown.gaze[i]! - target.gaze[i]!;
    for (let i = 0; i < this.coefficients.length; i++) this.coefficients[i]! += shown.coefficients[i]! - target.coefficients[i]!;
    this.isWorn = false;
  }

  /** milliseconds: since the last picture. */
  wear(milliseconds: number): void {
    if (this.isWorn) return;
    const part = 1 - Math.exp(-milliseconds / WEARS);
    const left = together(this.turn, part, STEPS.turn) + together(this.translation, part, STEPS.translation);
    this.isWorn = left + each(this.gaze, part, STEPS.gaze) + each(this.coefficients, part, STEPS.coefficient) < 1e-3;
    if (this.isWorn) for (const values of [this.turn, this.translation, this.gaze, this.coefficients]) values.fill(0);
  }

  apply(moment: OwnMoment): void {
    if (this.isWorn) return;
    turnBy(moment.rotation, this.turn[0]!, this.turn[1]!, this.turn[2]!);
    for (let i = 0; i < 3; i++) moment.translation[i]! += this.translation[i]!;
    for (let i = 0; i < 4; i++) moment.gaze[i]! += this.gaze[i]!;
    for (let i = 0; i < this.coefficients.length; i++) {
      moment.coefficients[i] = Math.min(1, Math.max(0, moment.coefficients[i]! + this.coefficients[i]!));
    }
  }
}

/** Shortens a vector -> what is left of its length. */
function together(vector: Float64Array, part: number, most: number): number {
  const length = Math.hypot(vector[0]!, vector[1]!, vector[2]!);
  if (length === 0) return 0;
  const left = length - Math.min(part * length, most);
  for (let i = 0; i < 3; i++) vector[i]! *= left / length;
  return left;
}

/** Shortens each number -> the largest that is left. */
function each(values: Float64Array, part: number, most: number): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]!);
    const left = size - Math.min(part * size, most);
    values[i] = Math.sign(values[i]!) * left;
    largest = Math.max(largest, left);
  }
  return largest;
}
