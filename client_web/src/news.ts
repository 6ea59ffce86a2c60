/** What a screen reader should say of a call as it goes on: seldom enough not to talk over a conversation. No DOM. */
import type { Quality } from "./quality";
import type { Room } from "./room";

/** Milliseconds between two speakers that are named. */
export const SPEAKER_MS = 4_000;
/** Milliseconds between two words on the connection. */
export const CONNECTION_MS = 10_000;

/** Who speaks, where there are several others. */
export class SpeakerNews {
  private last = -1;
  private saidAt = -Infinity;

  constructor(private readonly room: Room) {}

  /** A sentence, or nothing; `now` in milliseconds. */
  read(now: number): string {
    const { room } = this;
    const speaker = room.speaking.find((id) => id !== room.own) ?? -1;
    const name = room.nameOf(speaker);
    if (name === "" || speaker === this.last || room.others.length < 2 || now - this.saidAt < SPEAKER_MS) return "";
    this.last = speaker;
    this.saidAt = now;
    return `${name} speaks.`;
  }
}

/** That the connection has become poor, and well again. */
export class ConnectionNews {
  private isPoor = false;
  private saidAt = -Infinity;

  /** A sentence, or nothing; `now` in milliseconds. Call it again and again: what came too soon is said later. */
  read(quality: Quality, now: number): string {
    const isPoor = quality === "poor";
    const isKnown = isPoor || quality === "good" || quality === "excellent";
    if (!isKnown || isPoor === this.isPoor || now - this.saidAt < CONNECTION_MS) return "";
    this.isPoor = isPoor;
    this.saidAt = now;
    return isPoor ? "The connection is poor." : "The connection is well again.";
  }
}
