import { describe, expect, it } from "vitest";
import { type Moment, type OwnMoment, resting } from "./moment";
import { BEYOND, type Frame, Playout } from "./playout";
import { turnBy } from "./turning";

const DEGREE = Math.PI / 180;
const [JAW, BROW] = [17, 2];

/** Somebody who talks and looks around, at `seconds`. */
function source(seconds: number): OwnMoment {
  const moment = resting();
  turnBy(moment.rotation, 0.1 * Math.sin(2.1 * seconds), 0.4 * Math.sin(3 * seconds), 0.05 * Math.sin(seconds));
  moment.translation[0] = 0.03 * Math.sin(1.3 * seconds);
  moment.gaze.fill(0.2 * Math.sin(4 * seconds));
  moment.coefficients[JAW] = 0.3 + 0.25 * Math.sin(2 * Math.PI * 2.5 * seconds);
  moment.coefficients[BROW] = 0.5 + 0.5 * Math.sin(2 * seconds);
  return moment;
}

function frame(n: number, start = 0, sequence = n): Frame {
  return { ...source(n / 30), sequence: sequence & 0xffff, time: Math.round(start + (1000 * n) / 30) >>> 0 };
}

function degrees(a: Moment, b: Moment): number {
  const dot = Math.abs([0, 1, 2, 3].reduce((sum, i) => sum + a.rotation[i]! * b.rotation[i]!, 0));
  return (2 * Math.acos(Math.min(1, dot))) / DEGREE;
}

function copy(moment: Moment): Moment {
  return { rotation: [...Array.from(moment.rotation)], translation: Array.from(moment.translation), gaze: Array.from(moment.gaze), coefficients: Array.from(moment.coefficients) };
}

function random(seed: number): () => number {
  let state = seed;
  return () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32);
}

interface Line {
  seed: number;
  loss?: number;
  jitter?: number;
  start?: number;
  /** Frames from..to are lost. */
  hole?: [number, number];
  seconds?: number;
  rate?: number;
}

/** What is shown at 60 pictures a second of frames over a line -> each picture, and what the source showed then, as far as it is behind. */
function played({ seed, loss = 0, jitter = 0, start = 0, hole = [0, 0], seconds = 12, rate = 60 }: Line): { shown: Moment; at: number }[] {
  const chance = random(seed);
  const arrivals = Array.from({ length: 30 * seconds }, (_, n) => ({ n, at: (1000 * n) / 30 + 40 + jitter * (chance() + chance()) }))
    .filter(({ n }) => chance() >= loss && (n < hole[0] || n >= hole[1]))
    .sort((a, b) => a.at - b.at);
  const playout = new Playout();
  playout.breathes = false;
  const out: { shown: Moment; at: number }[] = [];
  let next = 0;
  for (let at = 500; at < 1000 * seconds; at += 1000 / rate) {
    while (next < arrivals.length && arrivals[next]!.at <= at) {
      const arrival = arrivals[next++]!;
      playout.push(frame(arrival.n, start), arrival.at);
    }
    out.push({ shown: copy(playout.at(at)), at });
  }
  return out;
}

/** The largest step between two pictures beyond what the source makes in that time, at any moment within 200 ms. */
function jumps(pictures: { shown: Moment; at: number }[]): { turn: number; coefficient: number } {
  const most = { turn: 0, coefficient: 0 };
  for (let i = 1; i < pictures.length; i++) {
    const [a, b] = [pictures[i - 1]!, pictures[i]!];
    const own = { turn: 0, coefficient: 0 };
    for (let ago = 0; ago < 300; ago += 10) {
      const [before, after] = [source((a.at - ago) / 1000), source((b.at - ago) / 1000)];
      own.turn = Math.max(own.turn, degrees(before, after));
      own.coefficient = Math.max(own.coefficient, change(before, after));
    }
    most.turn = Math.max(most.turn, degrees(a.shown, b.shown) - own.turn);
    most.coefficient = Math.max(most.coefficient, change(a.shown, b.shown) - own.coefficient);
  }
  return most;
}

function change(a: Moment, b: Moment): number {
  return Math.max(...[JAW, BROW].map((k) => Math.abs(a.coefficients[k]! - b.coefficients[k]!)));
}

