/** Who is here, where they sit, and what drives their avatars: the same for the picture in the page and for a headset. */
import { decodeDriveFrames, WireError } from "../drive/wire";
import type { Participant } from "../protocol";
import type { WebAvatar } from "../render/web_avatar";
import { Layout } from "./layout";
import { RoomAvatars } from "./room_avatars";

/** A `RoomScene`, as far as people come, move and go. */
export interface Scene {
  seat(participant: number, avatar: WebAvatar): void;
  leave(participant: number): void;
  drive(participant: number, frame: ReturnType<typeof decodeDriveFrames>[number], now: number): void;
}

export interface SeatedEvents {
  /** Somebody's avatar is in the scene, first coarse, then whole. */
  arrived(participant: number): void;
  /** Somebody's avatar cannot be shown here; a sentence says why. */
  failed(participant: number, sentence: string): void;
}

export class SeatedPeople {
  readonly layout = new Layout();
  /** In the order of their seats. */
  people: readonly Participant[] = [];
  private readonly avatars: RoomAvatars;

  constructor(
    private readonly scene: Scene,
    events: SeatedEvents,
  ) {
    this.avatars = new RoomAvatars({
      arrived: (id, avatar) => {
        scene.seat(id, avatar);
        events.arrived(id);
      },
      left: (id) => scene.leave(id),
      failed: events.failed,
    });
  }

  /** Whether everybody who can be seen is there, be it coarse. */
  get isUsable(): boolean {
    return this.people.length > 0 && this.avatars.hasSomeOfAll(this.people);
  }

  /** Whether everybody who can be seen is there. */
  get isComplete(): boolean {
    return this.people.length > 0 && this.avatars.hasAll(this.people);
  }

  /** Who is here now, in the order of their seats; those without a seat are left out. */
  seat(people: readonly Participant[]): void {
    const isFirst = this.layout.people.length === 0;
    this.people = people.filter((person) => person.seated);
    this.layout.arrange(this.people.map(({ id }) => id), performance.now());
    if (isFirst) this.layout.settle();
    this.avatars.update(this.people);
  }

  /** A message of the channel `drive`. Returns whether it held drive frames: another kind, or one that makes no sense, is lost. */
  driven(data: ArrayBuffer): boolean {
    try {
      const now = performance.now();
      for (const frame of decodeDriveFrames(data)) this.scene.drive(frame.participant, frame, now);
      return true;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return false;
    }
  }

  /** Empty for somebody who is not here. */
  nameOf(participant: number): string {
    return this.people.find(({ id }) => id === participant)?.name ?? "";
  }

  close(): void {
    this.avatars.close();
  }
}
