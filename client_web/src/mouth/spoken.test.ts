import { describe, expect, it } from "vitest";
import { ARKIT } from "../arkit";
import { decodeDriveFrames, Known } from "../drive/wire";
import { noise, vowel } from "../testing/vowels";
import { MOUTH_COEFFICIENTS } from "./coefficients";
import { Mouth } from "./mouth";
import { SpokenFrames, Unseen } from "./spoken";

const microphone = {} as MediaStreamTrack;

describe("sound moves the mouth", () => {
  it("while the microphone is on and the camera off", () => {
    const unseen = new Unseen();
    expect(unseen.read({ microphone, camera: false, face: false }, 0)).toBe(true);
    expect(unseen.read({ microphone: null, camera: false, face: false }, 1)).toBe(false);
  });

  it("once a camera has not seen a face for seconds", () => {
    const unseen = new Unseen();
    expect(unseen.read({ microphone, camera: true, face: true }, 10)).toBe(false);
    expect(unseen.read({ microphone, camera: true, face: false }, 12)).toBe(false);
    expect(unseen.read({ microphone, camera: true, face: false }, 13.5)).toBe(true);
    expect(unseen.read({ microphone, camera: true, face: true }, 14)).toBe(false);
  });
});

describe("what goes up", () => {
  function said(sound: Float32Array, participant = 7) {
    const [mouth, frames] = [new Mouth(48_000), new SpokenFrames()];
    const messages: ArrayBuffer[] = [];
    for (let end = mouth.length; end <= sound.length; end += 1600) {
      mouth.hear(sound.subarray(0, end), 1 / 30);
      const message = frames.next(mouth, participant, 1000 * (end / 48_000));
      if (message) messages.push(message);
    }
    return messages.flatMap((message) => decodeDriveFrames(message));
  }

  it("is the own mouth and nothing else, in order", () => {
    const frames = said(vowel("man", "ah"));
    expect(frames.length).toBeGreaterThan(8);
    expect(frames.every(({ known, participant }) => known === Known.MOUTH && participant === 7)).toBe(true);
    expect(frames.map(({ sequence }) => sequence)).toEqual(frames.map((_, i) => i + 1));
    const { coefficients, confidence } = frames.at(-1)!;
    expect(coefficients[ARKIT.indexOf("jawOpen")]).toBeGreaterThan(0.4);
    expect(ARKIT.every((name, k) => coefficients[k] === 0 || (MOUTH_COEFFICIENTS as readonly string[]).includes(name))).toBe(true);
    expect(confidence).toBeGreaterThan(0.8);
  });

  it("ends when the mouth has closed", () => {
    const sound = new Float32Array(48_000 * 3);
    sound.set(vowel("man", "ah"));
    const frames = said(sound);
    expect(frames.length).toBeLessThan(60); // of 90
    expect(Math.max(...frames.at(-1)!.coefficients)).toBeLessThan(0.01);
  });

  it("is nothing in silence, in noise, and without a place in the room", () => {
    expect([said(new Float32Array(48_000)), said(noise(1, 0.1)), said(vowel("man", "ah"), -1)]).toEqual([[], [], []]);
  });
});
