import { expect, it } from "vitest";
import { type Consequence, consequenceOf, stageOf, type Stage, waitOf } from "./failures";
import { failure } from "./testing/messages";

it.each<[string, boolean, Stage, Consequence]>([
  ["bad_message", false, "in the lobby", "told"],
  ["ended", true, "in the lobby", "ended"],
  ["full", false, "asking to join", "refused"],
  ["avatar", false, "asking to join", "refused"],
  ["not_found", true, "asking to join", "ended"],
  ["busy", false, "on the way", "lost"],
  ["avatar", true, "on the way", "another-avatar"],
  ["not_found", true, "on the way", "ended"],
  ["not_found", false, "live", "told"],
  ["not_allowed", false, "live", "told"],
  ["restarting", false, "live", "told"],
  ["restarting", false, "asking to join", "refused"],
  ["restarting", false, "on the way", "lost"],
  ["media", false, "live", "lost"],
  ["lost", false, "live", "lost"],
  ["lost", false, "on the way", "lost"],
  ["removed", true, "live", "ended"],
  ["avatar", true, "live", "another-avatar"],
])("%s (final: %s) means, %s: %s", (code, final, stage, consequence) => {
  expect(consequenceOf(failure(code, { final }), stage)).toBe(consequence);
});

it("knows the stage by phase and step", () => {
  expect(stageOf("live", "control")).toBe("live");
  expect(stageOf("lobby", "greeting")).toBe("in the lobby");
  expect(stageOf("connecting", "welcome")).toBe("asking to join");
  expect(stageOf("connecting", "offer")).toBe("on the way");
});

it.each([[5, 5000], [0, 0], [-1, 0], [1e9, 60_000]])("takes %d s for a wait of %d ms", (retry_after, wait) => {
  expect(waitOf(failure("full", { retry_after }))).toBe(wait);
});
