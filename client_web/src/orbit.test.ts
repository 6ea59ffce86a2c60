import { describe, expect, it } from "vitest";
import {
  between, dragged, FRONT, limited, turned, turning, wheelFactor, wrap, zoomed,
} from "./orbit";
import { decode, MAX_DISTANCE, MAX_PITCH, MIN_DISTANCE } from "./protocol";

describe("limits", () => {
  it("keeps pitch and distance, and lets yaw go round", () => {
    expect(limited({ yaw: 0, pitch: 9, distance: 9 })).toEqual({ yaw: 0, pitch: MAX_PITCH, distance: MAX_DISTANCE });
    expect(limited({ yaw: 0, pitch: -9, distance: 0 })).toEqual({ yaw: 0, pitch: -MAX_PITCH, distance: MIN_DISTANCE });
    let view = FRONT;
    for (let i = 0; i < 8; i++) view = turned(view, Math.PI / 4, 0);
    expect(view.yaw).toBeCloseTo(0);
  });

  it.each([
    [0, 0],
    [Math.PI, Math.PI],
    [-Math.PI, Math.PI],
    [3 * Math.PI, Math.PI],
    [-Math.PI - 0.1, Math.PI - 0.1],
    [20 * Math.PI + 0.5, 0.5],
  ])("wraps %f to %f", (angle, wrapped) => {
    expect(wrap(angle)).toBeCloseTo(wrapped);
  });
});

describe("dragging", () => {
  it("moves the camera against the hand: the head follows it", () => {
    const view = dragged(FRONT, 100, 50, 1000);
    expect(view.yaw).toBeCloseTo(-Math.PI / 10);
    expect(view.pitch).toBeCloseTo(Math.PI / 20);
  });

  it("survives a stage without size", () => {
    expect(Number.isFinite(dragged(FRONT, 5, 5, 0).yaw)).toBe(true);
  });
});

describe("zooming", () => {
  it("comes closer with a factor below one and goes back with its inverse", () => {
    expect(zoomed(FRONT, 0.5).distance).toBeCloseTo(FRONT.distance / 2);
    expect(zoomed(zoomed(FRONT, 1.1), 1 / 1.1).distance).toBeCloseTo(FRONT.distance);
  });

  it("reads wheels in pixels, lines and pages, and tames wild ones", () => {
    expect(wheelFactor(100, 0)).toBeGreaterThan(1);
    expect(wheelFactor(-100, 0)).toBeLessThan(1);
    expect(wheelFactor(3, 1)).toBeCloseTo(wheelFactor(99, 0));
    expect(wheelFactor(1e9, 2)).toBe(wheelFactor(300, 0));
  });
});

describe("moving by itself", () => {
  it("goes to the front the short way round", () => {
    const view = { yaw: 3, pitch: 0.5, distance: 2 };
    expect(between(view, FRONT, 0)).toEqual(view);
    expect(between(view, FRONT, 1)).toEqual(FRONT);
    expect(Math.abs(between({ ...FRONT, yaw: 3 }, { ...FRONT, yaw: -3 }, 0.5).yaw)).toBeCloseTo(Math.PI);
  });

  it("turns once in 24 s", () => {
    expect(turning(FRONT, 6).yaw).toBeCloseTo(Math.PI / 2);
  });
});

it("begins where the server does", () => {
  expect(decode('{"type":"viewer_camera"}')).toMatchObject(FRONT);
});
