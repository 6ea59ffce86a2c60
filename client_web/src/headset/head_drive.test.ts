import { expect, it } from "vitest";
import { moved, rigid, type Rigid, turn } from "../render/rigid";
import { BETWEEN_EYES, headMotion } from "./head_drive";
import { aboutY, Standpoint } from "./standpoint";

const PLACE = { eye: [0.4, -0.01, 0.6] as [number, number, number], yaw: 2.1 };
const AT_HOME = rigid([1, 0, 0, 0], [0.2, 1.3, 0.4]);

/** The headset at home turned and moved, relative to where the person sat down. */
function motion(turned: Rigid, shift: [number, number, number]): ReturnType<typeof headMotion> {
  const standpoint = new Standpoint();
  standpoint.sit(AT_HOME, PLACE);
  const head = turned.slice();
  shift.forEach((value, i) => (head[4 * i + 3] = AT_HOME[4 * i + 3]! + value));
  return headMotion(standpoint.inRoom(head), standpoint.leaning(head), standpoint.forward);
}

it("rests while the head does", () => {
  const { rotation, translation } = motion(turn(0, 0, 0), [0, 0, 0]);
  expect(rotation[0]).toBeCloseTo(1, 9);
  for (const value of translation) expect(value).toBeCloseTo(0, 9);
});

it("turns and nods as the person does, about the eyes where they are", () => {
  const left = motion(turn(0, 0.5, 0), [0, 0, 0]);
  expect(left.rotation[2]).toBeCloseTo(Math.sin(0.25), 6);
  const down = motion(turn(-0.3, 0, 0), [0, 0, 0]);
  expect(down.rotation[1]).toBeCloseTo(Math.sin(0.15), 6); // avatar space: x to the left, so the face goes down
  for (const { rotation, translation } of [left, down]) {
    const eyes = moved(rigid(rotation, translation), BETWEEN_EYES);
    BETWEEN_EYES.forEach((value, i) => expect(eyes[i]).toBeCloseTo(value, 2));
  }
});

it("leans as the person does, as far as a seated head goes", () => {
  const { translation } = motion(turn(0, 0, 0), [0.05, 0.02, -0.1]); // right, up, forward
  expect(translation[0]).toBeCloseTo(-0.12 * Math.tanh(0.05 / 0.12), 6);
  expect(translation[2]).toBeCloseTo(0.2 * Math.tanh(0.1 / 0.2), 6);
  const away = motion(turn(0, 0, 0), [3, 1, 3]).translation;
  expect(Math.abs(away[0])).toBeLessThanOrEqual(0.12);
  expect(Math.abs(away[2])).toBeLessThanOrEqual(0.2);
});

it("shows a head that was turned by stick to a neighbour looking there, and no neck that breaks", () => {
  const standpoint = new Standpoint();
  standpoint.sit(AT_HOME, PLACE);
  standpoint.turn(AT_HOME, Math.PI / 3);
  const { rotation } = headMotion(standpoint.inRoom(AT_HOME), standpoint.leaning(AT_HOME), standpoint.forward);
  expect(rotation[2]).toBeCloseTo(Math.sin(Math.PI / 6), 6);
  const behind = motion(aboutY(Math.PI), [0, 0, 0]).rotation;
  expect(2 * Math.acos(behind[0])).toBeCloseTo((75 * Math.PI) / 180, 6);
});
