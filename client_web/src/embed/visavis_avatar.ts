/** `<visavis-avatar>`: an avatar, or a room, in the page of somebody else. docs/embedding.md describes it. */
import { MouthListener, type Sound } from "../mouth/listener";
import { AvatarView } from "../render/avatar_view";
import { RenderError } from "../render/splat_renderer";
import { parseWebAvatar, WebAvatarError } from "../render/web_avatar";
import type { AvatarFrame } from "./frame";
import { Performer } from "./performer";
import { readAvatar, ReadError } from "./read";
import { roomAddress } from "./room";
import { STYLE } from "./style";

export type { AvatarFrame, Sound };

const LESS_MOTION = "(prefers-reduced-motion: reduce)";
const TURNED = ": arrow keys turn, plus and minus zoom, 0 looks from the front";

/** Events: `ready` when it can be seen; `error`, whose `message` is a sentence for people. */
export class VisavisAvatar extends HTMLElement {
  static readonly observedAttributes = ["src", "room", "background", "turn", "controls", "label"] as const;

  private readonly stage: ShadowRoot;
  private readonly words: HTMLParagraphElement;
  private readonly lessMotion = matchMedia(LESS_MOTION);
  private readonly performer = new Performer(() => this.lessMotion.matches);
  private readonly mouth = new MouthListener((mouth) => {
    const now = performance.now();
    this.performer.hear(mouth, now);
    if (this.performer.moves(now)) this.view?.wake();
  });
  private view: AvatarView | null = null;
  private shown: HTMLCanvasElement | HTMLIFrameElement | null = null;
  private reading: AbortController | null = null;
  /** The file that is shown, so that it need not be asked for again. */
  private file: ArrayBuffer | null = null;
  private isBegun = false;

  constructor() {
    super();
    this.stage = this.attachShadow({ mode: "open" });
    const style = document.createElement("style");
    style.textContent = STYLE;
    this.words = document.createElement("p");
    this.words.setAttribute("role", "status");
    this.words.hidden = true;
    this.stage.append(style, this.words);
  }

  /** Address of a .webavatar file (`visavis export`). */
  get src(): string {
    return this.getAttribute("src") ?? "";
  }

  set src(address: string) {
    this.setAttribute("src", address);
  }

  /** A viewers' link of a room. */
  get room(): string {
    return this.getAttribute("room") ?? "";
  }

  set room(link: string) {
    this.setAttribute("room", link);
  }

  /** Shows a .webavatar file that the page has already. */
  load(file: ArrayBuffer): void {
    this.file = file;
    if (this.isConnected) this.show(file);
  }

  /** Shows a moment of a face. After 0.7 s without another the avatar lives by itself again. Throws `TypeError` with a sentence. */
  drive(frame: AvatarFrame): void {
    this.performer.drive(frame, performance.now());
    this.view?.wake();
  }

  /** Lets a sound move the mouth: a stream, a track, an audio or video element, an AudioNode; null for none. */
  listen(sound: Sound | null): void {
    this.mouth.listen(sound);
  }

  connectedCallback(): void {
    this.lessMotion.addEventListener("change", this.motionChanged);
    this.paint();
    if (this.file && this.room === "") this.show(this.file);
    else this.begin();
  }

  disconnectedCallback(): void {
    this.lessMotion.removeEventListener("change", this.motionChanged);
    this.clear();
    this.mouth.listen(null);
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || !this.isConnected) return;
    if (name === "src" || name === "room") {
      this.file = null;
      this.begin();
    } else if (name === "background") {
      this.paint();
      if (this.room !== "") this.begin();
    } else if (name === "label") this.name();
    else if (this.file && this.room === "") this.show(this.file);
  }

  /** One look at all attributes, however many were set at once. */
  private begin(): void {
    if (this.isBegun) return;
    this.isBegun = true;
    queueMicrotask(() => {
      this.isBegun = false;
      if (!this.isConnected) return;
      this.clear();
      if (this.room !== "") this.enter();
      else if (this.file) this.show(this.file);
      else if (this.src !== "") void this.read(this.src);
    });
  }

  private async read(address: string): Promise<void> {
    const reading = (this.reading = new AbortController());
    try {
      const file = await readAvatar(new URL(address, document.baseURI).href, reading.signal);
      if (reading.signal.aborted) return;
      this.file = file;
      this.show(file);
    } catch (error) {
      if (!reading.signal.aborted) this.fail(error);
    }
  }

  private show(file: ArrayBuffer): void {
    this.clear();
    const canvas = document.createElement("canvas");
    const hasControls = this.has("controls");
    canvas.setAttribute("role", "img");
    canvas.part.add("canvas");
    if (hasControls) canvas.tabIndex = 0;
    this.stage.append(canvas);
    this.shown = canvas;
    this.name();
    try {
      const options = { turns: this.has("turn") && !this.lessMotion.matches, controls: hasControls, life: this.performer };
      this.view = new AvatarView(canvas, parseWebAvatar(file), options);
      requestAnimationFrame(() => this.shown === canvas && this.dispatchEvent(new Event("ready")));
    } catch (error) {
      this.fail(error);
    }
  }

  private enter(): void {
    try {
      const frame = document.createElement("iframe");
      frame.src = roomAddress(this.room, document.baseURI, this.getAttribute("background") ?? "");
      frame.allow = "autoplay; fullscreen";
      frame.referrerPolicy = "no-referrer";
      frame.addEventListener("load", () => this.shown === frame && this.dispatchEvent(new Event("ready")), { once: true });
      this.stage.append(frame);
      this.shown = frame;
      this.name();
    } catch (error) {
      this.fail(error);
    }
  }

  private clear(): void {
    this.reading?.abort();
    this.reading = null;
    this.view?.close();
    this.view = null;
    this.shown?.remove();
    this.shown = null;
    this.words.hidden = true;
  }

  private fail(error: unknown): void {
    const known = error instanceof RenderError || error instanceof WebAvatarError || error instanceof ReadError;
    const sentence = known ? error.message : "The avatar cannot be shown here: try again.";
    this.clear();
    this.words.textContent = sentence;
    this.words.hidden = false;
    this.dispatchEvent(new ErrorEvent("error", { message: sentence, error }));
  }

  private name(): void {
    const { shown } = this;
    if (shown instanceof HTMLIFrameElement) shown.title = this.getAttribute("label") ?? "A room with avatars, live";
    else shown?.setAttribute("aria-label", (this.getAttribute("label") ?? "Avatar") + (this.has("controls") ? TURNED : ""));
  }

  private paint(): void {
    this.style.setProperty("--visavis-background", this.getAttribute("background") ?? "transparent");
  }

  /** Whether a switch is on: `turn`, not `turn="false"`. */
  private has(name: string): boolean {
    return this.hasAttribute(name) && this.getAttribute(name) !== "false";
  }

  private readonly motionChanged = (): void => {
    if (this.file && this.room === "" && this.has("turn")) this.show(this.file);
    else this.view?.wake();
  };
}

if (!customElements.get("visavis-avatar")) customElements.define("visavis-avatar", VisavisAvatar);
