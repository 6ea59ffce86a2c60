/** Vowels for tests: pulses of a voice through a throat's resonances (Klatt, Software for a cascade/parallel formant synthesizer, 1980). */

/** The first three formants of men and women, hertz (Hillenbrand and others, Acoustic characteristics of American English vowels, 1995). */
export const FORMANTS = {
  man: { ah: [768, 1333, 2522], ee: [342, 2322, 3000], oo: [378, 997, 2343], eh: [580, 1799, 2605] },
  woman: { ah: [936, 1551, 2815], ee: [437, 2761, 3372], oo: [459, 1105, 2735], eh: [731, 2058, 2979] },
} as const;
export type Speaker = keyof typeof FORMANTS;
export type Vowel = keyof (typeof FORMANTS)["man"];
const PITCH: Record<Speaker, number> = { man: 120, woman: 210 };
const WIDTHS = [60, 90, 140, 200, 250];

/** rate: samples a second. level: mean square root, full scale 1. */
export function vowel(speaker: Speaker, which: Vowel, { rate = 48_000, seconds = 0.5, level = 0.1 } = {}): Float32Array {
  const formants: number[] = [...FORMANTS[speaker][which]];
  for (const higher of [3500, 4500]) formants.push((higher * formants[2]!) / 2500);
  const sound = pulses(PITCH[speaker], rate, Math.round(seconds * rate));
  formants.forEach((frequency, k) => resonate(sound, frequency, WIDTHS[k]!, rate));
  const loud = Math.sqrt(sound.reduce((sum, value) => sum + value * value, 0) / sound.length);
  return Float32Array.from(sound, (value, i) => (value * level) / loud + 0.002 * hiss(i));
}

/** White noise, the same each time. */
export function noise(seconds: number, level: number, rate = 48_000): Float32Array {
  return Float32Array.from({ length: Math.round(seconds * rate) }, (_, i) => level * Math.sqrt(12) * hiss(i));
}

export function joined(...parts: Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

/** In [-0.5, 0.5]. */
function hiss(i: number): number {
  const mixed = Math.imul((i + 1) ^ ((i + 1) >>> 15), 0x2c1b3c6d);
  return ((Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39) >>> 0) / 2 ** 32) - 0.5;
}

/** Of a larynx, softened by 12 dB an octave, as they leave the lips. */
function pulses(pitch: number, rate: number, length: number): Float64Array {
  const out = new Float64Array(length);
  const soft = 1 - Math.exp((-2 * Math.PI * pitch) / rate);
  let [phase, once, twice, before] = [0, 0, 0, 0];
  for (let i = 0; i < length; i++) {
    phase += (pitch * (1 + 0.01 * Math.sin((10 * Math.PI * i) / rate))) / rate;
    const pulse = phase >= 1 ? 1 : 0;
    phase -= pulse;
    once += soft * (pulse - once);
    twice += soft * (once - twice);
    out[i] = twice - before;
    before = twice;
  }
  return out;
}

function resonate(sound: Float64Array, frequency: number, width: number, rate: number): void {
  const r = Math.exp((-Math.PI * width) / rate);
  const [c, d] = [2 * r * Math.cos((2 * Math.PI * frequency) / rate), -r * r];
  let [one, two] = [0, 0];
  for (let i = 0; i < sound.length; i++) {
    const value = (1 - c - d) * sound[i]! + c * one + d * two;
    [two, one] = [one, value];
    sound[i] = value;
  }
}
