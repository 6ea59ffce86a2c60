import type { Look } from "../look";
import type { Preferences } from "../preferences";
import type { Label, Place } from "../protocol";
import { graphics } from "../render/graphics";
import type { Room } from "../room";
import { Decision, type DrawnBy } from "../scene/drawn_by";
import type { RoomPicture } from "../scene/room_picture";
import type { Announcer } from "./announcer";
import { reducedMotion } from "./dom";
import { drawnByChoices } from "./drawn_by_choices";
import type { Stage } from "./stage";

/** Milliseconds that the first drive frame, or the server's first picture, may take. */
const FIRST_FRAME = 4_000;
const NO_FRAMES = "Nobody's movements arrive.";
/** Before this a call has other things to do than to try whether the device can draw. */
const TRIED_AFTER = 5_000;

const load = (): Promise<typeof import("../scene/room_picture")> => import("../scene/room_picture");

/** Fetches what draws, where this device shall draw: the call is not there yet. */
export function fetchDrawing({ drawnBy }: Preferences): void {
  if (drawnBy === "device") void load().catch(() => undefined); // said when it is wanted
}

/** The same, and has the GPU ready. It holds the page up for a moment: best while it waits for something. */
export function prepareDrawing({ drawnBy }: Preferences): void {
  if (drawnBy === "device") void load().then(({ prepare }) => prepare()).catch(() => undefined);
}

export interface DrawingParts {
  stage: Stage;
  room: Room;
  preferences: Preferences;
  announcer: Announcer;
  preferencesChanged(): void;
  /** The server must be told another place of the picture. */
  placeChanged(): void;
  /** People have other places in the picture that is shown. */
  labels(labels: Label[]): void;
  /** Something that the page shows of it has changed. */
  changed(): void;
}

/** The switch between the server's picture and one that this device draws, without a gap between the two. */
export class Drawing {
  private readonly decision: Decision;
  private picture: RoomPicture | null = null;
  private isLoading = false;
  private isLive = false;
  private isOnStage = false;
  private serverLabels: Label[] = [];
  private isWorn = false;
  private liveSince = Infinity;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Called when `sentence` is another one. */
  told: () => void = () => undefined;

  constructor(private readonly parts: DrawingParts) {
    this.decision = new Decision(parts.preferences.drawnBy);
  }

  get choice(): DrawnBy {
    return this.decision.choice;
  }

  get sentence(): string {
    return this.decision.sentence;
  }

  /** Whether the picture on the stage is this device's. */
  get isShown(): boolean {
    return this.isOnStage;
  }

  /** Whether the server makes no picture for this page. */
  get draws(): boolean {
    return this.isWorn || this.decision.draws;
  }

  /** The room is seen in a headset, or no longer: nobody looks at the page's own picture meanwhile, and drive frames come. */
  wear(on: boolean): void {
    this.isWorn = on;
    if (on) this.picture?.pause();
    else if (this.decision.stage === "device") this.picture?.start();
    this.parts.placeChanged();
    this.moved();
  }

  get framesDrawn(): number {
    return this.picture?.framesDrawn ?? 0;
  }

  /** What the statistics say of it; null while the server draws. */
  get own(): { width: number; height: number; delay: number } | null {
    const { picture } = this;
    return this.isShown && picture ? { width: picture.canvas.width, height: picture.canvas.height, delay: picture.delay } : null;
  }

  /** To choose who draws. */
  choices(): HTMLElement {
    return drawnByChoices(this);
  }

  placed(place: Place): Place {
    return { ...place, draws: this.draws, seen: place.seen || this.isWorn };
  }

  choose(choice: DrawnBy): void {
    this.parts.preferences.drawnBy = choice;
    this.parts.preferencesChanged();
    this.decision.choose(choice);
    if (choice === "server") this.end();
    this.moved();
    void this.consider(true);
  }

  /** The connection is live, or is not. */
  live(on: boolean): void {
    if (on && !this.isLive) this.liveSince = performance.now();
    this.isLive = on;
    clearTimeout(this.timer);
    if (on && this.decision.draws && (this.picture?.messages ?? 0) === 0) this.await(NO_FRAMES);
    if (on && this.decision.stage === "returning") this.await("");
  }

  /** Regularly: may this device draw, and does it keep up? */
  watch(): void {
    const { decision, picture } = this;
    const isSlow = decision.stage === "device" && !this.isWorn && picture?.budget.isTooSlow === true;
    if (isSlow && decision.choice === "auto") this.fail("This device draws fewer than 24 pictures a second.");
    else if (isSlow !== decision.isSlow) {
      decision.isSlow = isSlow;
      if (isSlow) this.parts.announcer.show(decision.sentence, 8);
      this.told();
    }
    void this.consider(false);
  }

  /** Who is here, or how they are, has changed. */
  update(): void {
    const { room } = this.parts;
    if (!room.state) return;
    this.picture?.seat(room.people, room.own);
    if (this.decision.choice === "device") void this.consider(true); // while the call is still being connected
  }

