import { withoutMask, type Color } from "../cutout";
import { type Background, BACKGROUNDS, type Labels, type Place } from "../protocol";
import { type Painter, painterFor } from "./cutout_painter";
import { h } from "./dom";

/**
 * Stands in for the video while people are cut out of its pictures. The server tells the size of the pictures that have a mask,
 * and none without has the same; so each frame tells what it is, whenever it comes.
 */
export class Cutout {
  element = newCanvas();
  private painter: Painter | null = null;
  private readonly masked = new Set<string>();
  private behind: Color = BACKGROUNDS.white;
  private wanted = false;
  private frame = 0;
  /** Shape of the last picture that was told of. */
  private told: number | null = null;

  constructor(
    private readonly video: HTMLVideoElement,
    /** Another kind of frame came, or the canvas is shown or hidden. */
    private readonly changed: () => void,
  ) {}

  /** What the page has asked for. */
  ask({ mask, background }: Place): void {
    this.behind = BACKGROUNDS[background satisfies Background];
    this.wanted = mask;
    this.update();
  }

  /** What the server draws. */
  expect({ width, height, mask }: Labels): void {
    if (mask) this.masked.add(`${width}x${height + Math.floor(height / 2)}`);
    this.update();
  }

  /** Whether the canvas shows the picture, and not the video. */
  get isShown(): boolean {
    return !this.element.hidden;
  }

  /** Width to height of the picture; null before the first. */
  get shape(): number | null {
    const { videoWidth, videoHeight } = this.video;
    return videoHeight > 0 ? videoWidth / (this.isMasked ? withoutMask(videoHeight) : videoHeight) : null;
  }

  /** Size of the picture in pixels. */
  get size(): { width: number; height: number } {
    const { videoWidth: width, videoHeight: height } = this.video;
    return { width, height: this.isMasked ? withoutMask(height) : height };
  }

  /** Paints the present frame, for somebody who copies it. */
  paint(): void {
    if (this.video.videoWidth === 0) return;
    this.painter ??= this.newPainter();
    this.painter.paint(this.video, this.isMasked, this.behind);
  }

  close(): void {
    this.wanted = false;
    this.masked.clear();
    this.stop();
  }

  private get isMasked(): boolean {
    return this.masked.has(`${this.video.videoWidth}x${this.video.videoHeight}`);
  }

  private update(): void {
    if ((this.wanted || this.isMasked) === this.isShown) {
      this.tell(); // what a frame is may be known only after it has come
      return;
    }
    this.element.hidden = !this.element.hidden;
    if (this.isShown) this.next();
    else this.stop();
    this.changed();
  }

  /** Paints this frame and waits for the next. */
  private next(): void {
    const { video } = this;
    if (video.readyState >= 2) this.paint();
    this.tell();
    const again = (): void => {
      this.update();
      if (this.isShown) this.next();
    };
    this.frame = "requestVideoFrameCallback" in video ? video.requestVideoFrameCallback(again) : requestAnimationFrame(again);
  }

  private tell(): void {
    if (this.shape === this.told) return;
    this.told = this.shape;
    this.changed();
  }

  private stop(): void {
    if ("cancelVideoFrameCallback" in this.video) this.video.cancelVideoFrameCallback(this.frame);
    else cancelAnimationFrame(this.frame);
  }

  private newPainter(): Painter {
    const { element } = this;
    element.addEventListener("webglcontextlost", () => {
      const fresh = newCanvas();
      fresh.hidden = element.hidden;
      element.replaceWith(fresh);
      this.element = fresh;
      this.painter = null;
    }, { once: true });
    return painterFor(element);
  }
}

function newCanvas(): HTMLCanvasElement {
  return h("canvas", { class: "avatar cutout", "aria-hidden": "true", "data-testid": "cutout", hidden: true });
}
