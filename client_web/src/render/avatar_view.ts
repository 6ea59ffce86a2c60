/** One avatar in a canvas, drawn by this machine: it turns, one can turn it, and it makes faces. */
import type { Moment } from "../drive/moment";
import { between, dragged, FRONT, turned, turning, type View, wheelFactor, zoomed } from "../orbit";
import { watchGestures } from "../ui/gestures";
import { orbitCamera } from "./camera";
import { DepthOrder } from "./depth_order";
import { jointTransforms, roaming } from "./posture";
import { Rig } from "./rig";
import { identity, rigid } from "./rigid";
import { SplatRenderer } from "./splat_renderer";
import type { WebAvatar } from "./web_avatar";

/** Coefficients by name, and where the eyes look (radians: yaw to the person's left, pitch up). */
export interface Face {
  coefficients: Readonly<Record<string, number>>;
  gaze: readonly [number, number];
}

/** What moves an avatar that does not only make faces. now: milliseconds. */
export interface Life {
  at(now: number): Moment;
  /** Whether it moves at all now; when it begins again, call `AvatarView.wake`. */
  moves(now: number): boolean;
}

export interface ViewOptions {
  /** Whether it begins to turn slowly by itself. */
  turns: boolean;
  /** Whether one can turn it and come nearer. */
  controls?: boolean;
  life?: Life | null;
}

const IN_PLACE = identity();
export const NEUTRAL: Face = { coefficients: {}, gaze: [0, 0] };

/** Part of the way to a new face that is left after a second. */
const EASE = 1e-4;
const KEY_TURN = Math.PI / 12;
const KEY_ZOOM = 1.15;
/** Pictures that take longer than this, milliseconds, are drawn smaller; those that take less than half of it, larger again. */
const SLOW = 24;
const [LEAST_SCALE, MOST_SCALE] = [0.4, 2];

export class AvatarView {
  private readonly renderer: SplatRenderer;
  private readonly rig: Rig;
  private readonly depth: DepthOrder;
  private readonly transforms: Float32Array;
  private readonly coefficients = new Float64Array(52);
  private readonly gaze: [number, number] = [0, 0];
  private readonly resized = new ResizeObserver(() => this.wake());
  private readonly listeners = new AbortController();
  private face = NEUTRAL;
  private view: View = { ...FRONT };
  private isTurning: boolean;
  private readonly life: Life | null;
  private isHeld = false;
  private request = 0;
  private last = 0;
  private scale = Math.min(MOST_SCALE, devicePixelRatio);
  private cost = SLOW / 2;

