import { expect, it } from "vitest";
import { DISCONNECTED_LIMIT, Heartbeat, PONG_LIMIT } from "./heartbeat";

it.each([
  [0, 200],
  [0.5, 500],
  [60, 10_000],
])("beats every %d s as the server wants, within reason: %d ms", (seconds, interval) => {
  const heartbeat = new Heartbeat();
  heartbeat.setInterval(seconds);
  heartbeat.beat(100);
  heartbeat.answered();
  expect([heartbeat.wakeAt, heartbeat.isDue(99 + interval), heartbeat.isDue(100 + interval)]).toEqual([100 + interval, false, true]);
});

it("counts the silence from the first beat that was not answered", () => {
  const heartbeat = new Heartbeat();
  heartbeat.beat(0);
  heartbeat.beat(1000);
  expect(heartbeat.silence(2500)).toBe(2500);
  expect([heartbeat.isGone(PONG_LIMIT - 1), heartbeat.isGone(PONG_LIMIT)]).toEqual([false, true]);
  heartbeat.answered();
  expect([heartbeat.silence(2500), heartbeat.isGone(PONG_LIMIT)]).toEqual([0, false]);
});

it("gives a disconnection time to mend, counted from its beginning", () => {
  const heartbeat = new Heartbeat();
  heartbeat.disconnected(0);
  heartbeat.disconnected(1000);
  expect([heartbeat.isGone(DISCONNECTED_LIMIT - 1), heartbeat.isGone(DISCONNECTED_LIMIT)]).toEqual([false, true]);
  heartbeat.connected();
  expect(heartbeat.isGone(1e9)).toBe(false);
});

it("wants nothing when it is stopped", () => {
  const heartbeat = new Heartbeat();
  heartbeat.beat(0);
  heartbeat.disconnected(0);
  heartbeat.stop();
  expect([heartbeat.wakeAt, heartbeat.isDue(1e9), heartbeat.isGone(1e9)]).toEqual([Infinity, false, false]);
});

it("hears what waited while the page was busy or the device slept, before it gives up", () => {
  const heartbeat = new Heartbeat();
  heartbeat.beat(0);
  const woken = PONG_LIMIT + 20_000;
  expect(heartbeat.isGone(woken)).toBe(false);
  expect(heartbeat.wakeAt).toBeLessThanOrEqual(woken + 1_000);
  heartbeat.answered();
  expect(heartbeat.isGone(woken + 1_000)).toBe(false);
  heartbeat.beat(woken);
  expect(heartbeat.isGone(woken + PONG_LIMIT + 20_000), "a busy moment again").toBe(false);
  expect(heartbeat.isGone(woken + PONG_LIMIT + 60_000), "no answer came, however late that is asked").toBe(true);
});
