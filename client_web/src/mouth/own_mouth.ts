/** Lets the own voice move the own avatar's mouth while the camera is off or sees no face. */
import type { OwnDrive } from "../drive/own_drive";
import type { LocalMedia } from "../media";
import type { Peer } from "../peer";
import type { Session } from "../session";
import type { MouthListener } from "./listener";
import { type Devices, SpokenFrames, Unseen } from "./spoken";

const INTERVAL = 500;

/** During a call -> what ends it. face: whether the server sees the own face. */
export function ownMouth(media: LocalMedia, session: Session<Peer>, ownDrive: OwnDrive, face: () => boolean): () => void {
  const own = new OwnMouth({
    devices: () => ({ microphone: media.isOn("audio") ? media.tracks.audio : null, camera: media.isOn("video"), face: face() }),
    participant: () => (session.status.phase === "live" ? (session.status.seat?.participant ?? -1) : -1),
    send: (message) => ownDrive.said(message, performance.now()),
  });
  return () => own.close();
}

interface OwnMouthOptions {
  devices(): Devices;
  /** The own number in the room. */
  participant(): number;
  send(message: ArrayBuffer): void;
}

class OwnMouth {
  private readonly unseen = new Unseen();
  private readonly frames = new SpokenFrames();
  private readonly timer: ReturnType<typeof setInterval>;
  private listener: Promise<MouthListener> | null = null;
  private track: MediaStreamTrack | null = null;

  constructor(private readonly options: OwnMouthOptions) {
    this.timer = setInterval(() => this.follow(), INTERVAL);
  }

  close(): void {
    clearInterval(this.timer);
    void this.listener?.then((listener) => listener.close());
  }

  private follow(): void {
    const devices = this.options.devices();
    const track = this.unseen.read(devices, performance.now() / 1000) ? devices.microphone : null;
    if (track === this.track) return;
    this.track = track;
    this.listener ??= this.makeListener();
    this.listener.then((listener) => listener.listen(this.track)).catch(() => (this.listener = null)); // an older server: the page's files are gone
  }

  /** Not part of the page before somebody is heard and not seen. */
  private async makeListener(): Promise<MouthListener> {
    const { MouthListener: Listener } = await import("./listener");
    return new Listener((mouth) => {
      const message = this.frames.next(mouth, this.options.participant(), performance.now());
      if (message) this.options.send(message);
    });
  }
}
