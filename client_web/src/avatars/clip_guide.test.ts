import { expect, it } from "vitest";
import { ClipGuide, PATIENCE, PROMPTS } from "./clip_guide";

/** Runs a guide; `sees`: what can be seen of each ask -> what was asked, and how long it took. */
function run(sees: (ask: string, again: boolean) => boolean): { asked: string[]; time: number } {
  const guide = new ClipGuide();
  const asked: string[] = [];
  let now = 0;
  for (; guide.prompt !== null && now < 120_000; now += 100) {
    if (asked.at(-1) !== guide.prompt.ask) asked.push(guide.prompt.ask);
    guide.take(sees(guide.prompt.ask, guide.isAgain), now);
  }
  return { asked, time: now };
}

const ALL = PROMPTS.map(({ ask }) => ask);

it("asks for each thing once, in some fifteen seconds", () => {
  const { asked, time } = run(() => true);
  expect(asked).toEqual(ALL);
  expect(time).toBeGreaterThan(12_000);
  expect(time).toBeLessThan(17_000);
});

it("asks once more for what was not seen, and ends all the same", () => {
  expect(run((ask, again) => ask !== "smile" || again).asked).toEqual([...ALL, "smile"]);
  const { asked, time } = run((ask) => !["left", "open"].includes(ask));
  expect(asked).toEqual([...ALL, "left", "open"]);
  expect(time).toBeLessThan(30_000);
});

it("waits a while for somebody slow, who then need not do it again", () => {
  const guide = new ClipGuide();
  guide.take(true, 0);
  expect(guide.take(true, 2_000)).toBe(true);
  const time = PROMPTS[1]!.time;
  expect(guide.take(false, 2_000 + time)).toBe(false);
  expect(guide.take(true, 2_000 + time + PATIENCE / 2)).toBe(true);
  expect(guide.prompt?.ask).toBe("right");
  expect(guide.part(2_000 + time + PATIENCE / 2)).toBe(0);
});

it("leaves out what is skipped", () => {
  const guide = new ClipGuide();
  PROMPTS.forEach((_, i) => guide.skip(i));
  expect(guide.prompt).toBeNull();
  expect(guide.isAgain).toBe(false);
  expect(guide.take(true, 99)).toBe(false);
});

it("fills its ring without going back", () => {
  const guide = new ClipGuide();
  const parts: number[] = [];
  for (let now = 0; guide.prompt !== null; now += 100) {
    guide.take(true, now);
    if (guide.prompt) parts.push(guide.whole(now));
  }
  expect(parts).toEqual([...parts].sort((a, b) => a - b));
  expect(parts.at(-1)).toBeGreaterThan(0.97);
});
