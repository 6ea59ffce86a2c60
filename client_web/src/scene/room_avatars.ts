/** The web avatars of the people of a room: fetched, fetched anew when somebody changes, forgotten when somebody goes. No DOM. */
import type { Participant } from "../protocol";
import { RenderError } from "../render/splat_renderer";
import { type WebAvatar, WebAvatarError } from "../render/web_avatar";
import { AvatarUnavailable, fetchAvatar } from "./fetch_avatar";

/** Milliseconds before the second and last attempt. */
const AGAIN_AFTER = 1_000;

export interface AvatarEvents {
  /** An avatar is there, first coarse, then whole. */
  arrived(participant: number, avatar: WebAvatar): void;
  left(participant: number): void;
  /** Somebody's avatar cannot be shown here; a sentence says why. */
  failed(participant: number, sentence: string): void;
}

interface Wanted {
  address: string;
  abort: AbortController;
  /** What of it is there. */
  has: "nothing" | "coarse" | "whole";
}

export class RoomAvatars {
  private readonly wanted = new Map<number, Wanted>();

  constructor(
    private readonly events: AvatarEvents,
    private readonly load: typeof fetchAvatar = fetchAvatar,
  ) {}

  /** Who is here now. */
  update(people: readonly Participant[]): void {
    const here = new Map(people.map((person) => [person.id, person.web_avatar]));
    for (const [id, { abort }] of this.wanted) {
      if (here.has(id)) continue;
      abort.abort();
      this.wanted.delete(id);
      this.events.left(id);
    }
    for (const [id, address] of here) {
      const before = this.wanted.get(id);
      if (address === "" || before?.address === address) continue; // one that is not there yet comes with another state
      before?.abort.abort();
      const wanted: Wanted = { address, abort: new AbortController(), has: "nothing" };
      this.wanted.set(id, wanted);
      void this.fetch(id, wanted);
    }
  }

  /** Whether the whole avatars of all these are there. */
  hasAll(people: readonly Participant[]): boolean {
    return people.every((person) => this.of(person)?.has === "whole");
  }

  /** Whether at least the coarse avatars of all these are there. */
  hasSomeOfAll(people: readonly Participant[]): boolean {
    return people.every((person) => (this.of(person)?.has ?? "nothing") !== "nothing");
  }

  close(): void {
    for (const { abort } of this.wanted.values()) abort.abort();
    this.wanted.clear();
  }

  private of({ id, web_avatar }: Participant): Wanted | undefined {
    const wanted = this.wanted.get(id);
    return wanted?.address === web_avatar ? wanted : undefined;
  }

  private async fetch(id: number, wanted: Wanted): Promise<void> {
    const { address, abort } = wanted;
    for (let attempt = 0; ; attempt++) {
      try {
        const avatar = await this.load(address, abort.signal, (coarse) => {
          if (abort.signal.aborted) return;
          wanted.has = "coarse";
          this.events.arrived(id, coarse);
        });
        if (abort.signal.aborted) return;
        wanted.has = "whole";
        this.events.arrived(id, avatar);
        return;
      } catch (error) {
        if (abort.signal.aborted) return;
        if (!(error instanceof AvatarUnavailable) || attempt > 0) {
          const isKnown = error instanceof AvatarUnavailable || error instanceof WebAvatarError || error instanceof RenderError;
          this.events.failed(id, isKnown ? error.message : "It cannot be shown here.");
          return;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER));
      if (abort.signal.aborted) return;
    }
  }
}
