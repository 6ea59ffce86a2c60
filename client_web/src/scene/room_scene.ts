/** The avatars of a room at the page's end: posed by their drive frames, drawn together in one picture. */
import type { Moment } from "../drive/moment";
import { type Frame, Playout } from "../drive/playout";
import type { Camera } from "../render/camera";
import { DepthOrder } from "../render/depth_order";
import { jointTransforms, roaming } from "../render/posture";
import { Rig } from "../render/rig";
import { identity, type Rigid, rigid, times } from "../render/rigid";
import type { Eye, SplatRenderer, Target } from "../render/splat_renderer";
import { JOINTS, type Level, type WebAvatar } from "../render/web_avatar";

/** Somebody in the picture. transform: avatar space -> the space that the cameras stand in. */
export interface Placed {
  participant: number;
  transform: Rigid;
}

/** Where the head of an avatar may be told from, instead of the playout of its drive frames. */
export interface Source {
  at(now: number): Moment;
}

const IN_PLACE = identity();

class Posed {
  playout = new Playout();
  readonly transforms = new Float32Array(12 * JOINTS);
  readonly rig: Rig;
  level: Level;
  source: Source = this.playout;

  constructor(readonly avatar: WebAvatar) {
    this.rig = new Rig(avatar);
    this.level = avatar.levels.at(-1)!;
  }

  /** As the avatar that was shown before: its drive frames, or its own source. */
  goOn({ playout, source }: Posed): void {
    this.playout = playout;
    this.source = source;
  }

  /** What the server draws of a moment: `realtime/room/scene.py`. */
  pose(now: number): void {
    const { rotation, translation, gaze, coefficients } = this.source.at(now);
    const head = roaming(rigid(rotation, translation));
    this.rig.pose(coefficients, jointTransforms(this.avatar.joints, { head, gaze }, this.transforms));
  }
}

/** Several avatars in one renderer. `seat` and `leave` say whose, `drive` what they do; then `pose`, and `draw` as often as wanted. */
export class RoomScene {
  private readonly people = new Map<number, Posed>();
  private order = new DepthOrder([]);
  /** Whether the renderer does not have the avatars of `people` yet. */
  private isStale = false;
  private breathing = true;
  private coarse = false;
  private frames: Float32Array[] = [];
  /** Of the last drawing. */
  private sorted: Uint32Array = new Uint32Array(0);

  constructor(readonly renderer: SplatRenderer) {}

  /** Shows an avatar as a participant's, also in place of another one, which then goes on from the same moment. */
  seat(participant: number, avatar: WebAvatar): void {
    const posed = new Posed(avatar);
    const before = this.people.get(participant);
    if (before) posed.goOn(before);
    posed.playout.breathes = this.breathing;
    if (this.coarse) posed.level = avatar.levels[0]!;
    this.people.set(participant, posed);
    this.isStale = true;
  }

  leave(participant: number): void {
    this.isStale = this.people.delete(participant) || this.isStale;
  }

  has(participant: number): boolean {
    return this.people.has(participant);
  }

  /** Whether avatars move by themselves while no drive frames come. */
  set breathes(on: boolean) {
    this.breathing = on;
    for (const { playout } of this.people.values()) playout.breathes = on;
  }

  get breathes(): boolean {
    return this.breathing;
  }

  /** Draws the first, coarse level of each avatar instead of the last. */
  set isCoarse(on: boolean) {
    if (on === this.coarse) return;
    this.coarse = on;
    for (const posed of this.people.values()) posed.level = posed.avatar.levels.at(on ? 0 : -1)!;
    this.isStale = true;
  }

  get isCoarse(): boolean {
    return this.coarse;
  }

  /** Milliseconds that drive frames wait, of whom they wait longest. */
  get delay(): number {
    return Math.max(0, ...[...this.people.values()].map(({ playout }) => playout.delay));
  }

  /** Whether a picture of `now` would differ from the last one by more than breathing. */
  moves(now: number): boolean {
    return this.isStale || [...this.people.values()].some(({ source, playout }) => source !== playout || !playout.isSettled(now));
  }

  /** A drive frame came. For somebody without an avatar it is lost. */
  drive(participant: number, frame: Frame, now: number): void {
    this.people.get(participant)?.playout.push(frame, now);
  }

  /** An avatar that shows what `source` says instead of drive frames. */
  driveFrom(participant: number, source: Source): void {
    const posed = this.people.get(participant);
    if (posed) posed.source = source;
  }

  /** Poses everybody, or these, as they are at `now`, milliseconds. */
  pose(now: number, whom: Iterable<number> = this.people.keys()): void {
    for (const participant of whom) this.people.get(participant)?.pose(now);
  }

  /**
   * Draws those of `shown` that are here, for each eye. middle: where the order is told from; the first eye's, when left out.
   * `again` of the target: nobody was posed or moved since the last drawing, and the order of that one still holds.
   * Raises `RenderError` when the avatars are too large for this machine.
   */
  draw(eyes: readonly Eye[], shown: readonly Placed[], middle: Pick<Camera, "worldToCamera"> = eyes[0]!.camera, target?: Target): void {
    const again = target?.again === true && !this.isStale;
    if (this.isStale) this.load();
    const ids = [...this.people.keys()];
    const transforms = ids.map((id) => shown.find(({ participant }) => participant === id)?.transform ?? null);
    if (!again) this.sorted = this.order.sort(this.frames, transforms.map((transform) => transform && times(middle.worldToCamera, transform)));
    this.renderer.draw(eyes, this.frames, transforms.map((transform) => transform ?? IN_PLACE), this.sorted, target && { ...target, again });
  }

  private load(): void {
    const people = [...this.people.values()];
    this.renderer.load(people.map(({ level, avatar }) => ({ level, triangles: avatar.triangles.length / 3 })));
    this.order = new DepthOrder(people.map(({ level }) => level));
    this.frames = people.map(({ rig }) => rig.frames);
    this.isStale = false;
  }
}