  lookAt(look: Look): void {
    this.picture?.lookAt(look);
  }

  /** Where the server says that people are in its own picture. */
  labelled(labels: Label[]): void {
    this.serverLabels = labels;
    if (!this.isShown) this.parts.labels(labels);
  }

  driven(data: ArrayBuffer): void {
    const { picture } = this;
    if (picture === null) return;
    const isFirst = picture.messages === 0;
    picture.driven(data);
    if (picture.messages === 0) return;
    if (this.decision.stage === "waiting") this.show();
    else if (isFirst && this.decision.stage === "device") clearTimeout(this.timer);
  }

  close(): void {
    clearTimeout(this.timer);
    this.decision.choose("server");
    this.picture?.close();
    this.picture = null;
  }

  private get hasPeople(): boolean {
    return this.parts.room.people.some((person) => person.seated);
  }

  private async consider(atOnce: boolean): Promise<void> {
    const { decision, parts } = this;
    if (this.isLoading || this.isWorn || this.picture !== null || document.hidden) return;
    if (!this.isLive && (decision.choice !== "device" || !parts.stage.isEmpty)) return;
    if (!atOnce && decision.choice === "auto" && performance.now() - this.liveSince < TRIED_AFTER) return;
    if (!this.hasPeople) return;
    const isMeant = decision.choice === "device"; // then it does not matter what draws
    if (decision.choice === "server" || !decision.wantsToTry(isMeant || graphics() === "hardware", savesData())) return;
    decision.prepare();
    this.isLoading = true;
    this.moved();
    try {
      const { RoomPicture } = await load();
      if (this.decision.stage !== "preparing") return;
      this.picture = new RoomPicture(parts.stage.element, parts.room.own, parts.stage.look, reducedMotion(), {
        labels: (labels) => {
          if (this.isShown) parts.labels(labels);
        },
        failed: (sentence) => this.fail(sentence),
        usable: () => this.usable(),
        complete: () => this.complete(),
      });
      this.update();
    } catch (error) {
      this.fail(error instanceof Error && error.name !== "TypeError" ? error.message : "What draws the picture could not be loaded.");
    } finally {
      this.isLoading = false;
    }
  }

  /** All avatars are here, be they coarse: where nothing is shown yet, people sit there at rest until their movements come. */
  private usable(): void {
    const { decision, parts } = this;
    if (decision.choice !== "device" || decision.stage !== "preparing" || !parts.stage.isEmpty) return;
    decision.prepared();
    this.show();
    parts.placeChanged();
    if (this.isLive) this.await(NO_FRAMES);
  }

  /** All avatars are here. */
  private complete(): void {
    const { picture, decision } = this;
    if (picture === null || decision.stage !== "preparing") return;
    if (!decision.prepared(() => picture.measure())) {
      this.end();
      this.moved();
      return;
    }
    this.parts.placeChanged();
    this.await(NO_FRAMES);
    this.moved();
  }

  /** From now on the own picture is shown. */
  private show(): void {
    const { picture, parts } = this;
    if (picture === null) return;
    clearTimeout(this.timer);
    this.decision.begin();
    this.isOnStage = true;
    parts.stage.showOwn(picture.canvas);
    if (!this.isWorn) picture.start();
    parts.announcer.say("This device draws the picture now.");
    this.moved();
  }

  private fail(reason: string): void {
    const isNews = this.decision.draws || this.decision.choice === "device";
    this.decision.fail(reason);
    this.end();
    if (isNews) this.parts.announcer.show(this.decision.sentence, 8);
    this.moved();
  }

  /** The server draws again; the own picture stays until the server's is there. */
  private end(): void {
    clearTimeout(this.timer);
    this.parts.placeChanged();
    if (this.decision.stage !== "returning" || !this.isShown) {
      this.decision.returned();
      this.handBack();
      return;
    }
    this.await("");
    const { video } = this.parts.stage;
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(() => this.handBack());
  }

  private handBack(): void {
    const { picture, parts } = this;
    if (this.decision.stage !== "returning" && this.decision.stage !== "server") return; // it was chosen again meanwhile
    clearTimeout(this.timer);
    this.decision.returned();
    this.picture = null;
    this.isOnStage = false;
    parts.stage.showOwn(null);
    parts.labels(this.serverLabels);
    picture?.close();
    this.moved();
  }

  /** Waits for the first drive frame, or for the server's picture. */
  private await(reason: string): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.decision.stage === "returning") this.handBack();
      else if (document.hidden || !this.hasPeople) this.await(reason); // nothing is sent meanwhile
      else this.fail(reason);
    }, FIRST_FRAME);
  }

  private moved(): void {
    this.parts.stage.element.dataset.drawnBy = this.isShown ? "device" : "server";
    this.told();
    this.parts.changed();
  }
}

/** Whether the person wants to save data, as far as the browser says. */
function savesData(): boolean {
  return (navigator as Navigator & { connection?: { saveData?: boolean } }).connection?.saveData === true;
}
