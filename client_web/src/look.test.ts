import { describe, expect, it } from "vitest";
import { focusOn, isSeated, orbitStart, participantAt, SEATED, toCamera, withPeople } from "./look";
import { FRONT } from "./orbit";
import { label, person } from "./testing/messages";

const [ME, BO, CY] = [person(1, "Ada"), person(2, "Bo"), person(3, "Cy")];

it("is told to the server as a camera", () => {
  expect(toCamera(SEATED)).toEqual({ type: "viewer_camera", orbit: false, focus: -1, ...FRONT });
  expect(toCamera(focusOn(3))).toMatchObject({ orbit: false, focus: 3 });
  expect([isSeated(SEATED), isSeated(focusOn(3)), isSeated({ ...SEATED, orbit: true })]).toEqual([true, false, false]);
});

describe("where a drag begins", () => {
  it("is where the camera is", () => {
    const view = { yaw: 1, pitch: 0.2, distance: 2 };
    expect(orbitStart({ orbit: true, focus: -1, view }, [ME, BO, CY], 1)).toEqual(view);
    expect(orbitStart({ orbit: false, focus: 2, view }, [ME, BO, CY], 1)).toEqual(view);
  });

  it("is in front of the one face that fills the picture", () => {
    expect(orbitStart(SEATED, [ME], 1)).toEqual(FRONT);
    expect(orbitStart(SEATED, [ME, BO], 1)).toEqual(FRONT);
  });

  it("is behind the own place at a table of several, from above", () => {
    const yaws = [1, 2, 3].map((own) => orbitStart(SEATED, [ME, BO, CY], own).yaw);
    expect(yaws[0]).toBeCloseTo(Math.PI);
    expect((yaws[1] ?? 0) - (yaws[0] ?? 0)).toBeCloseTo((2 * Math.PI) / 3);
    expect(orbitStart(SEATED, [ME, BO, CY], 1).pitch).toBeGreaterThan(0);
    expect(orbitStart(SEATED, [ME, BO, CY], -1).yaw).toBeCloseTo(Math.PI);
  });
});

it("sits down when the one who was looked at has left", () => {
  expect(withPeople(focusOn(2), [ME, BO])).toEqual(focusOn(2));
  expect(withPeople(focusOn(2), [ME])).toBe(SEATED);
  const around = { ...SEATED, orbit: true };
  expect(withPeople(around, [ME])).toBe(around);
});

it.each([
  [0.25, 0.5, 1],
  [0.75, 0.5, 2],
  [0.55, 0.5, 2],
  [1.2, 0.5, -1],
])("finds at %d, %d of the picture the participant %d", (x, y, participant) => {
  expect(participantAt([label(1, 0, 0.6), label(2, 0.5, 0.5)], x, y)).toBe(participant);
});
