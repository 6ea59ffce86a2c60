/** A mouth for a voice: from stretches of sound to ARKit's coefficients, with how sure that is. No DOM; allocates nothing after it is made. */
import { MOUTH_COEFFICIENTS } from "./coefficients";
import { Voice } from "./voice";

const COUNT = MOUTH_COEFFICIENTS.length;
const [JAW, CLOSE, FUNNEL, PUCKER, STRETCH, SMILE, PRESS, LOWER, UPPER] = [0, 1, 2, 3, 4, 6, 8, 10, 12] as const;
/** Seconds in which two thirds of a movement are made. */
const [OPENING, CLOSING, KNOWING, FORGETTING] = [0.03, 0.06, 0.05, 0.25];
/** Sound below this is silence, decibels; and above the noise of the room by so much it is something. */
const SILENT = -62;
const ABOVE_NOISE = 8;
/** Decibels from the loudest of a voice down to a closed mouth. */
const SPAN = 26;
/** Decibels a second: how the noise of the room rises when nothing repeats itself and when something does; how the loudest is forgotten. */
const [RISE_NOISE, RISE_VOICED, FORGET_LOUDEST] = [8, 1, 2];
/** Two formants are at least so far apart, hertz; a tone's are one. */
const LEAST_GAP = 150;
/** Periodicity of a voice, from nothing to surely. */
const VOICED = [0.5, 0.8] as const;
/** Pitch of the voice that the formants are given for, hertz, and how much shorter the throat of one an octave above is. */
const PITCH = 120;
const SHORTER = 0.21;

export class Mouth {
  /** In [0, 1], as `MOUTH_COEFFICIENTS` names them. */
  readonly shape = new Float32Array(COUNT);
  /** [0, 1]: high while somebody speaks or a quiet room is silent, low in noise. */
  confidence = 0;
  /** Whether a voice is heard now, or was a moment ago. */
  isSpeaking = false;
  /** Samples that `hear` needs. */
  readonly length: number;
  private readonly voice: Voice;
  private readonly goal = new Float32Array(COUNT);
  private noise = 0;
  private loudest = -32;
  /** Part of being sure that this is a voice. */
  private speech = 0;
  /** Formants of this throat in parts of a long one's. */
  private throat = 1;
  private first = true;
  /** The last formants that were found, hertz of a long throat. */
  private f1 = 500;
  private f2 = 1500;

  /** rate: samples a second. */
  constructor(rate: number) {
    this.voice = new Voice(rate);
    this.length = this.voice.length;
  }

  /** samples: the last `length` of the sound, or more; full scale is 1. seconds: since the last call. */
  hear(samples: Float32Array, seconds: number): void {
    const { voice } = this;
    voice.listen(samples);
    const dt = Math.min(0.25, Math.max(0.001, seconds));
    const { count, found } = voice.formants;
    const isVowel = count >= 2 && found[1]! - found[0]! > LEAST_GAP;
    const voiced = isVowel ? between(voice.periodicity, ...VOICED) : 0;
    this.followLevels(dt, voiced);
    const isSound = voice.level > SILENT && voice.level > this.noise + ABOVE_NOISE;
    this.followSpeech(dt, isSound ? voiced : 0);
    if (isSound && voiced > 0.5) this.followFormants(dt);
    this.aim(isSound, voiced);
    this.move(dt);
    const silence = between(this.noise, -30, -55) * (1 - this.speech);
    const sure = isSound ? this.speech : Math.max(this.speech, silence);
    this.confidence += (sure - this.confidence) * part(dt, KNOWING);
    this.isSpeaking = this.speech > 0.15;
  }

  private followLevels(dt: number, voiced: number): void {
    const { level } = this.voice;
    if (this.first) this.noise = Math.min(level, -50);
    this.first = false;
    const rise = (RISE_NOISE + (RISE_VOICED - RISE_NOISE) * voiced) * dt;
    this.noise = Math.max(-80, level < this.noise ? this.noise + (level - this.noise) * part(dt, 0.1) : Math.min(level, this.noise + rise));
    if (voiced > 0.5 && level > this.loudest) this.loudest += (level - this.loudest) * part(dt, 0.1);
    this.loudest = Math.max(-42, this.loudest - FORGET_LOUDEST * dt * this.speech);
  }

