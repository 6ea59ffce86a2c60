/** The person's camera and microphone: asking, choosing, switching on and off. No DOM. */
import { type Cause, causeOf, explain, type Trouble, whichBrowser } from "./media_errors";
import type { Kind, LocalTracks } from "./peer";

const KINDS: Kind[] = ["video", "audio"];

export interface Choices {
  on: Record<Kind, boolean>;
  device: Record<Kind, string>;
  /** The camera's picture stays on this device: it is shown to the person alone, and not sent. */
  isPrivate: boolean;
}

export class LocalMedia {
  readonly tracks: LocalTracks = { audio: null, video: null };
  trouble: Record<Kind, Trouble | null> = { audio: null, video: null };
  /** The same, for what goes with the page and not with a screen; called first. */
  followed: () => void = () => undefined;
  /** Called after every change of tracks, switches or troubles. */
  changed: () => void = () => undefined;
  private readonly browser = whichBrowser(navigator.userAgent);
  private queue: Promise<void> = Promise.resolve();

  constructor(readonly choices: Choices) {
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.tell());
  }

  /** What may be sent. */
  get sent(): LocalTracks {
    return this.choices.isPrivate ? { ...this.tracks, video: null } : this.tracks;
  }

  /** Keeps the camera's picture here from now on, or not. */
  keepPrivate(on: boolean): void {
    this.choices.isPrivate = on; // not in turn: nothing that was asked for before may send another picture
    this.tell();
  }

  /** Whether something of this kind is captured and sent right now. */
  isOn(kind: Kind): boolean {
    return this.choices.on[kind] && this.tracks[kind] !== null;
  }

  /** One sentence for each thing that is wrong. */
  troubles(): string[] {
    const { video, audio } = this.trouble;
    return [...new Set([video, audio].flatMap((trouble) => (trouble ? [trouble.sentence] : [])))];
  }

  /** Asks for everything that is switched on and was not refused, in one question where the browser can. */
  start(): Promise<void> {
    return this.inTurn(async () => {
      if (!navigator.mediaDevices) this.blame("insecure", KINDS); // said also to who has switched them off
      const wanted = KINDS.filter((kind) => this.choices.on[kind] && !this.tracks[kind] && !this.trouble[kind]);
      if (wanted.length > 0) await this.acquire(wanted);
    });
  }

  /** Asks again for what was refused or missing. */
  retry(): Promise<void> {
    this.trouble = { audio: null, video: null };
    return this.start();
  }

  /** A camera that is off is released, so that its light goes out; a microphone is only muted. */
  turn(kind: Kind, on: boolean): Promise<void> {
    return this.inTurn(async () => {
      this.choices.on[kind] = on;
      const track = this.tracks[kind];
      if (kind === "audio" && track) track.enabled = on;
      else if (on && !track) await this.acquire([kind]);
      else if (!on) {
        this.release(kind);
        this.trouble[kind] = null;
      }
    });
  }

  /** Lets go of the camera, for somebody who opens it in another way; `start` takes it back. */
  lendCamera(): Promise<void> {
    return this.inTurn(async () => this.release("video"));
  }

  choose(kind: Kind, deviceId: string): Promise<void> {
    return this.inTurn(async () => {
      this.choices.device[kind] = deviceId;
      if (!this.choices.on[kind]) return;
      this.release(kind);
      await this.acquire([kind]);
    });
  }

  /** Devices to choose from; nameless ones, before permission, are left out. */
  async devices(kind: Kind): Promise<MediaDeviceInfo[]> {
    const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    return all.filter((device) => device.kind === `${kind}input` && device.label !== "");
  }

  stop(): void {
    for (const kind of KINDS) this.release(kind);
  }

  /** Clicks come faster than cameras start: one change after the other. */
  private inTurn(work: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(work).then(() => this.tell());
    return this.queue;
  }

  private tell(): void {
    this.followed();
    this.changed();
  }

  private async acquire(kinds: Kind[]): Promise<void> {
    if (!navigator.mediaDevices) {
      this.blame("insecure", KINDS);
      return;
    }
    try {
      const stream = await navigator.mediaDevices.getUserMedia(this.constraints(kinds));
      for (const track of stream.getTracks()) this.adopt(track);
    } catch (error) {
      const cause = causeOf(error instanceof Error ? error.name : "");
      const apart = kinds.length > 1 ? await worthAskingApart(cause, kinds) : [];
      const refused = kinds.filter((kind) => !apart.includes(kind));
      if (refused.length > 0) this.blame(cause, refused);
      for (const kind of apart) await this.acquire([kind]);
    }
  }

  private constraints(kinds: Kind[]): MediaStreamConstraints {
    const { device } = this.choices;
    const chosen = (kind: Kind): MediaTrackConstraints => (device[kind] ? { deviceId: { ideal: device[kind] } } : {});
    const constraints: MediaStreamConstraints = {};
    if (kinds.includes("video")) {
      constraints.video = {
        ...chosen("video"),
        width: { ideal: 640 },
        height: { ideal: 480 },
        frameRate: { ideal: 30 },
        facingMode: "user",
      };
    }
    if (kinds.includes("audio")) {
      constraints.audio = { ...chosen("audio"), echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    }
    return constraints;
  }

  private adopt(track: MediaStreamTrack): void {
    const kind = track.kind as Kind;
    this.release(kind);
    this.tracks[kind] = track;
    this.trouble[kind] = null;
    if (kind === "video") track.contentHint = "motion";
    track.onended = () => {
      if (this.tracks[kind] !== track) return;
      this.tracks[kind] = null;
      this.blame("lost", [kind]);
      this.tell();
    };
  }

  private release(kind: Kind): void {
    const track = this.tracks[kind];
    this.tracks[kind] = null;
    if (!track) return;
    track.onended = null;
    track.stop();
  }

  private blame(cause: Cause, kinds: Kind[]): void {
    for (const kind of kinds) this.trouble[kind] = explain(cause, kinds, this.browser);
  }
}

/** One missing device fails the question for both. After a "no", only what is allowed already may be asked for again. */
async function worthAskingApart(cause: Cause, kinds: Kind[]): Promise<Kind[]> {
  if (cause !== "denied") return kinds;
  const allowed = await Promise.all(kinds.map((kind) => permitted(kind)));
  return kinds.filter((_, i) => allowed[i]);
}

async function permitted(kind: Kind): Promise<boolean> {
  const name = (kind === "video" ? "camera" : "microphone") as PermissionName;
  try {
    return (await navigator.permissions.query({ name })).state === "granted";
  } catch {
    return false;
  }
}
