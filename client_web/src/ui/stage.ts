import { isSeated, type Look, orbitStart, participantAt, SEATED, focusOn, withPeople } from "../look";
import { between, dragged, FRONT, turned, turning, type View, wheelFactor, zoomed } from "../orbit";
import type { Room } from "../room";
import { Cutout } from "./cutout";
import { h, LESS_MOTION, reducedMotion } from "./dom";
import { watchGestures } from "./gestures";
import { Nameplates } from "./nameplates";

const EASE_MS = 350;

/** The room's picture, the names in it, and where it is looked at from. */
export class Stage {
  readonly element: HTMLElement;
  readonly video: HTMLVideoElement;
  /** Takes the video's place while people are cut out of its pictures. */
  readonly cutout: Cutout;
  look: Look = SEATED;
  private readonly nameplates = new Nameplates();
  private readonly picture: HTMLElement;
  /** Pictures shown so far; null where the browser does not tell. */
  framesShown: number | null = null;
  /** The last picture of a connection that was lost; browsers paint a closed stream black. */
  private readonly still = h("canvas", { class: "avatar", "aria-hidden": "true", hidden: true });
  private readonly stream = new MediaStream();
  /** The picture that this device draws, in place of the server's; null: the server's. */
  private own: HTMLCanvasElement | null = null;
  private hasShown = false;
  private isTurning = false;
  private readonly observer = new ResizeObserver(() => this.fit());
  private readonly lessMotion = matchMedia(LESS_MOTION);
  private held = false;
  private frame = 0;