describe("playout of drive frames", () => {
  it.each([1, 2, 3, 4, 5])("makes no jump of its own with loss and jitter (seed %i)", (seed) => {
    const { turn, coefficient } = jumps(played({ seed, loss: 0.05, jitter: 30 }));
    expect(turn).toBeLessThan(1);
    expect(coefficient).toBeLessThan(0.05);
  });

  it("follows the source on a good line, a little behind", () => {
    const pictures = played({ seed: 1, jitter: 2 });
    for (const { shown, at } of pictures.slice(60)) {
      const behind = [60, 80, 100, 120].map((delay) => degrees(shown, source((at - delay) / 1000)));
      expect(Math.min(...behind)).toBeLessThan(1.2);
    }
  });

  it.each([10, 12, 15, 24, 30])("shows an even motion as evenly from %i frames a second, after the first two seconds", (rate) => {
    const playout = new Playout();
    playout.breathes = false;
    const speed = 20; // degrees a second
    const turned = (seconds: number): OwnMoment => {
      const moment = resting();
      turnBy(moment.rotation, 0, speed * DEGREE * seconds, 0);
      return moment;
    };
    const steps: number[] = [];
    let [n, before] = [0, resting() as Moment];
    for (let at = 100; at < 6_000; at += 1000 / 60) {
      for (; (1000 * n) / rate + 20 <= at; n++) playout.push({ ...turned(n / rate), sequence: n, time: Math.round((1000 * n) / rate) }, (1000 * n) / rate + 20 + 4 * (n % 3));
      const shown = copy(playout.at(at));
      if (at > 2_000) steps.push(degrees(before, shown));
      before = shown;
    }
    const even = speed / 60;
    expect(Math.max(...steps)).toBeLessThan(1.1 * even);
    expect(Math.min(...steps)).toBeGreaterThan(0.9 * even);
  });

  it("waits as long as the line asks for", () => {
    const [even, uneven] = [0, 60].map((jitter) => {
      const [playout, chance] = [new Playout(), random(7)];
      for (let n = 0; n < 100; n++) playout.push(frame(n), (1000 * n) / 30 + jitter * chance());
      return playout.delay;
    });
    expect(even).toBeLessThan(40);
    expect(uneven).toBeGreaterThan(75);
    expect(uneven).toBeLessThan(100);
  });

  it("goes on where time and sequence wrap", () => {
    const pictures = played({ seed: 3, jitter: 5, start: 2 ** 32 - 6_000 });
    const { turn, coefficient } = jumps(pictures);
    const end = pictures.at(-1)!;
    expect(degrees(end.shown, source((end.at - 80) / 1000))).toBeLessThan(2);
    expect(turn).toBeLessThan(0.5);
    expect(coefficient).toBeLessThan(0.03);
  });

  it("lets a motion run out when frames stop, and comes back without a jump", () => {
    const pictures = played({ seed: 2, hole: [150, 210] }); // two seconds
    const held = pictures.filter(({ at }) => at > 5_000 + 40 + 33 + BEYOND + 60 && at < 7_000);
    expect(held.length).toBeGreaterThan(80);
    for (const { shown } of held) expect(degrees(shown, held[0]!.shown)).toBeLessThan(1e-3);
    const ran = degrees(held[0]!.shown, source(149 / 30));
    expect(ran).toBeGreaterThan(0.3);
    expect(ran).toBeLessThan(10);
    expect(jumps(pictures).turn).toBeLessThan(1);
    expect(jumps(pictures).coefficient).toBeLessThan(0.05);
    const end = pictures.at(-1)!;
    expect(degrees(end.shown, source((end.at - 80) / 1000))).toBeLessThan(2);
  });

  it("breathes while it holds, and not while frames come", () => {
    const playout = new Playout();
    for (let n = 0; n < 60; n++) playout.push({ ...resting(), sequence: n, time: 33 * n }, 33 * n);
    const steps = Array.from({ length: 300 }, (_, i) => copy(playout.at(1_980 + 16 * i)));
    expect(degrees(steps[0]!, resting())).toBe(0);
    const turned = steps.map((moment) => degrees(moment, resting()));
    expect(Math.max(...turned)).toBeGreaterThan(0.1);
    expect(Math.max(...turned)).toBeLessThan(0.5);
  });

  it("drops what comes late or twice, in whatever order", () => {
    const playout = new Playout();
    playout.breathes = false;
    for (let n = 0; n < 30; n++) playout.push(frame(n), 33.3 * n);
    const now = 33.3 * 30;
    const before = copy(playout.at(now));
    for (const n of [3, 3, 12, 29, 29]) playout.push({ ...resting(), sequence: n, time: frame(n).time }, now);
    expect(degrees(copy(playout.at(now)), before)).toBeLessThan(1e-4);
  });

  it("takes another clock for a new start", () => {
    const playout = new Playout();
    playout.breathes = false;
    for (let n = 0; n < 60; n++) playout.push(frame(n, 5_000_000), 33.3 * n);
    let last = copy(playout.at(33.3 * 60));
    for (let n = 60; n < 120; n++) {
      playout.push(frame(n, 17), 33.3 * n + 5);
      const shown = copy(playout.at(33.3 * n + 10));
      expect(degrees(last, shown)).toBeLessThan(4.5);
      last = shown;
    }
    expect(degrees(last, source(117 / 30))).toBeLessThan(6);
  });
});

it("bears a thousand frames a second, replayed, from the past and of clocks that leap", () => {
  const chance = random(5);
  const playout = new Playout();
  for (let now = 0; now < 3_000; now++) {
    const time = chance() < 0.02 ? Math.floor(chance() * 2 ** 32) : chance() < 0.3 ? Math.max(0, now - 400) : now;
    playout.push({ ...source(now / 1000), sequence: Math.floor(chance() * 65536), time }, now);
    if (now % 16 > 0) continue;
    const [rotation, ...rest] = Object.values(copy(playout.at(now))) as number[][];
    expect([...rotation!, ...rest.flat()].every(Number.isFinite)).toBe(true);
    expect(Math.hypot(...rotation!)).toBeCloseTo(1, 3);
    expect(playout.delay).toBeLessThanOrEqual(250);
  }
});
