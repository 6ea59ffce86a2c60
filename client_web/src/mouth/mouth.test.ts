import { describe, expect, it } from "vitest";
import { joined, noise, type Speaker, type Vowel, vowel } from "../testing/vowels";
import { MOUTH_COEFFICIENTS } from "./coefficients";
import { Mouth } from "./mouth";

const QUIET = new Float32Array(24_000);

/** The mouth at the end of a sound, listened to thirty times a second. */
function heard(sound: Float32Array, rate = 48_000): Record<string, number> {
  const mouth = new Mouth(rate);
  const step = Math.round(rate / 30);
  for (let end = mouth.length; end <= sound.length; end += step) mouth.hear(sound.subarray(0, end), step / rate);
  expect([...mouth.shape].every((value) => value >= 0 && value <= 1)).toBe(true);
  return { ...Object.fromEntries(MOUTH_COEFFICIENTS.map((name, k) => [name, mouth.shape[k]!])), confidence: mouth.confidence, speaks: Number(mouth.isSpeaking) };
}

const said = (speaker: Speaker, which: Vowel, rate = 48_000): Record<string, number> =>
  heard(joined(QUIET.subarray(0, rate / 2), vowel(speaker, which, { rate })), rate);

describe.each([["man", 48_000], ["woman", 44_100], ["man", 16_000], ["woman", 16_000]] as const)("the mouth of a %s at %d samples a second", (speaker, rate) => {
  const [ah, ee, oo, eh] = (["ah", "ee", "oo", "eh"] as const).map((which) => said(speaker, which, rate)) as [Record<string, number>, Record<string, number>, Record<string, number>, Record<string, number>];

  it("opens the jaw for ah, less for eh, least for ee", () => {
    expect(ah.jawOpen).toBeGreaterThan(0.5);
    expect(eh.jawOpen).toBeGreaterThan(ee.jawOpen! + 0.1);
    expect(ah.jawOpen).toBeGreaterThan(eh.jawOpen! + 0.03);
  });

  it("puckers for oo and for nothing else", () => {
    expect(oo.mouthPucker).toBeGreaterThan(0.4);
    for (const other of [ah, ee, eh]) expect(other.mouthPucker).toBeLessThan(0.1);
  });

  it("stretches for ee", () => {
    expect(ee.mouthStretchLeft).toBeGreaterThan(0.3);
    expect(ee.mouthStretchRight).toBe(ee.mouthStretchLeft);
    expect(oo.mouthStretchLeft).toBeLessThan(0.05);
    expect(ah.mouthStretchLeft).toBeLessThan(0.05);
  });

  it("is sure of it", () => {
    for (const one of [ah, ee, oo, eh]) expect(one).toMatchObject({ speaks: 1, confidence: expect.closeTo(1, 1) as number });
  });
});

describe("a mouth", () => {
  it("closes in silence, and is sure of that", () => {
    const after = heard(joined(QUIET, vowel("man", "ah"), QUIET));
    expect(Math.max(...MOUTH_COEFFICIENTS.filter((name) => !name.startsWith("mouthPress")).map((name) => after[name]!))).toBeLessThan(0.02);
    expect(after.confidence).toBeGreaterThan(0.5);
    expect(heard(QUIET)).toMatchObject({ jawOpen: 0, speaks: 0 });
  });

  it.each([0.003, 0.03, 0.2])("stays closed in noise of level %f, and says that it does not know", (level) => {
    const { jawOpen, confidence, speaks } = heard(noise(1.5, level));
    expect([jawOpen, speaks]).toEqual([0, 0]);
    if (level > 0.01) expect(confidence).toBeLessThan(0.2);
  });

  it("takes a tone for no voice", () => {
    const tone = Float32Array.from({ length: 48_000 }, (_, i) => 0.2 * Math.sin((2 * Math.PI * 440 * i) / 48_000));
    expect(heard(tone)).toMatchObject({ jawOpen: 0, speaks: 0 });
  });

  it("opens as far for a soft voice as for a loud one, after a while", () => {
    const [soft, loud] = [0.012, 0.3].map((level) => heard(joined(QUIET, vowel("man", "ah", { level, seconds: 1 }))).jawOpen!);
    expect(soft).toBeGreaterThan(0.3);
    expect(loud).toBeGreaterThan(0.5);
  });

  it("shows teeth for a hiss among vowels, and lips forward for a darker one", () => {
    const spoken = joined(QUIET, vowel("woman", "eh"));
    const bright = noise(0.12, 0.04);
    const dark = bright.map((_, i) => bright.subarray(Math.max(0, i - 6), i + 1).reduce((sum, value) => sum + value, 0) / 3); // cut above 7 kHz
    const [s, sh] = [heard(joined(spoken, bright)), heard(joined(spoken, dark))];
    expect(s.mouthLowerDownLeft).toBeGreaterThan(0.1);
    expect(s.mouthStretchLeft).toBeGreaterThan(0.1);
    expect(sh.mouthFunnel).toBeGreaterThan(s.mouthFunnel! + 0.05);
  });

  it("does not jump from one moment to the next", () => {
    const mouth = new Mouth(48_000);
    const sound = joined(QUIET, vowel("man", "ah"), QUIET, vowel("woman", "oo"));
    let [before, most] = [0, 0];
    for (let end = mouth.length; end <= sound.length; end += 800) {
      mouth.hear(sound.subarray(0, end), 1 / 60);
      most = Math.max(most, Math.abs(mouth.shape[0]! - before));
      before = mouth.shape[0]!;
    }
    expect(most).toBeLessThan(0.3);
  });

  it("bears sound that is none", () => {
    const mouth = new Mouth(48_000);
    for (const value of [Number.NaN, Infinity, 1e30, 0]) {
      mouth.hear(new Float32Array(mouth.length).fill(value), 1 / 30);
      expect([...mouth.shape, mouth.confidence].every((one) => one >= 0 && one <= 1)).toBe(true);
    }
  });
});
