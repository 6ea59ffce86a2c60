/** The room in a headset: one WebXR session, from the first picture to the last. */
import type { Rigid } from "../render/rigid";
import { RenderError, type Eye } from "../render/splat_renderer";
import type { Placed, RoomScene } from "../scene/room_scene";
import { eyeOf, matrixOf, type Seat } from "../scene/seating";
import { Backdrop } from "./backdrop";
import { Budget } from "./budget";
import { Controls, type Wish } from "./controls";
import { eyeCamera, middle, OrderWatch, worldToCamera } from "./eyes";
import { type HeadMotion, headMotion } from "./head_drive";
import { Input } from "./input";
import { Panels } from "./panels";
import { placeOf, tableOf } from "./places";
import { heading, ofMatrix, type Place, Standpoint } from "./standpoint";

/** Metres: nearest and farthest that a device's own compositing cares for. */
const [DEPTH_NEAR, DEPTH_FAR] = [0.05, 100];
/** Pictures a second, where the device does not tell, and the least to ask for. */
const USUAL_RATE = 72;
/** Milliseconds between two drive frames of the own head. */
const DRIVE_INTERVAL = 1000 / 30;
/** Seconds after which time that passed is not made up for. */
const LONGEST = 0.1;

const LOST = "The headset view has ended: you are back on the page, and the call goes on.";
const BROKEN = "The headset view had to end: this device could not draw the room. The call goes on here.";

/** What the view needs of the call. */
export interface HeadsetRoom {
  readonly scene: RoomScene;
  /** Seats of all who are seated, in their order, at a time of `performance.now()`; people on the way to another seat are between. */
  seats(now: number): ReadonlyMap<number, Seat>;
  /** The own participant, -1 for a viewer. */
  readonly own: number;
  nameOf(participant: number): string;
  /** A word under each name on where the picture comes from; empty: none. */
  readonly origin: string;
  /** What the person waits for, one short sentence; empty: nothing. */
  notice(): string;
  /** How the own head is, 30 times a second while the view is worn. */
  drive(motion: HeadMotion, now: number): void;
  /** The view is over. sentence: why, where the person did not ask for it; else empty. */
  ended(sentence: string): void;
}

export class HeadsetView {
  private readonly gl: WebGL2RenderingContext;
  private readonly standpoint = new Standpoint();
  private readonly controls = new Controls();
  private readonly input: Input;
  private readonly order = new OrderWatch();
  private readonly backdrop: Backdrop | null;
  private readonly panels: Panels;
  private readonly listeners = new AbortController();
  private layer!: XRWebGLLayer;
  private place: Place | null = null;
  private isLeaving = false;
  private isOver = false;
  private last = 0;
  private drivenAt = -Infinity;
  /** Pictures drawn so far. */
  private pictures = 0;
  private reason = LOST;
  /** Of the layer. */
  private resolution = 0;

  private constructor(
    private readonly session: XRSession,
    private readonly room: HeadsetRoom,
    private readonly space: XRReferenceSpace,
    private readonly budget: Budget,
  ) {
    this.gl = room.scene.renderer.gl;
    this.input = new Input(session);
    this.panels = new Panels(this.gl, room.origin);
    this.backdrop = session.environmentBlendMode === "opaque" || session.environmentBlendMode === undefined ? new Backdrop(this.gl) : null;
  }

  /** Begins the view in a session that was granted. Raises `RenderError` or a `DOMException`, after the session has ended. */
  static async begin(session: XRSession, room: HeadsetRoom, budget = new Budget()): Promise<HeadsetView> {
    try {
      await room.scene.renderer.gl.makeXRCompatible();
      const space = await session.requestReferenceSpace("local-floor").catch(() => session.requestReferenceSpace("local"));
      await steadyRate(session);
      const view = new HeadsetView(session, room, space, budget);
      view.start();
      return view;
    } catch (error) {
      await session.end().catch(() => undefined);
      throw error;
    }
  }

  /** Ends the view: the person asked for it, or the call ended. Can be called again. */
  leave(): void {
    if (this.isLeaving) return;
    this.isLeaving = true;
    this.session.end().catch(() => this.finish());
  }

