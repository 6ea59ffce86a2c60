/** Mouse, pen and fingers on the stage, as drags, zooms and double taps. */

export interface Gestures {
  drag(dx: number, dy: number): void;
  /** Above 1: the fingers came together or the wheel asks to go away. */
  zoom(factor: number): void;
  wheel(delta: number, mode: number): void;
  /** Where, in pixels of the window. */
  doubleTap(x: number, y: number): void;
  /** A hand is on the stage, or no more. */
  hold(on: boolean): void;
}

interface Point {
  x: number;
  y: number;
}

const DOUBLE_TAP_MS = 350;
const TAP_TRAVEL = 8;
/** A pinch on a trackpad comes as a wheel with Ctrl and much smaller steps. */
const TRACKPAD_PINCH = 6;

export function watchGestures(element: HTMLElement, gestures: Gestures): void {
  const points = new Map<number, Point>();
  let travel = 0;
  let lastTap = -Infinity;

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || points.size >= 2) return;
    element.setPointerCapture(event.pointerId);
    if (points.size === 0) travel = 0;
    points.set(event.pointerId, { x: event.clientX, y: event.clientY });
    gestures.hold(true);
  });

  element.addEventListener("pointermove", (event) => {
    const before = points.get(event.pointerId);
    if (!before) return;
    const after = { x: event.clientX, y: event.clientY };
    const [dx, dy] = [after.x - before.x, after.y - before.y];
    travel += Math.hypot(dx, dy);
    const other = [...points].find(([id]) => id !== event.pointerId)?.[1];
    points.set(event.pointerId, after);
    if (!other) gestures.drag(dx, dy);
    else {
      gestures.zoom(distance(before, other) / Math.max(1, distance(after, other)));
      gestures.drag(dx / 2, dy / 2);
    }
  });

  const release = (event: PointerEvent): void => {
    if (!points.delete(event.pointerId) || points.size > 0) return;
    gestures.hold(false);
    if (event.type !== "pointerup" || travel > TAP_TRAVEL) return;
    if (event.timeStamp - lastTap < DOUBLE_TAP_MS) {
      lastTap = -Infinity;
      gestures.doubleTap(event.clientX, event.clientY);
    } else lastTap = event.timeStamp;
  };
  element.addEventListener("pointerup", release);
  element.addEventListener("pointercancel", release);

  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      gestures.wheel(event.deltaY * (event.ctrlKey ? TRACKPAD_PINCH : 1), event.deltaMode);
    },
    { passive: false },
  );
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
