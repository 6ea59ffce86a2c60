/** What a `Failure` of the server means for a page, by where the page is. */
import type { Failure } from "./protocol";
import type { Phase, Step } from "./signalling_types";

/**
 * told: shown, nothing else changes; refused: not let in now, back to the lobby; another-avatar: out of the room, choose another
 * avatar in the lobby; ended: out for good; lost: out, the page connects again.
 */
export type Consequence = "told" | "refused" | "another-avatar" | "ended" | "lost";

/** Refusals of one message, and news of a restart to come, which a live call survives. */
const HARMLESS = ["not_allowed", "not_found", "bad_message", "restarting"];

/** Longest wait that the page agrees to, seconds. */
const LONGEST_WAIT = 60;

export type Stage = "in the lobby" | "asking to join" | "on the way" | "live";

export function consequenceOf({ code, final }: Failure, stage: Stage): Consequence {
  if (stage === "in the lobby") return final ? "ended" : "told";
  if (stage === "asking to join" && !final) return "refused";
  if (code === "avatar") return "another-avatar";
  if (final) return "ended";
  return stage === "live" && HARMLESS.includes(code) ? "told" : "lost";
}

export function stageOf(phase: Phase, step: Step): Stage {
  if (phase === "live") return "live";
  if (phase === "lobby") return "in the lobby";
  return step === "welcome" ? "asking to join" : "on the way";
}

/** Milliseconds until the server wants to be asked again; 0: it does not say. */
export function waitOf({ retry_after }: Failure): number {
  return Math.min(LONGEST_WAIT, Math.max(0, retry_after)) * 1_000;
}
