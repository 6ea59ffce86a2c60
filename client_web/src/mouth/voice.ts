/** What a short stretch of sound is: how loud, voiced or not, how bright, and where its formants lie. Allocates nothing after it is made. */
import { Formants } from "./formants";

/** Samples a second, about, in which formants and pitch are looked for. */
const LOW_RATE = 11_500;
/** Seconds of sound that are looked at. */
const FRAME = 0.04;
/** Pitches of people, hertz. */
const [LOWEST_PITCH, HIGHEST_PITCH] = [65, 420];
const TAPS_A_STEP = 8;
/** Squares beyond this are no sound: full scale is 1. */
const LOUDEST = 1e4;

export class Voice {
  /** Decibels below full scale. */
  level = -120;
  /** How much the sound repeats itself, [0, 1]. */
  periodicity = 0;
  /** Hertz; 0 where nothing repeats. */
  pitch = 0;
  /** Hertz at which as much lies above as below, about: low for vowels, high for sibilants. */
  brightness = 0;
  readonly formants: Formants;
  /** Samples that `listen` needs. */
  readonly length: number;
  private readonly step: number;
  private readonly lowRate: number;
  private readonly filter: Float64Array;
  private readonly low: Float64Array;

  /** rate: samples a second. */
  constructor(private readonly rate: number) {
    this.step = Math.max(1, Math.round(rate / LOW_RATE));
    this.lowRate = rate / this.step;
    this.low = new Float64Array(Math.round(FRAME * this.lowRate));
    this.filter = lowPass(this.step);
    this.length = this.low.length * this.step + this.filter.length;
    this.formants = new Formants(this.lowRate, this.low.length);
  }

  /** samples: the last `length` of them, or more; full scale is 1. */
  listen(samples: Float32Array): void {
    const begin = samples.length - this.length;
    let [square, steps] = [0, 0];
    for (let i = begin + 1; i < samples.length; i++) {
      const [value, step] = [samples[i]!, samples[i]! - samples[i - 1]!];
      square += value * value;
      steps += step * step;
    }
    if (!(square < LOUDEST * this.length)) {
      this.level = -120;
      this.brightness = this.periodicity = this.pitch = this.formants.count = 0;
      return;
    }
    this.level = Math.max(-120, 10 * Math.log10(square / this.length + 1e-12));
    this.brightness = square > 0 ? (this.rate / Math.PI) * Math.asin(Math.min(1, Math.sqrt(steps / square) / 2)) : 0;
    this.lower(samples, begin);
    this.findPitch();
    this.formants.analyse(this.low);
  }

  private lower(samples: Float32Array, begin: number): void {
    const { low, filter, step } = this;
    for (let n = 0, at = begin; n < low.length; n++, at += step) {
      let sum = 0;
      for (let k = 0; k < filter.length; k++) sum += filter[k]! * samples[at + k]!;
      low[n] = sum;
    }
  }

  /** The best peak of the normalised autocorrelation. */
  private findPitch(): void {
    const { low, lowRate } = this;
    const half = low.length >> 1;
    this.periodicity = this.pitch = 0;
    const last = Math.min(half, Math.floor(lowRate / LOWEST_PITCH));
    let isFalling = false; // past the peak at no lag at all
    let [before, best] = [1, 0];
    let whole = 1e-12;
    for (const value of low) whole += value * value;
    let [early, late] = [whole, whole];
    for (let lag = 1; lag <= last; lag++) {
      early -= low[low.length - lag]! ** 2;
      late -= low[lag - 1]! ** 2;
      let across = 0;
      for (let i = lag; i < low.length; i++) across += low[i]! * low[i - lag]!;
      const value = across / Math.sqrt(Math.max(1e-12, early * late));
      if (value < before) isFalling ||= value < 0.5;
      before = value;
      if (!isFalling || lag < lowRate / HIGHEST_PITCH) continue;
      if (value > 1.03 * best) [best, this.pitch] = [value, lowRate / lag]; // twice the period repeats as well: the first wins
    }
    this.periodicity = Math.max(0, best);
  }
}

/** A windowed sinc for every `step`-th sample. */
function lowPass(step: number): Float64Array {
  if (step === 1) return new Float64Array([1]);
  const length = TAPS_A_STEP * step + 1;
  const middle = (length - 1) / 2;
  const filter = Float64Array.from({ length }, (_, i) => {
    const x = ((i - middle) * 0.9) / step;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    return sinc * (0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (length - 1)));
  });
  const sum = filter.reduce((total, value) => total + value, 0);
  return filter.map((value) => value / sum);
}
