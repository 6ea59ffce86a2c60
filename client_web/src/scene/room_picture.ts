/** The room's picture, drawn by this machine: avatars, seats, camera and clock together, on one canvas. Loaded when it is wanted. */
import type { Look } from "../look";
import type { Label, Participant } from "../protocol";
import { graphicsOf } from "../render/graphics";
import { RenderError, SplatRenderer } from "../render/splat_renderer";
import { Budget } from "./budget";
import type { ViewRequest } from "./layout";
import { RoomScene } from "./room_scene";
import { SeatedPeople } from "./seated_people";

/** Milliseconds between two pictures of people who only breathe. */
const CALM = 1000 / 15;
/** Milliseconds that a picture may take at the most; a driver that is not done then has lost track. */
const LONGEST = 1_000;
/** Milliseconds that a machine whose GPU was lost has to get it back. */
const GPU_BACK = 3_000;
/** Pictures that `measure` draws at the most, and milliseconds after which it draws no more. */
const [MOST_MEASURED, MEASURE] = [9, 300];
const DRIVER_FAILED = "This device's graphics failed.";

export interface PictureEvents {
  /** People have other places in the picture. */
  labels(labels: Label[]): void;
  /** It cannot go on; a sentence says why. */
  failed(sentence: string): void;
  /** Everybody's avatar is there, be it coarse. */
  usable(): void;
  /** Everybody's avatar is there whole. */
  complete(): void;
}

/** A renderer without a picture, and its canvas. */
class Easel {
  readonly canvas = document.createElement("canvas");
  readonly renderer = new SplatRenderer(this.canvas);
}

let ready: Easel | null = null;

/** Has the GPU ready for the next `RoomPicture`, while there is nothing to draw yet. Raises `RenderError`. */
export function prepare(): void {
  if (ready !== null) return;
  ready = new Easel();
  ready.renderer.warm();
}

function prepared(): Easel {
  const easel = ready;
  ready = null;
  return easel === null || easel.renderer.gl.isContextLost() ? new Easel() : easel;
}

export class RoomPicture {
  readonly canvas: HTMLCanvasElement;
  /** Pictures drawn so far. */
  framesDrawn = 0;
  /** Messages of drive frames so far. */
  messages = 0;
  readonly budget: Budget;
  private readonly renderer: SplatRenderer;
  private readonly scene: RoomScene;
  private readonly seated: SeatedPeople;
  private request = 0;
  private lastDrawn = -Infinity;
  /** Whether pictures have come without a pause since the last one. */
  private isSteady = false;
  private isStale = true;
  private gpuTimer: ReturnType<typeof setTimeout> | undefined;
  private isRunning = false;
  /** Whether the browser draws with the processor: then no picture is begun before the last one is done, or they and this thread wait. */
  private readonly isSoftware: boolean;

  /** place: the element that the picture fills. own: the page's participant, -1 for a viewer. isCalm: people move only as they are driven. Raises `RenderError`. */
  constructor(
    private readonly place: HTMLElement,
    private own: number,
    private look: Look,
    isCalm: boolean,
    private readonly events: PictureEvents,
  ) {
    ({ canvas: this.canvas, renderer: this.renderer } = prepared());
    this.scene = new RoomScene(this.renderer);
    this.isSoftware = graphicsOf(this.renderer.gl) === "software";
    this.scene.breathes = !isCalm && !this.isSoftware;
    this.budget = new Budget(devicePixelRatio);
    this.renderer.lost = () => (this.gpuTimer = setTimeout(() => this.fail(DRIVER_FAILED), GPU_BACK));
    this.renderer.restored = () => {
      clearTimeout(this.gpuTimer);
      this.isStale = true;
    };
    this.seated = new SeatedPeople(this.scene, {
      arrived: () => {
        this.isStale = true;
        this.tellProgress();
      },
      failed: (id, sentence) => this.fail(`${this.seated.nameOf(id) || "Somebody"}'s avatar cannot be drawn by this device. ${sentence}`),
    });
  }

  /** Whether everybody who can be seen is there. */
  get isComplete(): boolean {
    return this.seated.isComplete;
  }

  /** Of the longest playout buffer, milliseconds. */
  get delay(): number {
    return this.scene.delay;
  }

