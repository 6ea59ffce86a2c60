import { describe, expect, it } from "vitest";
import { ARKIT } from "../arkit";
import type { Moment } from "../drive/moment";
import { MOUTH_COEFFICIENTS } from "../mouth/coefficients";
import type { AvatarFrame } from "./frame";
import { Performer } from "./performer";

const JAW = ARKIT.indexOf("jawOpen");
const heard = (jaw: number, confidence = 1) => ({ shape: MOUTH_COEFFICIENTS.map((name) => (name === "jawOpen" ? jaw : 0)), confidence });
const copied = ({ rotation, gaze, coefficients }: Moment) => ({ rotation: [...Array.from(rotation)], gaze: [...Array.from(gaze)], coefficients: [...Array.from(coefficients)] });

/** What is shown after so many milliseconds, sixty times a second; `each` happens before each. */
function after(performer: Performer, begin: number, milliseconds: number, each: (now: number) => void = () => undefined) {
  let shown = copied(performer.at(begin));
  for (let now = begin; now <= begin + milliseconds; now += 1000 / 60) {
    each(now);
    shown = copied(performer.at(now));
  }
  return shown;
}

describe("an avatar in a page", () => {
  it("stands still where less motion is wanted, and says so", () => {
    const performer = new Performer(() => true);
    const { rotation, coefficients } = after(performer, 0, 5000);
    expect(rotation).toEqual([1, 0, 0, 0]);
    expect(Math.max(...coefficients)).toBe(0);
    expect(performer.moves(6000)).toBe(false);
  });

  it("lives a little else: moves its head by few degrees, blinks, looks about", () => {
    const performer = new Performer(() => false, () => 0.7);
    let [turned, blinked, looked] = [0, 0, 0];
    after(performer, 0, 12_000, (now) => {
      const { rotation, gaze, coefficients } = performer.at(now);
      turned = Math.max(turned, 2 * Math.acos(Math.min(1, rotation[0]!)));
      blinked = Math.max(blinked, coefficients[ARKIT.indexOf("eyeBlinkLeft")]!);
      looked = Math.max(looked, Math.abs(gaze[0]!));
    });
    expect(turned).toBeGreaterThan(0.01);
    expect(turned).toBeLessThan(0.08);
    expect(blinked).toBeGreaterThan(0.9);
    expect(looked).toBeGreaterThan(0.01);
    expect(performer.moves(20_000)).toBe(true);
  });

  it("shows what it is given, and softly lives by itself again", () => {
    const performer = new Performer(() => true);
    const frame: AvatarFrame = { coefficients: { jawOpen: 0.8 }, rotation: [0.99, 0, 0.14, 0], gaze: [0.2, 0, 0.2, 0] };
    const shown = after(performer, 0, 1500, (now) => performer.drive(frame, now));
    expect(shown.coefficients[JAW]).toBeCloseTo(0.8, 1);
    expect(shown.rotation[2]).toBeCloseTo(0.14, 1);
    expect(shown.gaze[0]).toBeCloseTo(0.2, 1);
    expect(performer.moves(1600)).toBe(true);
    expect(after(performer, 1500, 1000).coefficients[JAW]).toBeGreaterThan(0.05);
    expect(after(performer, 2500, 3000).coefficients[JAW]).toBeLessThan(0.01);
    expect(performer.moves(6000)).toBe(false);
  });

  it("moves its mouth to a sound as far as that is sure, and closes it afterwards", () => {
    const performer = new Performer(() => true);
    expect(after(performer, 0, 500, (now) => performer.hear(heard(0.6), now)).coefficients[JAW]).toBeCloseTo(0.6, 5);
    expect(after(performer, 500, 500, (now) => performer.hear(heard(0.6, 0.2), now)).coefficients[JAW]).toBeCloseTo(0.12, 5);
    expect(after(performer, 1000, 3000).coefficients[JAW]).toBeLessThan(0.01);
    after(performer, 4000, 3000, (now) => performer.hear(heard(0), now));
    expect(performer.moves(7000)).toBe(false);
  });

  it("takes the mouth from the sound where only the head is given", () => {
    const performer = new Performer(() => true);
    const shown = after(performer, 0, 1500, (now) => {
      performer.drive({ rotation: [0.99, 0, 0.14, 0] }, now);
      performer.hear(heard(0.5), now);
    });
    expect(shown.coefficients[JAW]).toBeCloseTo(0.5, 1);
    expect(shown.rotation[2]).toBeCloseTo(0.14, 1);
  });

  it("changes nothing for what is no frame", () => {
    const performer = new Performer(() => true);
    performer.drive({ coefficients: { jawOpen: 1 } }, 0);
    for (const wrong of [{ coefficients: [1, 2] }, { coefficients: { jawOpen: 0.1 }, gaze: [NaN, 0, 0, 0] }, { coefficients: { jaw: 1 } as object }])
      expect(() => performer.drive(wrong, 1)).toThrow(/expected.*came\b/);
    expect(after(performer, 0, 600).coefficients[JAW]).toBeGreaterThan(0.8);
  });
});
