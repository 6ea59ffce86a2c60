import { Hints, LOADING, STARTING } from "../hints";
import { ConnectionNews } from "../news";
import type { Stats } from "../protocol";
import type { Room } from "../room";
import type { Status } from "../signalling_types";
import { PictureWatch } from "../stall";
import { type Wait, waitForCall, waitForNextPicture, waitForPicture, wantsAnotherConnection } from "../wait";
import type { Announcer } from "./announcer";
import { h, setText } from "./dom";
import type { Header } from "./header";
import type { Measurements } from "./measurements";
import type { Playback } from "./playback";
import type { Stage } from "./stage";
import { WaitNotice } from "./wait_notice";

export interface ConnectionParts {
  room: Room;
  stage: Stage;
  playback: Playback;
  measurements: Measurements;
  header: Header;
  announcer: Announcer;
  /** Another attempt now; in a live call, another peer connection. */
  retry(): void;
}

/** Says how the connection is: the badge, what is waited for and why, and the hint on the stage. */
export class ConnectionView {
  readonly notice: WaitNotice;
  readonly hint = h("p", { class: "hint", role: "status", "data-testid": "hint", hidden: true });
  private readonly hints = new Hints();
  private readonly news = new ConnectionNews();
  private readonly watch = new PictureWatch();
  /** When the connection became live. */
  private liveSince = -Infinity;
  /** Pictures that had come when somebody looked again after a pause; null: the picture is not paused. */
  private pausedAt: number | null = null;

  constructor(private readonly parts: ConnectionParts) {
    this.notice = new WaitNotice(parts.announcer, () => parts.retry());
  }

  /** The connection is live; `first`: for the first time, so that the neutral face is taken now. */
  begin(first: boolean): void {
    const now = performance.now();
    this.liveSince = now;
    this.pausedAt = null;
    this.watch.reset();
    this.hints.reset();
    if (first) this.hints.calibrate(now);
  }

  calibrate(): void {
    this.hints.calibrate(performance.now());
  }

  readStats(stats: Stats, cameraOn: boolean): void {
    this.hints.readStats(stats, cameraOn);
  }

  /** Somebody looks again, after the picture had paused because nobody did. */
  back(): void {
    this.pausedAt = this.parts.measurements.pictures;
    this.parts.announcer.show("The picture paused while this page was hidden.");
  }

  /** New figures are there. `looking`: whether the page is seen and its picture wanted. */
  measured(status: Status, looking: boolean): void {
    const { measurements } = this.parts;
    const now = performance.now();
    if (status.phase !== "live") return;
    this.watch.read(measurements.pictures, looking, now);
    if (measurements.pictures !== this.pausedAt) this.pausedAt = null;
    if (!wantsAnotherConnection(this.watch.stopped, measurements.server)) return;
    this.watch.reset();
    this.parts.retry();
  }

  /** `silence`: milliseconds for which the server has owed an answer. */
  draw(status: Status, silence: number, cameraOn: boolean, hasPicture: boolean): void {
    const { room, header, measurements, announcer } = this.parts;
    const now = performance.now();
    const live = status.phase === "live";
    const hint = live ? this.hints.sentence(now, room, cameraOn) : "";
    const wait = live ? this.pictureWait(now, hint, hasPicture, silence) : waitForCall(status);
    if (live) {
      const quality = wait?.isStopped ? "poor" : measurements.quality(silence);
      header.setQuality(quality, wait?.isStopped ? "stopped" : quality === "unknown" ? "connected" : quality);
      announcer.say(this.news.read(quality, now));
    } else header.setQuality(status.again ? "lost" : "unknown", status.again ? "lost" : "connecting");
    this.notice.show(wait, hasPicture);
    this.hint.hidden = hint === "" || !hasPicture || wait !== null;
    setText(this.hint, hint);
  }

  /** What a live call waits for; null where a picture of this connection is there, or may be in a moment. */
  private pictureWait(now: number, hint: string, hasPicture: boolean, silence: number): Wait | null {
    const { room, stage, playback, measurements } = this.parts;
    const { server, decoded } = measurements;
    if (hasPicture && !stage.isFrozen) {
      const stopped = this.pausedAt === null ? this.watch.stopped : 0;
      return waitForNextPicture(stopped, silence, { server, isOffline: !navigator.onLine });
    }
    const isEmpty = room.state !== null && room.people.length === 0;
    const clues = { hint: hint === STARTING || hint === LOADING ? hint : "", isEmpty, isRefused: playback.isRefused, server, decoded };
    const wait = waitForPicture(now - this.liveSince, clues);
    return hasPicture && !wait.canTry ? null : wait;
  }
}
