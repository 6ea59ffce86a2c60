import { HINTS, type Hint } from "../../avatars/guidance";
import { openCamera, PortraitEye } from "../../avatars/camera";
import { recordedKind } from "../../avatars/recorder";
import { fileTrouble } from "../../avatars/words";
import type { LocalMedia } from "../../media";
import { explain, type Trouble, whichBrowser } from "../../media_errors";
import { h, setText } from "../dom";
import { icon } from "../icons";
import { CameraPreview } from "../preview";
import type { Step } from "./step";

const COUNTDOWN = 3;
/** Milliseconds between two hints that are read out. */
const SPEAK_EVERY = 4_000;

/** `fromCamera`: it was seen as in a mirror. */
export interface Photo {
  data: Blob;
  fromCamera: boolean;
}

/** A photo by the camera, with hints and a countdown, or one that is there already. */
export class PhotoStep implements Step {
  readonly element: HTMLElement;
  private readonly preview = new CameraPreview("portrait-preview");
  private readonly hint = h("p", { class: "portrait-hint", "data-testid": "hint-words" });
  private readonly spoken = h("p", { class: "visually-hidden", role: "status" });
  private readonly count = h("p", { class: "countdown", role: "alert", "data-testid": "countdown", hidden: true });
  private readonly card = h("div", { class: "portrait-card", "data-testid": "portrait" });
  private readonly trouble = h("p", { class: "portrait-trouble", role: "alert" });
  private readonly take = h("button", { type: "button", class: "button primary", "data-testid": "take-photo" }, "Take the photo");
  private readonly choose = h("button", { type: "button", class: "button", "data-testid": "choose-photo" }, "Choose a photo");
  private readonly film = h("button", { type: "button", class: "button", "data-testid": "film-instead" }, "Record a clip");
  private readonly file = h("input", { type: "file", accept: "image/*,.heic,.heif,.avif", hidden: true, "data-testid": "photo-file" });
  private readonly refusal = h("p", { class: "form-trouble", role: "alert", "data-testid": "photo-trouble" });
  private readonly eye = new PortraitEye(this.preview.element, () => this.card.clientWidth / Math.max(1, this.card.clientHeight), (hint) => this.hinted(hint));
  private readonly listening = new AbortController();
  private track: MediaStreamTrack | null = null;
  private counting: ReturnType<typeof setTimeout> | undefined;
  private closed = false;
  private spokenAt = -Infinity;
  private isReady = false;

  constructor(
    private readonly media: LocalMedia,
    private readonly taken: (photo: Photo) => void,
    /** A clip is to be recorded instead. */
    film: () => void,
  ) {
    this.film.addEventListener("click", film);
    this.film.hidden = recordedKind() === "";
    this.card.append(this.preview.element, h("div", { class: "portrait-oval", "aria-hidden": "true" }), this.hint, this.count, this.trouble);
    const tips = h("p", { class: "soft small" }, "A bare face in even light works best. ", "A clip of some fifteen seconds shows more of you. ", h("span", { class: "with-mouse" }, "You can also drop or paste a photo here."));
    this.element = h("div", { class: "make-step make-portrait" }, this.card, this.spoken, this.refusal, h("div", { class: "make-actions" }, this.take, this.choose, this.film), tips, this.file);
    this.take.addEventListener("click", () => {
      if (this.counting !== undefined) this.stopCounting();
      else if (this.isReady) this.countDown(COUNTDOWN);
    });
    this.choose.addEventListener("click", () => this.file.click());
    this.file.addEventListener("change", () => this.receive(this.file.files));
    const { signal } = this.listening;
    document.addEventListener("paste", (event) => this.receive(event.clipboardData?.files), { signal });
    document.addEventListener("dragover", () => this.drag(true), { signal });
    document.addEventListener("dragleave", () => this.drag(false), { signal });
    document.addEventListener("drop", (event) => {
      this.drag(false);
      this.receive(event.dataTransfer?.files);
    }, { signal });
    this.hinted("starting");
    this.ready(false);
    if (media.choices.on.video) void this.open();
    else this.offerCamera();
  }

