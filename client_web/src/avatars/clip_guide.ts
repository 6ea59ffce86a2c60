/** What a guided clip asks for, one after the other; what was not seen is asked for once more. No DOM. */
import type { Ask } from "./cues";

export interface Prompt {
  ask: Ask;
  words: string;
  /** Milliseconds that it takes at least. */
  time: number;
}

export const PROMPTS: readonly Prompt[] = [
  { ask: "ahead", words: "Look straight into the camera.", time: 2_000 },
  { ask: "left", words: "Slowly turn your head to your left.", time: 2_600 },
  { ask: "right", words: "Now slowly to your right.", time: 2_800 },
  { ask: "up", words: "Look up a little.", time: 2_200 },
  { ask: "smile", words: "Look ahead, and smile.", time: 2_000 },
  { ask: "open", words: "Open your mouth wide.", time: 2_000 },
  { ask: "relax", words: "And relax. Look ahead.", time: 1_400 },
];

/** Milliseconds that somebody has more than that, before it is left for later. */
export const PATIENCE = 2_000;

export class ClipGuide {
  private index = 0;
  private since: number | null = null;
  private seen = false;
  private readonly missed: Prompt[] = [];
  private repeating = false;
  private prompts: readonly Prompt[] = PROMPTS;

  /** null: the clip is complete. */
  get prompt(): Prompt | null {
    return this.prompts[this.index] ?? null;
  }

  /** Whether it is asked for once more. */
  get isAgain(): boolean {
    return this.repeating;
  }

  /** Part of the prompt's time that has gone, [0, 1]. */
  part(now: number): number {
    const time = this.prompt?.time ?? 1;
    return this.since === null ? 0 : Math.min(1, (now - this.since) / time);
  }

  /** Part of the whole clip that is done, [0, 1]. */
  whole(now: number): number {
    const all = this.prompts.reduce((sum, { time }) => sum + time, 0);
    const before = this.prompts.slice(0, this.index).reduce((sum, { time }) => sum + time, 0);
    return Math.min(1, (before + this.part(now) * (this.prompt?.time ?? 0)) / all);
  }

  /** How it is at `now`, milliseconds. `done`: what is asked for can be seen. Returns whether another prompt has come. */
  take(done: boolean, now: number): boolean {
    const { prompt } = this;
    if (prompt === null) return false;
    this.since ??= now;
    this.seen ||= done;
    const gone = now - this.since;
    if (gone < prompt.time || (!this.seen && gone < prompt.time + PATIENCE)) return false;
    if (!this.seen && !this.repeating) this.missed.push(prompt);
    this.next(now);
    return true;
  }

  /** Somebody cannot or does not want to do this one. */
  skip(now: number): void {
    if (this.prompt !== null) this.next(now);
  }

  private next(now: number): void {
    this.index += 1;
    [this.since, this.seen] = [now, false];
    if (this.index < this.prompts.length || this.repeating || this.missed.length === 0) return;
    [this.prompts, this.index, this.repeating] = [this.missed, 0, true];
  }
}
