/** What an avatar does that stands in a page: lives a little by itself, moves its mouth to a sound, and shows what it is given. No DOM. */
import { ARKIT } from "../arkit";
import { copyMoment, type Moment, type OwnMoment, resting } from "../drive/moment";
import { slerp, turnBy } from "../drive/turning";
import { MOUTH_COEFFICIENTS } from "../mouth/coefficients";
import type { Life } from "../render/avatar_view";
import { type AvatarFrame, coefficientsOf, numbersOf, unitRotation } from "./frame";

/** Milliseconds without a frame, or without a word of the mouth, after which the avatar lives by itself again. */
const FORGET = 700;
/** Milliseconds in which two thirds of the way to a new frame are made, and of the way between being driven and not. */
const [FOLLOW, BLEND] = [35, 180];
/** Blinks: how long, and how far apart, milliseconds. */
const [BLINK, BLINK_AFTER, BLINK_BEFORE] = [170, 2200, 6000];
/** Glances: how far apart, milliseconds, and how far aside, radians. */
const [GLANCE_AFTER, GLANCE_BEFORE, ASIDE] = [900, 3200, 0.06];
/** A mouth that opens less is closed, and nothing moves. */
const CLOSED = 0.005;
const [BLINK_LEFT, BLINK_RIGHT, JAW] = [ARKIT.indexOf("eyeBlinkLeft"), ARKIT.indexOf("eyeBlinkRight"), ARKIT.indexOf("jawOpen")];
const PLACES = MOUTH_COEFFICIENTS.map((name) => ARKIT.indexOf(name));

/** A mouth as `Mouth` hears it. */
export interface Heard {
  shape: ArrayLike<number>;
  confidence: number;
}

export class Performer implements Life {
  private given = resting();
  private spare = resting();
  private tells = { face: false, head: false, gaze: false };
  private readonly shown = resting();
  private readonly followed = resting();
  private readonly mouth = new Float64Array(PLACES.length);
  private sure = 0;
  private givenAt = -Infinity;
  private heardAt = -Infinity;
  /** How much of what is shown was given, [0, 1]. */
  private driven = 0;
  private speaking = 0;
  private last = NaN;
  private blinkAt = 1500;
  private glanceAt = 0;
  private readonly glance: [number, number] = [0, 0];

  /** calm: whether the person wants less motion; then nothing moves by itself. chance: in [0, 1). */
  constructor(
    private readonly calm: () => boolean,
    private readonly chance: () => number = Math.random,
  ) {}

  /** Shows a frame now, where it leaves something out the own life, and softly goes back to its own life when no other follows. Throws `TypeError` for what is none. */
  drive(frame: AvatarFrame, now: number): void {
    const given = this.spare;
    coefficientsOf(frame, given.coefficients);
    unitRotation(frame.rotation, given.rotation);
    numbersOf("translation", frame.translation, [0, 0, 0], given.translation);
    numbersOf("gaze", frame.gaze, [0, 0, 0, 0], given.gaze);
    [this.spare, this.given] = [this.given, given];
    this.tells = { face: frame.coefficients !== undefined, head: (frame.rotation ?? frame.translation) !== undefined, gaze: frame.gaze !== undefined };
    this.givenAt = now;
  }

  hear(mouth: Heard, now: number): void {
    let most = 0;
    for (let k = 0; k < PLACES.length; k++) {
      this.mouth[k] = mouth.shape[k]!;
      most = Math.max(most, mouth.shape[k]!);
    }
    this.sure = mouth.confidence;
    if (most > CLOSED) this.heardAt = now;
  }

  moves(now: number): boolean {
    return !this.calm() || now - Math.max(this.givenAt, this.heardAt) < FORGET + 5 * BLEND;
  }

  at(now: number): Moment {
    const passed = Math.min(200, Math.max(0, Number.isNaN(this.last) ? 0 : now - this.last));
    this.last = now;
    const isDriven = now - this.givenAt < FORGET;
    this.driven += ((isDriven ? 1 : 0) - this.driven) * part(passed, BLEND);
    if (isDriven && this.driven < 1e-3) this.driven = 1e-3;
    this.live(now);
    this.speak(now, passed);
    this.follow(passed);
    return this.shown;
  }

  /** By itself: breath, slow small turns of the head, blinks, glances. */
  private live(now: number): void {
    const { shown } = this;
    shown.coefficients.fill(0);
    shown.rotation.fill(0);
    shown.rotation[0] = 1;
    shown.translation.fill(0);
    shown.gaze.fill(0);
    if (this.calm()) return;
    const wave = (seconds: number, begin: number): number => Math.sin((2 * Math.PI * now) / (1000 * seconds) + begin);
    turnBy(shown.rotation, 0.012 * wave(5.3, 0) + 0.008 * wave(9.1, 1), 0.02 * wave(7.9, 2) + 0.012 * wave(4.7, 3), 0.01 * wave(11.3, 4));
    shown.translation[1] = 0.001 * wave(4.2, 0);
    if (now >= this.glanceAt) {
      this.glanceAt = now + GLANCE_AFTER + this.chance() * (GLANCE_BEFORE - GLANCE_AFTER);
      const isAtViewer = this.chance() < 0.6;
      this.glance[0] = isAtViewer ? 0 : ASIDE * (2 * this.chance() - 1);
      this.glance[1] = isAtViewer ? 0 : 0.5 * ASIDE * (2 * this.chance() - 1);
    }
    for (let i = 0; i < 4; i++) shown.gaze[i] = this.glance[i % 2]!;
    const into = now - this.blinkAt;
    if (into > BLINK) this.blinkAt = now + BLINK_AFTER + this.chance() * (BLINK_BEFORE - BLINK_AFTER);
    else if (into > 0) shown.coefficients[BLINK_LEFT] = shown.coefficients[BLINK_RIGHT] = Math.sin((Math.PI * into) / BLINK);
  }

  /** The mouth of the sound; who speaks nods a little with it. */
  private speak(now: number, passed: number): void {
    const { shown } = this;
    const isHeard = now - this.heardAt < FORGET;
    if (!isHeard) this.sure -= this.sure * part(passed, BLEND);
    for (let k = 0; k < PLACES.length; k++) shown.coefficients[PLACES[k]!] = this.sure * this.mouth[k]!;
    this.speaking += (shown.coefficients[JAW]! - this.speaking) * part(passed, BLEND);
    if (!this.calm()) turnBy(shown.rotation, 0.06 * this.speaking, 0, 0);
  }

  /** Towards what was given. */
  private follow(passed: number): void {
    const { shown, followed, given, driven, tells } = this;
    if (driven <= 1e-4) {
      copyMoment(shown, followed);
      return;
    }
    if (!tells.face) given.coefficients.set(shown.coefficients);
    if (!tells.gaze) given.gaze.set(shown.gaze);
    if (!tells.head) {
      given.rotation.set(shown.rotation);
      given.translation.set(shown.translation);
    }
    mix(followed, given, part(passed, FOLLOW));
    mix(shown, followed, driven);
  }
}

/** Moves `to` by a part of the way to another moment. */
function mix(to: OwnMoment, other: OwnMoment, amount: number): void {
  slerp(to.rotation, other.rotation, amount, to.rotation);
  for (const name of ["translation", "gaze", "coefficients"] as const)
    for (let i = 0; i < to[name].length; i++) to[name][i]! += (other[name][i]! - to[name][i]!) * amount;
}

/** Part of a way that is made in so many milliseconds. */
function part(passed: number, constant: number): number {
  return 1 - Math.exp(-passed / constant);
}
