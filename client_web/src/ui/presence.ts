import type { LocalMedia } from "../media";
import type { Participant } from "../protocol";
import type { Announcer } from "./announcer";

/** Longer than the way to the server and back: until then the room's state may be older than what was told. */
const SETTLED_MS = 1_500;

interface Teller {
  presence(muted: boolean, camera: boolean): void;
}

/** Keeps the own switches and what the room shows of them the same: the host may have muted the microphone. */
export class OwnPresence {
  private told = "";
  private toldAt = -Infinity;

  constructor(
    private readonly media: LocalMedia,
    private readonly session: Teller,
    private readonly announcer: Announcer,
  ) {
    this.tell();
  }

  /** The devices may have changed. */
  tell(): void {
    const [muted, camera] = [!this.media.isOn("audio"), this.media.isOn("video")];
    const telling = `${muted} ${camera}`;
    if (telling === this.told) return;
    this.told = telling;
    this.toldAt = performance.now();
    this.session.presence(muted, camera);
  }

  /** `me`: as the room has it. */
  follow(me: Participant | undefined): void {
    if (!me?.muted || !this.media.isOn("audio") || performance.now() - this.toldAt < SETTLED_MS) return;
    void this.media.turn("audio", false);
    this.announcer.show("The host has muted your microphone; switch it on again when you want to speak.", 8);
  }
}
