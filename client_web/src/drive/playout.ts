/**
 * From drive frames as the network delivers them to what an avatar shows now. No DOM, no clock of its own.
 *
 * Frames wait as long as the measured jitter asks for (`Jitter`); between two of them the head goes along the shorter arc, the rest
 * linearly. When the next one does not come, the motion runs out within `BEYOND`, and the avatar holds and breathes. What comes then
 * may lie elsewhere: the difference is kept as a correction and worn off a little with each picture, so nothing ever jumps.
 */
import { Breath } from "./breath";
import { Correction } from "./correction";
import { Jitter } from "./jitter";
import { copyMoment, type Moment, type OwnMoment, resting } from "./moment";
import { slerp } from "./turning";

/** A moment as it was sent. time: milliseconds of the sender's clock, 32 bits that wrap; sequence: 16 bits that wrap. */
export interface Frame extends Moment {
  sequence: number;
  time: number;
}

/** Milliseconds for which a motion goes on when no frame comes. */
export const BEYOND = 100;
/** Frames that are kept. */
const KEPT = 32;
/** Milliseconds: a sender's clock that is further off than this, either way, is another one, or stood still. */
const ANOTHER_CLOCK = 5_000;
/** By how much faster or slower than the clock frames are shown, to come to another delay. */
const WARP = 0.1;
/** Milliseconds: a delay that is further off than this is taken at once. */
const FAR_OFF = 400;

interface Kept {
  /** Of the sender's clock, unwrapped. */
  time: number;
  moment: OwnMoment;
}

export class Playout {
  /** Whether the avatar moves by itself while no frames come. */
  breathes = true;
  private readonly jitter = new Jitter();
  private readonly kept: Kept[] = [];
  private readonly spare: Kept[] = [];
  private readonly target = resting();
  private readonly before = resting();
  private readonly shown = resting();
  private readonly correction = new Correction();
  private readonly breath = new Breath();
  /** The sender's time that was shown last, and when; NaN before the first. */
  private head = NaN;
  private shownAt = NaN;

  /** Milliseconds that frames wait for. */
  get delay(): number {
    return this.jitter.delay;
  }

  /** A frame came, at `now` milliseconds of the page's clock. One that is too late to be shown, or came already, is dropped. */
  push(frame: Frame, now: number): void {
    const last = this.kept.at(-1);
    const ahead = last === undefined ? NaN : (frame.time - last.time) | 0; // modulo 2^32
    const isAnother = Math.abs(ahead) > ANOTHER_CLOCK;
    const time = last === undefined || isAnother ? frame.time : last.time + ahead;
    if (isAnother) this.forget();
    else if (last !== undefined && time < this.kept[0]!.time) return;
    const place = this.placeOf(time);
    if (this.kept[place]?.time === time) return;
    this.jitter.add(time, now, isAnother ? NaN : ahead);
    if (!isAnother && time <= this.head && place + 1 < this.kept.length) return; // what comes after it is shown already
    const wasShown = !Number.isNaN(this.head) && !isAnother;
    if (wasShown) this.evaluate(this.head, this.before);
    const own = this.kept.length < KEPT ? (this.spare.pop() ?? { time, moment: resting() }) : this.kept.shift()!;
    own.time = time;
    copyMoment(frame, own.moment);
    this.kept.splice(this.placeOf(time) + 1, 0, own);
    if (wasShown) this.keepOn(this.head);
    else if (isAnother) this.leap(now);
  }

  /** What to show at `now`; overwritten by the next call. */
  at(now: number): Moment {
    const passed = Number.isNaN(this.shownAt) ? 0 : Math.max(0, now - this.shownAt);
    this.shownAt = now;
    if (this.kept.length > 0) {
      this.advance(now, passed);
      this.evaluate(this.head, this.target);
    }
    this.correction.wear(passed);
    copyMoment(this.target, this.shown);
    this.correction.apply(this.shown);
    this.breath.apply(this.shown, this.breathes && !this.isLive(now), now, passed);
    return this.shown;
  }

  /** Whether frames come; else the avatar holds. */
  isLive(now: number): boolean {
    const last = this.kept.at(-1);
    return last !== undefined && this.jitter.playhead(now) <= last.time + BEYOND;
  }

  /** Whether what is shown comes to rest without frames. */
  isSettled(now: number): boolean {
    return !this.isLive(now) && this.correction.isWorn;
  }

  private advance(now: number, passed: number): void {
    const goal = this.jitter.playhead(now);
    if (Number.isNaN(this.head)) this.head = goal;
    const off = goal - (this.head + passed);
    if (Math.abs(off) > FAR_OFF) {
      this.evaluate(this.head, this.before);
      this.keepOn(goal);
      this.head = goal;
    } else this.head += passed + Math.min(WARP * passed, Math.max(-WARP * passed, off));
  }

  /** The sender's clock is another one: goes on from what was shown. */
  private leap(now: number): void {
    copyMoment(this.target, this.before);
    this.head = this.jitter.playhead(now);
    this.keepOn(this.head);
  }

  /** What is shown goes on from `before`, whatever the frames now say of that time. */
  private keepOn(head: number): void {
    this.evaluate(head, this.target);
    this.correction.add(this.before, this.target);
  }

  private forget(): void {
    this.spare.push(...this.kept.splice(0));
    this.jitter.reset();
  }

  /** Of the last frame that is not after a time; -1: none. */
  private placeOf(time: number): number {
    let place = this.kept.length - 1;
    while (place >= 0 && this.kept[place]!.time > time) place--;
    return place;
  }

  /** What the frames say of a time. */
  private evaluate(time: number, out: OwnMoment): void {
    const { kept } = this;
    const place = this.placeOf(time);
    const [from, to] = [kept[place], kept[place + 1]];
    if (from === undefined) return copyMoment(kept[0]!.moment, out);
    if (to !== undefined) return mix(from.moment, to.moment, (time - from.time) / (to.time - from.time), out);
    const earlier = kept[place - 1];
    if (earlier === undefined || from.time - earlier.time > BEYOND) return copyMoment(from.moment, out);
    const gone = Math.min(BEYOND, time - from.time);
    const runsOut = gone - (gone * gone) / (2 * BEYOND);
    mix(earlier.moment, from.moment, 1 + runsOut / (from.time - earlier.time), out);
  }
}

function mix(a: OwnMoment, b: OwnMoment, share: number, out: OwnMoment): void {
  slerp(a.rotation, b.rotation, share, out.rotation);
  for (let i = 0; i < 3; i++) out.translation[i] = a.translation[i]! + share * (b.translation[i]! - a.translation[i]!);
  for (let i = 0; i < 4; i++) out.gaze[i] = a.gaze[i]! + share * (b.gaze[i]! - a.gaze[i]!);
  for (let i = 0; i < out.coefficients.length; i++) {
    const value = a.coefficients[i]! + share * (b.coefficients[i]! - a.coefficients[i]!);
    out.coefficients[i] = Math.min(1, Math.max(0, value));
  }
}