  /** Who is here, in the order of their seats. */
  seat(people: readonly Participant[], own: number): void {
    this.own = own;
    this.seated.seat(people);
    this.tellLabels();
    this.tellProgress();
  }

  /** A message of the channel `drive`. */
  driven(data: ArrayBuffer): void {
    if (this.seated.driven(data)) this.messages++;
  }

  lookAt(look: Look): void {
    this.look = look;
    this.tellLabels();
  }

  /** Draws from now on, the first picture at once. */
  start(): void {
    if (this.isRunning) return;
    this.isRunning = true;
    this.tellLabels();
    this.isSteady = false;
    this.step(performance.now());
  }

  /** Draws no more, until `start`. */
  pause(): void {
    this.isRunning = false;
    cancelAnimationFrame(this.request);
  }

  /** Milliseconds that a picture takes on this machine, from drive frame to the last pixel: of a few, the one in the middle. */
  measure(): number {
    const { gl } = this.renderer;
    const pixel = new Uint8Array(4);
    const found: number[] = [];
    const begin = performance.now();
    while (found.length < MOST_MEASURED && performance.now() < begin + MEASURE) {
      const start = performance.now();
      this.draw(start);
      gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel); // waits until it is drawn
      found.push(performance.now() - start);
    }
    return found.sort((a, b) => a - b)[found.length >> 1]!;
  }

  close(): void {
    this.isRunning = false;
    cancelAnimationFrame(this.request);
    clearTimeout(this.gpuTimer);
    this.seated.close();
    this.renderer.close();
  }

  /** Pixels. */
  private get size(): [number, number] {
    const { clientWidth, clientHeight } = this.place;
    return [clientWidth, clientHeight].map((side) => Math.max(1, Math.round(side * this.budget.scale))) as [number, number];
  }

  private get view(): ViewRequest {
    const { own, look } = this;
    return { owner: own, orbit: look.orbit, focus: look.focus, view: look.view };
  }

  private readonly step = (now: number): void => {
    if (!this.isRunning) return;
    this.request = requestAnimationFrame(this.step);
    const passed = now - this.lastDrawn;
    const [width, height] = this.size;
    const moves = this.isStale || this.scene.moves(now) || this.seated.layout.moving(now) || this.canvas.width !== width || this.canvas.height !== height;
    if (!moves) this.isSteady = false;
    if (!moves && !(this.scene.breathes && passed >= CALM)) return;
    if (this.isSoftware && this.renderer.isBusy && passed < LONGEST) return;
    if (this.isSteady) this.budget.add(passed);
    this.isSteady = moves;
    this.scene.isCoarse = this.budget.isCoarse;
    this.lastDrawn = now;
    this.draw(now);
  };

  private draw(now: number): void {
    const [width, height] = this.size;
    if (this.canvas.width !== width || this.canvas.height !== height) {
      [this.canvas.width, this.canvas.height] = [width, height];
      this.tellLabels();
    }
    this.isStale = false;
    const { people, placed, arrangement } = this.seated.layout.shot(this.view, width, height, now);
    try {
      this.scene.pose(now, people);
      const shown = people.map((participant, i) => ({ participant, transform: placed[i]! }));
      this.scene.draw([{ camera: arrangement.camera, x: 0, y: 0 }], shown);
    } catch (error) {
      if (!(error instanceof RenderError)) throw error;
      this.fail(error.message);
      return;
    }
    if (this.isSoftware) this.renderer.mark();
    this.framesDrawn++;
  }

  private tellProgress(): void {
    if (this.seated.isUsable) this.events.usable();
    if (this.isComplete) this.events.complete();
  }

  private tellLabels(): void {
    this.isStale = true;
    const [width, height] = this.size;
    const { people, arrangement } = this.seated.layout.shot(this.view, width, height, Infinity); // where everybody will be
    this.events.labels(people.map((participant, i) => {
      const [left, top, wide, tall] = arrangement.cells[i]!;
      return { participant, left, top, width: wide, height: tall };
    })); // prettier-ignore
  }

  private fail(sentence: string): void {
    if (this.isRunning || this.request === 0) this.events.failed(sentence);
    this.isRunning = false;
  }
}