  focus(): void {
    (this.take.hidden ? this.choose : this.take).focus();
  }

  close(): void {
    this.closed = true;
    this.stopCounting();
    this.listening.abort();
    this.eye.stop();
    this.preview.show(null);
    this.track?.stop();
    this.track = null;
  }

  private async open(): Promise<void> {
    await this.media.lendCamera();
    const opened = await openCamera(this.media.choices.device.video);
    if (this.closed) return opened instanceof MediaStreamTrack ? opened.stop() : undefined;
    if (!(opened instanceof MediaStreamTrack)) return this.fail(opened);
    this.track = opened;
    this.media.trouble.video = null; // what was refused in the lobby is allowed now
    opened.onended = () => this.fail(explain("lost", ["video"], whichBrowser(navigator.userAgent)));
    this.card.dataset.state = "live";
    this.preview.show(opened);
    this.eye.start();
  }

  /** The camera was switched off in the lobby: nobody turns it on by surprise. */
  private offerCamera(): void {
    this.card.dataset.state = "off";
    this.take.hidden = true;
    this.trouble.replaceChildren(h("span", {}, "Your camera is off."), this.openButton("Use the camera"));
  }

  private openButton(text: string): HTMLElement {
    const button = h("button", { type: "button", class: "button", "data-testid": "use-camera" }, text);
    button.addEventListener("click", () => {
      delete this.card.dataset.state;
      this.trouble.replaceChildren();
      this.take.hidden = false;
      void this.open().then(() => this.focus());
    });
    return button;
  }

  private fail({ cause, sentence }: Trouble): void {
    this.stopCounting();
    this.eye.stop();
    this.ready(false);
    this.card.dataset.state = "off";
    const focused = document.activeElement === this.take;
    this.take.hidden = true;
    if (focused) this.focus();
    const again = cause === "insecure" ? "" : this.openButton("Ask again");
    this.trouble.replaceChildren(icon("cameraOff"), h("span", {}, sentence), again);
  }

  private hinted(hint: Hint): void {
    this.card.dataset.hint = hint;
    setText(this.hint, HINTS[hint]);
    if (hint === "starting") return;
    if (this.counting === undefined) this.ready(true);
    const now = performance.now();
    if (now - this.spokenAt < SPEAK_EVERY || this.spoken.textContent === HINTS[hint] || this.counting !== undefined) return;
    this.spokenAt = now;
    this.spoken.textContent = HINTS[hint];
  }

  /** Not `disabled`: the button keeps the focus while the camera starts. */
  private ready(on: boolean): void {
    this.isReady = on;
    this.take.setAttribute("aria-disabled", String(!on));
  }

  private countDown(left: number): void {
    this.count.hidden = false;
    this.card.classList.add("is-counting");
    setText(this.count, String(left));
    setText(this.take, "Stop");
    this.counting = setTimeout(() => (left > 1 ? this.countDown(left - 1) : void this.shoot()), 1_000);
  }

  private stopCounting(): void {
    clearTimeout(this.counting);
    this.counting = undefined;
    this.count.hidden = true;
    this.card.classList.remove("is-counting");
    setText(this.take, "Take the photo");
  }

  private async shoot(): Promise<void> {
    this.ready(false);
    const data = await this.eye.still();
    const isStopped = this.counting === undefined;
    this.stopCounting();
    if (this.closed || isStopped) return;
    if (data) this.taken({ data, fromCamera: true });
    else this.refusal.textContent = "The camera gave no picture: try again.";
  }

  private drag(over: boolean): void {
    this.card.classList.toggle("is-over", over);
  }

  private receive(files: FileList | null | undefined): void {
    const file = files?.[0];
    if (!file) return;
    const sentence = fileTrouble(file);
    this.refusal.textContent = sentence;
    this.file.value = "";
    if (sentence === "") this.taken({ data: file, fromCamera: false });
  }
}