  /** Raises `RenderError`. */
  constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly avatar: WebAvatar,
    { turns, controls = true, life = null }: ViewOptions,
  ) {
    this.isTurning = turns;
    this.life = life;
    const level = avatar.levels.at(-1)!;
    this.rig = new Rig(avatar);
    this.depth = new DepthOrder([level]);
    this.transforms = jointTransforms(avatar.joints, { head: identity(), gaze: [0, 0, 0, 0] });
    this.renderer = new SplatRenderer(canvas);
    this.renderer.load([{ level, triangles: avatar.triangles.length / 3 }]);
    this.renderer.restored = () => this.wake();
    this.resized.observe(canvas);
    if (controls) this.listen();
    this.wake();
  }

  /** Makes a face, softly. */
  show(face: Face): void {
    this.face = face;
    this.wake();
  }

  close(): void {
    cancelAnimationFrame(this.request);
    this.resized.disconnect();
    this.listeners.abort();
    this.renderer.close();
  }

  private listen(): void {
    const { canvas } = this;
    watchGestures(canvas, {
      drag: (dx, dy) => this.look(dragged(this.view, dx, dy, canvas.clientHeight)),
      zoom: (factor) => this.look(zoomed(this.view, factor)),
      wheel: (delta, mode) => this.look(zoomed(this.view, wheelFactor(delta, mode))),
      doubleTap: () => this.look({ ...FRONT }),
      hold: (on) => {
        this.isHeld = on;
        this.wake();
      },
    });
    canvas.addEventListener("keydown", (event) => {
      const looks: Record<string, () => View> = {
        ArrowLeft: () => turned(this.view, -KEY_TURN, 0),
        ArrowRight: () => turned(this.view, KEY_TURN, 0),
        ArrowUp: () => turned(this.view, 0, KEY_TURN),
        ArrowDown: () => turned(this.view, 0, -KEY_TURN),
        "+": () => zoomed(this.view, 1 / KEY_ZOOM),
        "-": () => zoomed(this.view, KEY_ZOOM),
        "0": () => ({ ...FRONT }),
      };
      const look = looks[event.key];
      if (look === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.look(look());
    }, { signal: this.listeners.signal }); // prettier-ignore
  }

  /** Somebody turns it by hand: it stays there. */
  private look(view: View): void {
    this.isTurning = false;
    this.view = between(this.view, view, 1);
    this.wake();
  }

  /** Draws again, for as long as something moves. */
  wake(): void {
    if (this.request === 0) this.request = requestAnimationFrame((now) => this.step(now));
  }

  private step(now: number): void {
    const seconds = Math.min(0.1, this.last === 0 ? 0 : (now - this.last) / 1000);
    this.request = 0;
    if (this.isTurning && !this.isHeld) this.view = turning(this.view, seconds);
    const moves = this.life ? this.life.moves(now) : this.ease(seconds);
    const goesOn = (this.isTurning && !this.isHeld) || moves;
    this.draw(now, goesOn || this.isHeld ? this.scale : Math.min(MOST_SCALE, devicePixelRatio)); // what stays is sharp
    if (goesOn) {
      this.last = now;
      this.wake();
    } else this.last = 0;
  }

  /** -> whether the face is still on its way. */
  private ease(seconds: number): boolean {
    const part = 1 - EASE ** seconds;
    let left = 0;
    const towards = (now: number, goal: number): number => {
      left = Math.max(left, Math.abs(goal - now));
      return now + (goal - now) * part;
    };
    this.avatar.coefficients.forEach((name, k) => {
      this.coefficients[k] = towards(this.coefficients[k]!, this.face.coefficients[name] ?? 0);
    });
    this.gaze[0] = towards(this.gaze[0], this.face.gaze[0]);
    this.gaze[1] = towards(this.gaze[1], this.face.gaze[1]);
    return left > 1e-3;
  }

  private draw(now: number, scale: number): void {
    const { canvas, view, rig } = this;
    if (canvas.clientWidth === 0 || canvas.clientHeight === 0) return;
    if (this.last !== 0) this.fit(now - this.last);
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.max(1, Math.round(side * scale))) as [number, number];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    if (this.life) {
      const { rotation, translation, gaze, coefficients } = this.life.at(now);
      rig.pose(coefficients, jointTransforms(this.avatar.joints, { head: roaming(rigid(rotation, translation)), gaze }, this.transforms));
    } else {
      const [yaw, pitch] = this.gaze;
      rig.pose(this.coefficients, jointTransforms(this.avatar.joints, { head: IN_PLACE, gaze: [yaw, pitch, yaw, pitch] }, this.transforms));
    }
    const camera = orbitCamera(view, width, height);
    const order = this.depth.sort([rig.frames], [camera.worldToCamera]);
    this.renderer.draw([{ camera, x: 0, y: 0 }], [rig.frames], [IN_PLACE], order);
  }

  /** Draws smaller where pictures take too long. passed: milliseconds since the last one. */
  private fit(passed: number): void {
    this.cost += 0.1 * (passed - this.cost);
    const most = Math.min(MOST_SCALE, devicePixelRatio);
    if (this.cost > SLOW) [this.scale, this.cost] = [Math.max(LEAST_SCALE, this.scale * 0.8), SLOW / 2];
    else if (this.cost < SLOW / 2 && this.scale < most) this.scale = Math.min(most, this.scale * 1.02);
  }
}
