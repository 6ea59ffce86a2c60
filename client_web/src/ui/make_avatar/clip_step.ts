import { CueEye, openCamera } from "../../avatars/camera";
import { ClipGuide } from "../../avatars/clip_guide";
import { isDone } from "../../avatars/cues";
import { Recorder, recordedKind } from "../../avatars/recorder";
import type { LocalMedia } from "../../media";
import { explain, type Trouble, whichBrowser } from "../../media_errors";
import { h, setText } from "../dom";
import { icon } from "../icons";
import { CameraPreview } from "../preview";
import type { Step } from "./step";

const LOOK_EVERY = 150;
/** Of the ring, in its own units. */
const RING = 2 * Math.PI * 20;
const SVG = "http://www.w3.org/2000/svg";

export interface ClipActions {
  recorded(clip: Blob): void;
  /** A photo will do, or no clip. */
  photo(): void;
}

/** A guided clip of some 15 seconds: one prompt after the other, and a ring that fills. */
export class ClipStep implements Step {
  readonly element: HTMLElement;
  private readonly preview = new CameraPreview("clip-preview");
  private readonly prompt = h("p", { class: "clip-prompt", "data-testid": "clip-prompt" }, "Some fifteen seconds, one thing after the other. You can skip what you like.");
  private readonly spoken = h("p", { class: "visually-hidden", role: "status", "aria-live": "assertive", "data-testid": "clip-spoken" });
  private readonly tick = h("span", { class: "clip-tick", hidden: true }, icon("check"));
  private readonly ring = ring();
  private readonly card = h("div", { class: "portrait-card clip-card", "data-testid": "clip" });
  private readonly trouble = h("p", { class: "portrait-trouble", role: "alert" });
  private readonly go = h("button", { type: "button", class: "button primary", "data-testid": "clip-start", "aria-disabled": "true" }, "Start");
  private readonly skip = h("button", { type: "button", class: "button", "data-testid": "clip-skip", hidden: true }, "Skip this");
  private readonly instead = h("button", { type: "button", class: "button", "data-testid": "clip-photo" }, "Take a photo instead");
  private readonly eye = new CueEye(this.preview.element, () => this.card.clientWidth / Math.max(1, this.card.clientHeight));
  private guide: ClipGuide | null = null;
  private recorder: Recorder | null = null;
  private track: MediaStreamTrack | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;
  private closed = false;

  constructor(
    private readonly media: LocalMedia,
    private readonly actions: ClipActions,
    /** It is for an avatar that is there. */
    isBetter: boolean,
  ) {
    if (isBetter) setText(this.instead, "Not now");
    this.card.append(this.preview.element, h("div", { class: "portrait-oval", "aria-hidden": "true" }), h("div", { class: "clip-words" }, this.ring.element, this.tick, this.prompt), this.trouble);
    const tips = h("p", { class: "soft small" }, "Sit in even light, alone in the picture, with your face in the oval. Nothing is sent before you agree.");
    this.element = h("div", { class: "make-step make-portrait" }, this.card, this.spoken, h("div", { class: "make-actions" }, this.go, this.skip, this.instead), tips);
    this.go.addEventListener("click", () => (this.guide ? this.stop() : this.start()));
    this.skip.addEventListener("click", () => {
      this.guide?.skip(performance.now());
      this.show();
    });
    this.instead.addEventListener("click", actions.photo);
    void this.open();
  }

  focus(): void {
    (this.go.hidden ? this.instead : this.go).focus();
  }

  close(): void {
    this.closed = true;
    this.stop();
    this.preview.show(null);
    this.track?.stop();
    this.track = null;
  }

