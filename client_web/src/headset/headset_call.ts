/** The call as a headset sees it: its own context and avatars, fed by the page. Loaded when a headset is put on. */
import type { Participant } from "../protocol";
import { RenderError, SplatRenderer } from "../render/splat_renderer";
import { RoomScene } from "../scene/room_scene";
import { SeatedPeople } from "../scene/seated_people";
import type { Seat } from "../scene/seating";
import type { HeadMotion } from "./head_drive";
import { type HeadsetRoom, HeadsetView } from "./headset_view";
import { HeadsetError } from "./support";

export interface HeadsetEvents {
  /** How the own head is. */
  drive(motion: HeadMotion, now: number): void;
  /** The view is over. sentence: why, where the person did not ask for it. */
  ended(sentence: string): void;
}

export class HeadsetCall implements HeadsetRoom {
  readonly scene: RoomScene;
  readonly origin: string;
  own = -1;
  /** Whether the page's connection is up. */
  isLive = true;
  private readonly seated: SeatedPeople;
  private readonly renderer = new SplatRenderer(document.createElement("canvas"));
  private readonly trouble = new Map<number, string>();
  private view: HeadsetView | null = null;
  private isLeaving = false;

  /** isSynthetic: whether those who are seen must be marked. Raises `HeadsetError`. */
  static make(isSynthetic: boolean, events: HeadsetEvents): HeadsetCall {
    try {
      return new HeadsetCall(isSynthetic, events);
    } catch (error) {
      throw error instanceof RenderError ? new HeadsetError(error.message) : error;
    }
  }

  private constructor(
    isSynthetic: boolean,
    private readonly events: HeadsetEvents,
  ) {
    this.scene = new RoomScene(this.renderer);
    this.origin = isSynthetic ? "AI-generated" : "";
    this.seated = new SeatedPeople(this.scene, {
      arrived: (id) => this.trouble.delete(id),
      failed: (id, sentence) => this.trouble.set(id, sentence),
    });
  }

  /** Shows the room in a session that was granted, which has ended when this raises: `HeadsetError` or a `DOMException`. */
  async begin(session: XRSession): Promise<void> {
    try {
      this.view = await HeadsetView.begin(session, this);
    } catch (error) {
      this.close();
      throw error instanceof RenderError ? new HeadsetError(error.message) : error;
    }
    if (this.isLeaving) this.view.leave(); // the call ended meanwhile
  }

  /** Who is here, in the order of their seats. */
  seat(people: readonly Participant[], own: number): void {
    this.own = own;
    this.seated.seat(people);
  }

  /** A message of the channel `drive`. */
  driven(data: ArrayBuffer): void {
    this.seated.driven(data);
  }

  /** The call ends, or the person wants out. */
  leave(): void {
    this.isLeaving = true;
    this.view?.leave();
  }

  seats(now: number): ReadonlyMap<number, Seat> {
    return this.seated.layout.seats(now);
  }

  nameOf(participant: number): string {
    return this.seated.nameOf(participant);
  }

  notice(): string {
    if (!this.isLive) return "Connecting again…";
    const { people } = this.seated;
    const others = people.filter(({ id }) => id !== this.own);
    if (others.length === 0) return people.length === 0 ? "Nobody is here yet" : "";
    if (others.some(({ id }) => !this.scene.has(id) && !this.trouble.has(id))) return "People are coming…";
    return others.some(({ id }) => this.trouble.has(id)) ? "Somebody cannot be shown" : "";
  }

  drive(motion: HeadMotion, now: number): void {
    this.events.drive(motion, now);
  }

  ended(sentence: string): void {
    this.close();
    this.events.ended(sentence);
  }

  private close(): void {
    this.seated.close();
    this.renderer.close();
  }
}
