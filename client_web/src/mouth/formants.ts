/**
 * Formants by linear prediction: the poles of an all-pole model of the vocal tract (Markel and Gray, Linear Prediction of Speech,
 * 1976; Atal and Hanauer 1971). Allocates nothing after it is made.
 */

/** Poles wider than this, hertz, are the slope of the spectrum and no formants. */
const WIDEST = 500;
const [LOWEST, HIGHEST] = [200, 3400];
/** Rounds of Durand and Kerner's iteration; a frame in which it does not settle has no formants. */
const ROUNDS = 40;
const SETTLED = 1e-6;

export class Formants {
  /** Hertz, rising; `count` of them are true. */
  readonly found = new Float64Array(8);
  count = 0;
  /** How many decibels the model explains: noise little, a voice much. */
  gain = 0;
  private readonly order: number;
  private readonly window: Float64Array;
  private readonly framed: Float64Array;
  private readonly correlation: Float64Array;
  private readonly a: Float64Array;
  private readonly before: Float64Array;
  private readonly real: Float64Array;
  private readonly imaginary: Float64Array;

  /** rate: samples a second, 10 to 16 kHz. length: samples of a frame. */
  constructor(
    private readonly rate: number,
    length: number,
  ) {
    this.order = 2 + Math.round(rate / 1000);
    this.window = Float64Array.from({ length }, (_, i) => 0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (length - 1)));
    this.framed = new Float64Array(length);
    this.correlation = new Float64Array(this.order + 1);
    this.a = new Float64Array(this.order + 1);
    this.before = new Float64Array(this.order + 1);
    this.real = new Float64Array(this.order);
    this.imaginary = new Float64Array(this.order);
  }

  /** samples: one frame. */
  analyse(samples: Float64Array): void {
    this.count = this.gain = 0;
    if (!this.predict(samples) || !this.solve()) return;
    for (let k = 0; k < this.order && this.count < this.found.length; k++) {
      const frequency = (Math.atan2(this.imaginary[k]!, this.real[k]!) * this.rate) / (2 * Math.PI);
      const width = (-Math.log(Math.hypot(this.real[k]!, this.imaginary[k]!)) * this.rate) / Math.PI;
      if (frequency > LOWEST && frequency < HIGHEST && width < WIDEST) this.found[this.count++] = frequency;
    }
    this.found.subarray(0, this.count).sort();
  }

  /** Autocorrelation method with pre-emphasis, by Levinson and Durbin -> whether there is a model. */
  private predict(samples: Float64Array): boolean {
    const { order, window, framed, correlation, a, before } = this;
    for (let i = 0; i < framed.length; i++) framed[i] = window[i]! * (samples[i]! - (i > 0 ? 0.97 * samples[i - 1]! : samples[0]!));
    for (let lag = 0; lag <= order; lag++) {
      let sum = 0;
      for (let i = lag; i < framed.length; i++) sum += framed[i]! * framed[i - lag]!;
      correlation[lag] = sum;
    }
    if (!(correlation[0]! > 1e-12)) return false;
    correlation[0]! *= 1 + 1e-5; // white noise at -50 dB keeps a pure tone solvable
    a.fill(0);
    a[0] = 1;
    let error = correlation[0]!;
    for (let i = 1; i <= order; i++) {
      let k = correlation[i]!;
      for (let j = 1; j < i; j++) k += a[j]! * correlation[i - j]!;
      k /= -error;
      before.set(a);
      for (let j = 1; j < i; j++) a[j] = before[j]! + k * before[i - j]!;
      a[i] = k;
      error *= 1 - k * k;
      if (!(error > 0)) return false;
    }
    this.gain = 10 * Math.log10(correlation[0]! / error);
    return true;
  }

  /** The roots of z^n + a1 z^(n-1) + ... + an, all at once -> whether they settled. */
  private solve(): boolean {
    const { order, a, real, imaginary } = this;
    for (let k = 0; k < order; k++) {
      const angle = (2 * Math.PI * (k + 0.25)) / order;
      real[k] = 0.9 * Math.cos(angle);
      imaginary[k] = 0.9 * Math.sin(angle);
    }
    for (let round = 0; round < ROUNDS; round++) {
      let moved = 0;
      for (let k = 0; k < order; k++) {
        const [x, y] = [real[k]!, imaginary[k]!];
        let [pr, pi] = [1, 0]; // the polynomial there, by Horner
        for (let j = 1; j <= order; j++) [pr, pi] = [pr * x - pi * y + a[j]!, pr * y + pi * x];
        let [qr, qi] = [1, 0]; // the product of the distances to the others
        for (let j = 0; j < order; j++) {
          if (j === k) continue;
          const [dx, dy] = [x - real[j]!, y - imaginary[j]!];
          [qr, qi] = [qr * dx - qi * dy, qr * dy + qi * dx];
        }
        const size = qr * qr + qi * qi;
        if (!(size > 1e-300)) return false;
        const [sx, sy] = [(pr * qr + pi * qi) / size, (pi * qr - pr * qi) / size];
        real[k] = x - sx;
        imaginary[k] = y - sy;
        moved = Math.max(moved, Math.abs(sx) + Math.abs(sy));
      }
      if (moved < SETTLED) return true;
    }
    return false;
  }
}