  /** Speech is voiced again and again; what was never voiced is noise. */
  private followSpeech(dt: number, voiced: number): void {
    this.speech += (voiced - this.speech) * part(dt, voiced > this.speech ? KNOWING : FORGETTING);
  }

  private followFormants(dt: number): void {
    const { formants, pitch } = this.voice;
    if (pitch > 0) this.throat += (Math.min(1.3, Math.max(0.95, 1 + SHORTER * Math.log2(pitch / PITCH))) - this.throat) * part(dt, 0.5);
    const now = part(dt, 0.02);
    this.f1 += (formants.found[0]! / this.throat - this.f1) * now;
    this.f2 += (formants.found[1]! / this.throat - this.f2) * now;
  }

  /** Where the mouth should go. */
  private aim(isSound: boolean, voiced: number): void {
    const { goal, f1, f2, voice, speech } = this;
    goal.fill(0);
    if (speech < 0.02) return;
    const loud = isSound ? between(voice.level, this.loudest - SPAN, this.loudest - 4) : 0;
    const vowel = loud * voiced * Math.min(1, 2 * speech);
    const open = between(f1, 330, 720);
    const narrow = between(f1, 520, 380); // the "oo" of "moon" is spoken far forward by many, so that its second formant is higher
    const round = between(f2, 1380 + 250 * narrow, 950 + 150 * narrow) * between(f1, 800, 450);
    const spread = between(f2, 1650, 2200);
    goal[JAW] = vowel * (0.1 + 0.5 * open);
    goal[PUCKER] = vowel * 0.75 * round * (1 - 0.7 * open);
    goal[FUNNEL] = vowel * 0.5 * round * (0.3 + 0.7 * open);
    both(goal, STRETCH, vowel * 0.4 * spread);
    both(goal, SMILE, vowel * 0.25 * spread * (1 - open));
    both(goal, LOWER, vowel * (0.1 + 0.25 * open));
    both(goal, UPPER, vowel * 0.15 * open);
    this.hiss(isSound, voiced);
    const shut = (isSound ? 1 - between(voice.level, this.loudest - SPAN, this.loudest - SPAN + 10) : 1) * speech;
    both(goal, PRESS, 0.3 * shut);
    goal[CLOSE] = Math.min(this.shape[JAW]!, 0.5 * shut); // lips meet before the jaw does
  }

  /** Sibilants: teeth nearly together; "sh" with lips forward, "s" with lips apart. */
  private hiss(isSound: boolean, voiced: number): void {
    const { goal, voice } = this;
    const hiss = isSound ? (1 - voiced) * between(voice.brightness, 1800, 3200) * Math.min(1, 2 * this.speech) : 0;
    if (hiss <= 0) return;
    const hushed = between(voice.brightness, 5200, 3800);
    goal[JAW] = Math.max(goal[JAW]!, 0.05 * hiss);
    goal[FUNNEL] = Math.max(goal[FUNNEL]!, 0.4 * hiss * hushed);
    both(goal, STRETCH, Math.max(goal[STRETCH]!, 0.25 * hiss * (1 - hushed)));
    both(goal, LOWER, Math.max(goal[LOWER]!, 0.2 * hiss));
    both(goal, UPPER, Math.max(goal[UPPER]!, 0.1 * hiss));
  }

  private move(dt: number): void {
    const { goal, shape } = this;
    const [opening, closing] = [part(dt, OPENING), part(dt, CLOSING)];
    for (let k = 0; k < COUNT; k++) shape[k]! += (goal[k]! - shape[k]!) * (goal[k]! > shape[k]! ? opening : closing);
  }
}

/** Part of a way that is made in `seconds`. */
function part(seconds: number, constant: number): number {
  return 1 - Math.exp(-seconds / constant);
}

/** 0 at `low`, 1 at `high`, which may be the smaller one. */
function between(value: number, low: number, high: number): number {
  return Math.min(1, Math.max(0, (value - low) / (high - low)));
}

/** Sets a coefficient of the left side and of the right. */
function both(shape: Float32Array, left: number, value: number): void {
  shape[left] = shape[left + 1] = value;
}