  private start(): void {
    const { session, space } = this;
    const { signal } = this.listeners;
    session.addEventListener("end", () => this.finish(), { signal });
    session.addEventListener("visibilitychange", () => this.controls.forget(), { signal });
    space.addEventListener("reset", () => (this.place = null), { signal }); // the system's own recentring: sit down anew
    this.gl.canvas.addEventListener("webglcontextlost", () => this.fail(), { signal });
    const escape = (event: KeyboardEvent): void => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.leave();
    };
    document.addEventListener("keydown", escape, { signal, capture: true });
    this.resize();
    session.requestAnimationFrame(this.step);
  }

  private readonly step = (now: number, frame: XRFrame): void => {
    if (this.isOver) return;
    this.session.requestAnimationFrame(this.step);
    try {
      this.show(now, frame);
    } catch (error) {
      this.fail(error instanceof RenderError ? error.message : BROKEN);
    }
  };

  private show(now: number, frame: XRFrame): void {
    const { session, room } = this;
    if (session.visibilityState === "hidden") return;
    if (this.budget.picture(now, session.frameRate ?? USUAL_RATE)) this.resize();
    const pose = frame.getViewerPose(this.space);
    if (!pose) return; // the head is not seen now: the last picture stays
    const passed = Math.min(LONGEST, Math.max(0, (now - this.last) / 1000));
    this.last = now;
    const head = ofMatrix(pose.transform.matrix);
    const seats = room.seats(now);
    this.sitAt(placeOf(seats.get(room.own) ?? null, [...seats.values()]), head);
    const shown = new Map([...seats].filter(([participant]) => participant !== room.own || seats.size === 1));
    const wish = this.move(frame, head, shown, now, passed);
    this.draw(pose, head, shown, wish, now);
    this.tell(head, now);
  }

  private sitAt(place: Place, head: Rigid): void {
    if (this.place === null) this.standpoint.sit(head, place);
    else this.standpoint.follow(place);
    this.place = place;
  }

  /** Does what hands and looks ask for. */
  private move(frame: XRFrame, head: Rigid, seats: ReadonlyMap<number, Seat>, now: number, passed: number): Wish & { hasHands: boolean } {
    const { standpoint, panels } = this;
    const isWorn = this.session.visibilityState === "visible";
    const hands = isWorn ? this.input.hands(this.session.inputSources, frame, this.space) : [];
    const wish = this.controls.read(hands, now / 1000, passed);
    const heads = [...seats.values()].map(eyeOf);
    if (wish.recentre) standpoint.sit(head, this.place!);
    if (wish.turn !== 0) standpoint.turn(head, wish.turn);
    if (wish.rescale !== 1) standpoint.rescale(head, wish.rescale);
    const way = heading(head);
    const [x, y, z] = wish.carried;
    const [sine, cosine] = [Math.sin(way), Math.cos(way)];
    const ahead = wish.ahead + sine * x + cosine * z;
    const aside = sine * z - cosine * x;
    if (ahead !== 0 || aside !== 0 || y !== 0) standpoint.step(head, ahead, aside, y, heads);
    const leavesByLook = isWorn && panels.follow(standpoint.inRoom(head), passed, hands.length > 0);
    if (wish.pressed) panels.greeted();
    if (leavesByLook || wish.leaving >= 1 || (wish.pressed && panels.isAsked)) this.leave();
    return { ...wish, hasHands: hands.length > 0 };
  }

  private draw(pose: XRViewerPose, ownHead: Rigid, seats: ReadonlyMap<number, Seat>, wish: Wish & { hasHands: boolean }, now: number): void {
    const { gl, room, standpoint, layer, budget, panels } = this;
    const head = standpoint.inRoom(ownHead);
    const poses: Rigid[] = [];
    const eyes: Eye[] = [];
    for (const view of pose.views) {
      const viewport = layer.getViewport(view);
      if (!viewport || viewport.width === 0 || viewport.height === 0) continue; // an eye without a picture
      const own = standpoint.inRoom(ofMatrix(view.transform.matrix));
      poses.push(own);
      eyes.push({ camera: eyeCamera(view.projectionMatrix, own, viewport), x: viewport.x, y: viewport.y });
    }
    if (eyes.length === 0) return;
    const isPosed = this.pictures++ % budget.effort.every === 0;
    if (isPosed) room.scene.pose(now, seats.keys());
    const sorted = { worldToCamera: worldToCamera(middle(head, poses)) };
    const again = !this.order.isStale(sorted.worldToCamera, isPosed);
    const placed: Placed[] = [...seats].map(([participant, seat]) => ({ participant, transform: matrixOf(seat) }));
    gl.bindFramebuffer(gl.FRAMEBUFFER, layer.framebuffer);
    this.backdrop?.draw(eyes, tableOf(this.room.seats(now).size));
    room.scene.draw(eyes, placed, sorted, { framebuffer: layer.framebuffer, clear: this.backdrop === null, again });
    panels.draw(eyes, { head, seats, nameOf: (id) => room.nameOf(id), notice: room.notice(), leaving: wish.leaving, hasHands: wish.hasHands });
  }

  private tell(head: Rigid, now: number): void {
    const { room, standpoint } = this;
    if (room.own < 0 || this.session.visibilityState !== "visible" || now - this.drivenAt < DRIVE_INTERVAL) return;
    this.drivenAt = Math.max(this.drivenAt + DRIVE_INTERVAL, now - DRIVE_INTERVAL); // as many a second as pictures allow
    room.drive(headMotion(standpoint.inRoom(head), standpoint.leaning(head), standpoint.forward), now);
  }

  /** A layer as large, and avatars as fine, as the budget allows. */
  private resize(): void {
    const { session, gl, room } = this;
    const { resolution, foveation, coarse } = this.budget.effort;
    room.scene.isCoarse = coarse;
    if (this.layer === undefined || this.resolution !== resolution) {
      this.layer = new XRWebGLLayer(session, gl, { antialias: false, depth: false, stencil: false, alpha: true, framebufferScaleFactor: resolution });
      session.updateRenderState({ baseLayer: this.layer, depthNear: DEPTH_NEAR, depthFar: DEPTH_FAR });
      this.resolution = resolution;
    }
    if ("fixedFoveation" in this.layer) this.layer.fixedFoveation = foveation;
  }

  private fail(sentence = BROKEN): void {
    this.reason = sentence;
    this.session.end().catch(() => this.finish());
  }

  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.listeners.abort();
    if (!this.gl.isContextLost()) {
      this.backdrop?.close();
      this.panels.close();
      this.gl.bindFramebuffer(this.gl.FRAMEBUFFER, null);
    }
    this.room.scene.isCoarse = false;
    this.room.ended(this.isLeaving ? "" : this.reason);
  }
}

/** The least rate that is comfortable leaves most time for each picture. */
async function steadyRate(session: XRSession): Promise<void> {
  const rates = [...(session.supportedFrameRates ?? [])].filter((rate) => rate >= USUAL_RATE);
  if (rates.length > 0) await session.updateTargetFrameRate(Math.min(...rates)).catch(() => undefined);
}