  constructor(
    private readonly room: Room,
    private readonly moved: (look: Look) => void,
    /** The first picture of a stream is there. */
    private readonly playing: () => void,
    /** The slow turn has ended, because the system asks for less motion. */
    private readonly halted: () => void,
  ) {
    this.video = h("video", { class: "avatar", playsinline: true, "data-testid": "avatar", "aria-label": "The room, live" });
    this.video.disablePictureInPicture = true;
    this.video.muted = true;
    this.cutout = new Cutout(this.video, () => this.fit());
    this.picture = h("div", { class: "picture" }, this.video, this.cutout.element, this.still, this.nameplates.element);
    this.element = h("div", { class: "stage", "data-testid": "stage" }, this.picture);
    this.video.addEventListener("resize", () => this.fit());
    watchGestures(this.element, {
      drag: (dx, dy) => this.move(dragged(this.start, dx, dy, Math.min(this.element.clientWidth, this.element.clientHeight))),
      zoom: (factor) => this.zoom(factor),
      wheel: (delta, mode) => this.zoom(wheelFactor(delta, mode)),
      doubleTap: (x, y) => this.focusAt(x, y),
      hold: (on) => {
        this.held = on;
        this.element.classList.toggle("is-held", on);
      },
    });
    this.lessMotion.addEventListener("change", this.obeyMotion);
    this.observer.observe(this.element);
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

  /** Shows a picture that this device draws, which fills the stage; null: the server's again. */
  showOwn(canvas: HTMLCanvasElement | null): void {
    if (canvas === this.own) return;
    this.own?.remove();
    this.own = canvas;
    if (canvas) {
      canvas.className = "avatar own";
      canvas.dataset.testid = "own-picture";
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", "The room, live");
      this.picture.insertBefore(canvas, this.still);
      this.thaw();
    }
    this.picture.classList.toggle("is-own", canvas !== null);
    this.fit();
  }

  /** Keeps the picture that is shown now until another stream plays. */
  freeze(): void {
    const { cutout, still, video } = this;
    const { width, height } = cutout.size;
    if (width === 0 || !still.hidden || this.own) return;
    Object.assign(still, { width, height });
    if (cutout.isShown) cutout.paint();
    still.getContext("2d")?.drawImage(cutout.isShown ? cutout.element : video, 0, 0);
    still.hidden = false;
    this.picture.classList.add("is-still");
  }

  /** Whether nothing has been shown yet. */
  get isEmpty(): boolean {
    return !this.hasShown;
  }

  /** Whether the picture is the last one of an earlier connection. */
  get isFrozen(): boolean {
    return !this.still.hidden;
  }

  orbit(yaw: number, pitch: number): void {
    this.move(turned(this.start, yaw, pitch));
  }

  zoom(factor: number): void {
    this.move(zoomed(this.start, factor));
  }

  /** Looks at one person from the front; back to the seat for -1, and for the one looked at already. */
  focus(participant: number): void {
    this.isTurning = false;
    cancelAnimationFrame(this.frame);
    if (participant < 0 || (participant === this.look.focus && !this.look.orbit)) this.sitDown();
    else this.apply(focusOn(participant));
  }

  /** People or their places in the picture have changed. */
  update(): void {
    this.nameplates.update(this.room);
    const look = this.room.state ? withPeople(this.look, this.room.people) : this.look;
    if (look !== this.look) this.apply(look);
  }

  /** Back to the view from the own seat; where one face fills the picture, without a jump unless less motion is wanted. */
  sitDown(): void {
    this.isTurning = false;
    cancelAnimationFrame(this.frame);
    const from = this.look;
    if (isSeated(from)) return;
    if (!from.orbit || from.focus >= 0 || this.room.others.length > 1 || reducedMotion()) {
      this.apply(SEATED);
      return;
    }
    const start = performance.now();
    const step = (now: number): void => {
      const t = (now - start) / EASE_MS;
      this.apply(t < 1 ? { ...from, view: between(from.view, FRONT, t) } : SEATED);
      if (t < 1) this.frame = requestAnimationFrame(step);
    };
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
    this.cutout.close();
    this.observer.disconnect();
  }

  private readonly obeyMotion = (): void => {
    if (!this.lessMotion.matches || !this.isTurning) return;
    this.autoTurn = false;
    this.halted();
  };

  private thaw(): void {
    this.hasShown = true;
    this.still.hidden = true;
    this.picture.classList.remove("is-still");
    this.playing();
  }

  private get start(): View {
    return orbitStart(this.look, this.room.people, this.room.own);
  }

  private focusAt(x: number, y: number): void {
    const box = this.picture.getBoundingClientRect();
    this.focus(participantAt(this.room.labels, (x - box.left) / box.width, (y - box.top) / box.height));
  }

  private move(view: View): void {
    cancelAnimationFrame(this.frame);
    this.apply({ ...this.look, orbit: true, view });
    this.resume();
  }

  private apply(look: Look): void {
    this.look = look;
    this.mark();
    this.moved(look);
  }

  /** The picture's own shape, as large as the stage allows. */
  private fit(): void {
    this.picture.classList.toggle("is-cut-out", this.cutout.isShown);
    const { clientWidth, clientHeight } = this.element;
    const room = clientWidth / Math.max(1, clientHeight);
    const shape = this.own ? room : this.cutout.shape;
    if (!shape) return;
    this.picture.style.setProperty("--shape", shape.toFixed(4));
    this.picture.dataset.gaps = room > 1.03 * shape ? "sides" : room < shape / 1.03 ? "ends" : "none";
  }

  /** Writes the view on the element, where tests and style sheets can read it. */
  private mark(): void {
    const { orbit, focus, view } = this.look;
    this.element.dataset.look = focus >= 0 ? `person ${focus}` : orbit ? "around" : "seat";
    for (const name of ["yaw", "pitch", "distance"] as const) this.element.dataset[name] = view[name].toFixed(3);
  }

  /** Goes on with the slow turn, if it is on; a hand on the stage halts it. */
  private resume(): void {
    if (!this.isTurning) return;
    let last = performance.now();
    const step = (now: number): void => {
      if (!this.held) this.apply({ ...this.look, orbit: true, view: turning(this.start, Math.min(0.1, Math.max(0, now - last) / 1000)) });
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
