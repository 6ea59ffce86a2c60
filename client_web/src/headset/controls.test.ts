import { describe, expect, it } from "vitest";
import { Controls, type Hand, HOLD, type Wish } from "./controls";

const idle: Hand = { id: "right", at: [0.2, 1, -0.3], select: false, squeeze: false, stick: [0, 0], recentre: false, isHand: false };

/** Lets a hand do something for `seconds`, 50 pictures a second -> all wishes. */
class Person {
  readonly controls = new Controls();
  private now = 100;

  does(seconds: number, ...hands: Partial<Hand>[]): Wish[] {
    return Array.from({ length: Math.round(seconds * 50) }, () => {
      this.now += 0.02;
      return this.controls.read(hands.map((hand) => ({ ...idle, ...hand })), this.now, 0.02);
    });
  }
}

const sum = (wishes: Wish[], of: (wish: Wish) => number): number => wishes.reduce((total, wish) => total + of(wish), 0);
const grown = (wishes: Wish[]): number => wishes.reduce((total, wish) => total * wish.rescale, 1);

describe("hands and controllers", () => {
  it("leave by a hold of two seconds, which shows itself, and not by a shorter one", () => {
    const person = new Person();
    const short = [...person.does(HOLD - 0.2, { select: true }), ...person.does(0.5, {})];
    expect(Math.max(...short.map(({ leaving }) => leaving))).toBeLessThan(1);
    expect(short.some(({ leaving }) => leaving > 0.5)).toBe(true);
    expect(short.some(({ pressed }) => pressed)).toBe(false);
    expect(person.does(HOLD + 0.1, { select: true }).at(-1)!.leaving).toBe(1);
  });

  it("press, and press twice to sit down again", () => {
    const person = new Person();
    const tap = (): Wish[] => [...person.does(0.1, { select: true }), ...person.does(0.1, {})];
    expect(tap().filter(({ pressed }) => pressed)).toHaveLength(1);
    expect(tap().filter(({ recentre }) => recentre)).toHaveLength(1);
    person.does(2, {});
    expect(tap().some(({ recentre }) => recentre)).toBe(false);
    expect(person.does(0.5, { recentre: true }).filter(({ recentre }) => recentre)).toHaveLength(1);
  });

  it("turn once for each push of the stick, and go as long as it is pushed", () => {
    const person = new Person();
    expect(sum(person.does(1, { stick: [1, 0.1] }), ({ turn }) => turn)).toBeCloseTo(-Math.PI / 6);
    expect(sum(person.does(0.2, { stick: [-1, 0] }), ({ turn }) => turn)).toBe(0); // it was not let go
    person.does(0.1, {});
    expect(sum(person.does(1, { stick: [-0.9, 0] }), ({ turn }) => turn)).toBeCloseTo(Math.PI / 6);
    expect(sum(person.does(1, { stick: [0.1, -1] }), ({ ahead }) => ahead)).toBeCloseTo(0.8);
    expect(sum(person.does(1, { stick: [0, 0.2] }), ({ ahead }) => ahead)).toBe(0);
    expect(grown(person.does(1, { stick: [0, -1], squeeze: true }))).toBeGreaterThan(1.5);
  });

  it("carry the person by a pinch that moves, which then is no hold", () => {
    const person = new Person();
    const fingers = { isHand: true, select: true };
    person.does(0.1, { ...fingers, at: [0, 1, -0.5] });
    const moves = Array.from({ length: 20 }, (_, i) => person.does(0.1, { ...fingers, at: [0, 1, -0.5 + 0.01 * i] })).flat();
    expect(sum(moves, ({ carried }) => carried[2])).toBeLessThan(-0.2); // pulled nearer: the person goes forward
    expect(moves.at(-1)!.leaving).toBe(0);
    expect(person.does(3, { ...fingers, at: [0, 1, -0.31] }).at(-1)!.leaving).toBe(0);
  });

  it("make people larger by two hands that part", () => {
    const person = new Person();
    const hands = (apart: number): Partial<Hand>[] => [{ id: "left", squeeze: true, at: [-apart / 2, 1, -0.3] }, { id: "right", squeeze: true, at: [apart / 2, 1, -0.3] }];
    const wishes = [0.2, 0.25, 0.3].flatMap((apart) => person.does(0.02, ...hands(apart)));
    expect(grown(wishes)).toBeCloseTo(1.5);
    expect(sum(wishes, ({ carried }) => Math.abs(carried[2]))).toBe(0);
  });

  it("mean nothing that was held before the headset showed its menu", () => {
    const person = new Person();
    person.does(1, { select: true });
    person.controls.forget();
    expect(person.does(3, { select: true }).at(-1)!.leaving).toBe(0);
    expect(person.does(0.1, {}).some(({ pressed }) => pressed)).toBe(false);
    expect(person.does(HOLD + 0.1, { select: true }).at(-1)!.leaving).toBe(1);
  });
});
