/**
 * The person's camera when it is private: its picture is tracked on this device, and only the landmarks of the face are sent. What it
 * takes is loaded when it is wanted first. When it cannot be done, nothing is sent.
 */
import type { LocalMedia } from "../media";
import type { Cost } from "./cost";
import type { Tracker } from "./tracker";

export const CANNOT =
  "This browser cannot find your face by itself, so your avatar rests: switch the private camera off, or take another browser.";

const LOADING = "Loading what finds your face on this device: 10 MB, once.";
/** Milliseconds after which that is said. */
const LONG = 2_000;

export interface PrivateCameraEvents {
  /** A message for the channel `drive`. */
  found(message: ArrayBuffer): void;
  /** Something has to be said. */
  told(sentence: string): void;
}

export class PrivateCamera {
  private tracker: Tracker | null = null;
  private loading = false;
  private track: MediaStreamTrack | null = null;
  private isLive = false;
  private hasFailed = false;
  private slow: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly media: LocalMedia,
    private readonly events: PrivateCameraEvents,
  ) {}

  /** What tracking takes; null while nothing is tracked. */
  get cost(): Cost | null {
    return this.tracker?.cost ?? null;
  }

  /** Devices or switches have changed, or the call has begun (`live`) or ended: pictures are only looked at in a call. */
  follow(isLive = this.isLive): void {
    this.isLive = isLive;
    const { isPrivate } = this.media.choices;
    if (!isPrivate) this.close();
    else if (!this.hasFailed) void this.load();
    const track = isPrivate && isLive ? this.media.tracks.video : null;
    if (track !== this.track) this.tracker?.look(track);
    this.track = track;
  }

  private async load(): Promise<void> {
    if (this.tracker || this.loading) return;
    this.loading = true;
    this.slow = setTimeout(() => this.events.told(LOADING), LONG);
    try {
      const { isSupported, Tracker: Made } = await import("./tracker");
      if (!isSupported()) this.fail();
      else if (this.media.choices.isPrivate) {
        this.tracker = new Made({
          ready: () => clearTimeout(this.slow),
          found: (message) => this.events.found(message),
          failed: () => this.fail(),
        });
        this.tracker.look(this.track);
      }
    } catch {
      this.fail(); // the server is gone, or has another page by now
    } finally {
      this.loading = false;
    }
  }

  private fail(): void {
    clearTimeout(this.slow);
    this.tracker = null;
    this.hasFailed = true;
    this.events.told(CANNOT);
  }

  private close(): void {
    clearTimeout(this.slow);
    this.hasFailed = false;
    this.tracker?.close();
    this.tracker = null;
  }
}