  private async open(): Promise<void> {
    if (recordedKind() === "") return this.fail({ cause: "unknown", sentence: "This browser cannot record a clip: take a photo instead." });
    await this.media.lendCamera();
    const opened = await openCamera(this.media.choices.device.video, "clip");
    if (this.closed) return opened instanceof MediaStreamTrack ? opened.stop() : undefined;
    if (!(opened instanceof MediaStreamTrack)) return this.fail(opened);
    this.track = opened;
    this.media.trouble.video = null;
    opened.onended = () => this.fail(explain("lost", ["video"], whichBrowser(navigator.userAgent)));
    this.card.dataset.state = "live";
    this.preview.show(opened);
    this.go.setAttribute("aria-disabled", "false");
  }

  private fail({ sentence }: Pick<Trouble, "cause" | "sentence">): void {
    this.stop();
    this.card.dataset.state = "off";
    const focused = document.activeElement === this.go;
    this.go.hidden = true;
    if (focused) this.focus();
    this.trouble.replaceChildren(icon("cameraOff"), h("span", {}, sentence));
  }

  private start(): void {
    if (this.track === null || this.go.getAttribute("aria-disabled") === "true") return;
    try {
      this.recorder = new Recorder(this.track, () => void this.finish());
    } catch {
      return this.fail({ cause: "unknown", sentence: "This browser cannot record a clip: take a photo instead." });
    }
    this.guide = new ClipGuide();
    this.card.classList.add("is-recording");
    this.skip.hidden = false;
    this.instead.hidden = true;
    setText(this.go, "Stop");
    this.show();
    this.timer = setInterval(() => this.look(), LOOK_EVERY);
  }

  /** Throws away what was recorded. */
  private stop(): void {
    clearInterval(this.timer);
    void this.recorder?.stop();
    [this.recorder, this.guide] = [null, null];
    this.card.classList.remove("is-recording");
    this.skip.hidden = true;
    this.instead.hidden = false;
    this.tick.hidden = true;
    this.ring.show(0);
    setText(this.go, "Start");
    setText(this.prompt, "Stopped. Start again whenever you like.");
  }

  private look(): void {
    const { guide } = this;
    const prompt = guide?.prompt;
    if (!guide || !prompt) return;
    const now = performance.now();
    const cues = this.eye.look(prompt.ask === "ahead");
    const done = isDone(prompt.ask, cues);
    this.tick.hidden = !done || prompt.ask === "ahead" || prompt.ask === "relax";
    if (guide.take(done, now)) this.show();
    this.ring.show(guide.whole(now));
  }

  /** Another prompt has come, or none any more. */
  private show(): void {
    const prompt = this.guide?.prompt;
    if (this.guide && !prompt) return void this.finish();
    if (!prompt) return;
    this.tick.hidden = true;
    const words = this.guide?.isAgain ? `Once more: ${prompt.words.charAt(0).toLowerCase()}${prompt.words.slice(1)}` : prompt.words;
    setText(this.prompt, words);
    setText(this.spoken, words);
  }

  private async finish(): Promise<void> {
    const { recorder } = this;
    clearInterval(this.timer);
    [this.recorder, this.guide] = [null, null];
    const clip = (await recorder?.stop()) ?? null;
    if (this.closed) return;
    if (clip) {
      setText(this.spoken, "The clip is complete.");
      return this.actions.recorded(clip);
    }
    this.stop();
    setText(this.prompt, "The camera gave no picture: start again.");
  }
}

function ring(): { element: SVGSVGElement; show: (part: number) => void } {
  const element = document.createElementNS(SVG, "svg");
  element.setAttribute("viewBox", "0 0 48 48");
  element.setAttribute("class", "clip-ring");
  element.setAttribute("aria-hidden", "true");
  const circles = ["clip-ring-all", "clip-ring-done"].map((name) => {
    const circle = document.createElementNS(SVG, "circle");
    for (const [key, value] of Object.entries({ class: name, cx: 24, cy: 24, r: 20 })) circle.setAttribute(key, String(value));
    element.append(circle);
    return circle;
  });
  const show = (part: number): void => circles[1]?.setAttribute("stroke-dasharray", `${(RING * part).toFixed(2)} ${RING.toFixed(2)}`);
  show(0);
  return { element, show };
}
