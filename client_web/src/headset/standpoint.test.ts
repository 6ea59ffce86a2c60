import { describe, expect, it } from "vitest";
import { moved, rigid, type Rigid, times, turn } from "../render/rigid";
import { matrixOf, seats } from "../scene/seating";
import { placeOf } from "./places";
import { heading, LEAST_SCALE, MOST_SCALE, ofMatrix, Standpoint } from "./standpoint";

/** A head at home that looks by `yaw` to the left of -z, and by `pitch` up. */
function head(at: number[], yaw = 0, pitch = 0): Rigid {
  const out = times(turn(0, yaw, 0), turn(pitch, 0, 0));
  at.forEach((value, i) => (out[4 * i + 3] = value));
  return out;
}

const eyeOf = (m: Rigid): number[] => [m[3]!, m[7]!, m[11]!];
const lookOf = (m: Rigid): number[] => [-m[2]!, -m[6]!, -m[10]!];

function near(found: readonly number[], expected: readonly number[], digits = 9): void {
  expected.forEach((value, i) => expect(found[i]).toBeCloseTo(value, digits));
}

describe("where the person with the headset is", () => {
  const table = seats(3);
  const place = placeOf(table[1]!, table);
  const home = head([0.4, 1.3, -0.2], 0.7, 0.1);

  it("is the own seat, whichever way the person sits at home", () => {
    const standpoint = new Standpoint();
    standpoint.sit(home, place);
    const seen = standpoint.inRoom(home);
    near(eyeOf(seen), place.eye);
    const ahead = moved(matrixOf(table[1]!), [0, 0, 1]).map((value, i) => value - table[1]!.position[i]!);
    const level = Math.hypot(lookOf(seen)[0]!, lookOf(seen)[2]!);
    near([lookOf(seen)[0]! / level, lookOf(seen)[2]! / level], [ahead[0]!, ahead[2]!]);
    expect(lookOf(seen)[1]).toBeCloseTo(Math.sin(0.1), 9);
  });

  it("follows the head metre by metre, and says how it leans", () => {
    const standpoint = new Standpoint();
    standpoint.sit(home, place);
    const before = eyeOf(standpoint.inRoom(home));
    const leaned = head([0.4 - 0.3 * Math.sin(0.7), 1.35, -0.2 - 0.3 * Math.cos(0.7)], 0.7, 0.1);
    const apart = eyeOf(standpoint.inRoom(leaned)).map((value, i) => value - before[i]!);
    near(apart, [0.3 * Math.sin(place.yaw), 0.05, 0.3 * Math.cos(place.yaw)]);
    near(standpoint.leaning(leaned), apart);
  });

  it("moves along with its seat when people come", () => {
    const standpoint = new Standpoint();
    standpoint.sit(home, place);
    standpoint.step(home, 0.1, 0.05, 0, []);
    const before = times(matrixOf(invertible(place)), standpoint.inRoom(home));
    const other = placeOf(seats(4)[1]!, seats(4));
    standpoint.follow(other);
    near([...times(matrixOf(invertible(other)), standpoint.inRoom(home))], [...before]);
  });

  it("turns and grows around the own eyes", () => {
    const standpoint = new Standpoint();
    standpoint.sit(home, place);
    standpoint.turn(home, Math.PI / 6);
    near(eyeOf(standpoint.inRoom(home)), place.eye);
    expect(heading(standpoint.inRoom(home))).toBeCloseTo(Math.atan2(Math.sin(place.yaw + Math.PI / 6), Math.cos(place.yaw + Math.PI / 6)), 9);
    standpoint.rescale(home, 1.5);
    near(eyeOf(standpoint.inRoom(home)), place.eye);
    const aside = head([0.4 + 0.3, 1.3, -0.2], 0.7, 0.1);
    const apart = eyeOf(standpoint.inRoom(aside)).map((value, i) => value - place.eye[i]!);
    expect(Math.hypot(...apart)).toBeCloseTo(0.2, 9); // eyes that are nearer together see larger people
    standpoint.rescale(home, 9);
    expect(standpoint.scale).toBe(MOST_SCALE);
    standpoint.rescale(home, 0.01);
    expect(standpoint.scale).toBe(LEAST_SCALE);
  });

  it("comes no nearer to a face than a face's length, and stays in the room", () => {
    const standpoint = new Standpoint();
    standpoint.sit(home, { eye: [0, 0, 0.9], yaw: Math.PI });
    for (let i = 0; i < 100; i++) standpoint.step(home, 0.02, 0, 0, [[0, 0, 0]]);
    const [, , nearest] = eyeOf(standpoint.inRoom(home));
    expect(nearest).toBeGreaterThan(0.349);
    expect(nearest).toBeLessThan(0.38);
    for (let i = 0; i < 1000; i++) standpoint.step(home, -0.02, 0, 0, [[0, 0, 0]]);
    expect(eyeOf(standpoint.inRoom(home))[2]).toBeLessThan(3);
  });

  it("knows where a head looks that looks straight down", () => {
    const down = head([0, 0, 0], 0.5, -1.5);
    expect(heading(down)).toBeCloseTo(heading(head([0, 0, 0], 0.5)), 6);
  });
});

describe("the place to sit", () => {
  it("is as far from neighbours as they are from each other, for somebody without a seat", () => {
    for (let count = 2; count < 8; count++) {
      const table = seats(count);
      const { eye, yaw } = placeOf(null, table);
      const distances = table.map(({ position }) => Math.hypot(position[0] - eye[0], position[2] - eye[2])).sort((a, b) => a - b);
      near(distances.slice(0, 2), [0.9, 0.9]);
      const middle = Math.hypot(eye[0], eye[2]);
      near([Math.sin(yaw), Math.cos(yaw)], [-eye[0] / middle, -eye[2] / middle]);
    }
    near(placeOf(null, seats(1)).eye, [0, -0.01, 0.9]);
    near(placeOf(seats(1)[0]!, seats(1)).eye, [0, -0.01, 0.9]);
  });
});

it("reads WebXR's matrices by columns", () => {
  const m = Float32Array.of(0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 5, 6, 7, 1);
  near([...ofMatrix(m)], [...rigid([Math.SQRT1_2, 0, 0, Math.SQRT1_2], [5, 6, 7])], 6);
});

function invertible({ eye, yaw }: { eye: readonly number[]; yaw: number }): { position: [number, number, number]; yaw: number } {
  const [c, s] = [Math.cos(-yaw), Math.sin(-yaw)];
  return { position: [-(c * eye[0]! + s * eye[2]!), -eye[1]!, -(c * eye[2]! - s * eye[0]!)], yaw: -yaw };
}
