import { between, dragged, FRONT, turned, turning, type View, wheelFactor, zoomed } from "../orbit";
import { h, LESS_MOTION, reducedMotion } from "./dom";
import { watchGestures } from "./gestures";

const EASE_MS = 350;

/** The avatar's picture and where it is looked at from. */
export class Stage {
  readonly element: HTMLElement;
  readonly video: HTMLVideoElement;
  view: View = { ...FRONT };
  /** Pictures shown so far; null where the browser does not tell. */
  framesShown: number | null = null;
  /** The last picture of a connection that was lost; browsers paint a closed stream black. */
  private readonly still = h("canvas", { class: "avatar", "aria-hidden": "true", hidden: true });
  private readonly stream = new MediaStream();
  private isTurning = false;
  private readonly lessMotion = matchMedia(LESS_MOTION);
  private held = false;
  private frame = 0;

  constructor(
    private readonly moved: (view: View) => void,
    /** The first picture of a stream is there. */
    private readonly playing: () => void,
    /** The slow turn has ended, because the system asks for less motion. */
    private readonly halted: () => void,
  ) {
    this.video = h("video", { class: "avatar", playsinline: true, "data-testid": "avatar", "aria-label": "The avatar, live" });
    this.video.disablePictureInPicture = true;
    this.video.muted = true;
    this.element = h("div", { class: "stage", "data-testid": "stage" }, this.video, this.still);
    watchGestures(this.element, {
      drag: (dx, dy) => this.move(dragged(this.view, dx, dy, Math.min(this.element.clientWidth, this.element.clientHeight))),
      zoom: (factor) => this.zoom(factor),
      wheel: (delta, mode) => this.zoom(wheelFactor(delta, mode)),
      doubleTap: () => this.faceFront(),
      hold: (on) => {
        this.held = on;
        this.element.classList.toggle("is-held", on);
      },
    });
    this.lessMotion.addEventListener("change", this.obeyMotion);
    this.countFrames();
    this.mark();
  }

  /** Shows a received track in place of the last one of its kind. */
  show(track: MediaStreamTrack): void {
    for (const old of this.stream.getTracks()) if (old.kind === track.kind) this.stream.removeTrack(old);
    this.stream.addTrack(track);
    if (track.kind === "video") {
      this.video.srcObject = this.stream;
      this.video.addEventListener("playing", () => this.thaw(), { once: true });
    }
  }

  /** Keeps the picture that is shown now until another stream plays. */
  freeze(): void {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (width === 0 || !this.still.hidden) return;
    Object.assign(this.still, { width, height });
    this.still.getContext("2d")?.drawImage(this.video, 0, 0);
    this.still.hidden = false;
    this.video.hidden = true;
  }

  orbit(yaw: number, pitch: number): void {
    this.move(turned(this.view, yaw, pitch));
  }

  zoom(factor: number): void {
    this.move(zoomed(this.view, factor));
  }

  /** Back to the front, at the usual distance, without a jump unless less motion is wanted. */
  faceFront(): void {
    const from = this.view;
    const start = performance.now();
    const step = (now: number): void => {
      const t = reducedMotion() ? 1 : (now - start) / EASE_MS;
      this.apply(between(from, FRONT, t));
      if (t < 1) this.frame = requestAnimationFrame(step);
      else this.resume();
    };
    cancelAnimationFrame(this.frame);
    step(start);
  }

  get autoTurn(): boolean {
    return this.isTurning;
  }

  set autoTurn(on: boolean) {
    this.isTurning = on;
    cancelAnimationFrame(this.frame);
    this.resume();
  }

  close(): void {
    this.lessMotion.removeEventListener("change", this.obeyMotion);
    this.isTurning = false;
    cancelAnimationFrame(this.frame);
    this.video.srcObject = null;
  }

  private readonly obeyMotion = (): void => {
    if (!this.lessMotion.matches || !this.isTurning) return;
    this.autoTurn = false;
    this.halted();
  };

  private thaw(): void {
    this.still.hidden = true;
    this.video.hidden = false;
    this.playing();
  }

  private move(view: View): void {
    cancelAnimationFrame(this.frame);
    this.apply(view);
    this.resume();
  }

  private apply(view: View): void {
    this.view = view;
    this.mark();
    this.moved(view);
  }

  /** Writes the view on the element, where tests and style sheets can read it. */
  private mark(): void {
    for (const name of ["yaw", "pitch", "distance"] as const) this.element.dataset[name] = this.view[name].toFixed(3);
  }

  /** Goes on with the slow turn, if it is on; a hand on the stage halts it. */
  private resume(): void {
    if (!this.isTurning) return;
    let last = performance.now();
    const step = (now: number): void => {
      if (!this.held) this.apply(turning(this.view, Math.min(0.1, Math.max(0, now - last) / 1000)));
      last = now;
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  private countFrames(): void {
    if (!("requestVideoFrameCallback" in this.video)) return;
    let before = 0;
    const count: VideoFrameRequestCallback = (_now, { presentedFrames }) => {
      // A busy page is not called for each picture; a new stream may count from nothing.
      this.framesShown = (this.framesShown ?? 0) + Math.max(1, before === 0 ? 1 : presentedFrames - before);
      before = presentedFrames;
      this.video.requestVideoFrameCallback(count);
    };
    this.video.requestVideoFrameCallback(count);
  }
}
