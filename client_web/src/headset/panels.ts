/** The words in the scene: names under faces, how to leave, and what one waits for. */
import { identity, type Rigid } from "../render/rigid";
import type { Eye } from "../render/splat_renderer";
import { eyeOf, type Seat } from "../scene/seating";
import { Panel, PanelPainter } from "./panel";
import { aboutY, heading, type Point } from "./standpoint";

/** Seconds that the greeting is shown, and in which panels come and go. */
const [GREETING, FADE] = [9, 0.25];
/** A look this far down, radians, brings the help; one less far takes it away. */
const [DOWN, UP] = [(-28 * Math.PI) / 180, (-18 * Math.PI) / 180];
/** Seconds of looking at the help that leave, where there are no hands to press with. */
const DWELL = 3;
/** Metres: where panels are from the head, ahead and up. */
const HELP: [number, number] = [0.5, -0.42];
const MESSAGE: [number, number] = [0.75, -0.2];
/** Metres from a person's eyes down to the name, and from there towards who reads it. */
const TAG: [number, number] = [-0.3, 0.22];

/** Lines of at most 28 letters. A press is a controller's trigger or two fingers that touch. */
const HELP_LINES = ["Leave the headset view:", "press trigger or pinch now,", "or hold two seconds anywhere", "Twice quickly: to your seat", "Stick: nearer, farther, turn"];
const HELP_WITHOUT_HANDS = ["Leave the headset view:", "look here for three seconds"];
const GREETING_LINES = ["You sit at the table", "Hold trigger or pinch for", "two seconds to leave", "Look down for help"];
const GREETING_WITHOUT_HANDS = ["You sit at the table", "Look down to leave"];

/** What the panels are to show now. */
export interface Shown {
  /** Of the headset, in the room and in its own axes. */
  head: Rigid;
  /** Those who are seen, by participant. */
  seats: ReadonlyMap<number, Seat>;
  nameOf(participant: number): string;
  /** What the person waits for; empty: nothing. */
  notice: string;
  /** Of the hold that leaves, in [0, 1]. */
  leaving: number;
  /** Whether the person has anything to press with. */
  hasHands: boolean;
}

export class Panels {
  private readonly painter: PanelPainter;
  private readonly made = new Map<string, Panel>();
  private help = 0;
  private isHelping = false;
  private helpYaw = 0;
  private lookedFor = 0;
  private age = 0;

  /** origin: a word on who is seen, as "AI-generated". Raises `RenderError`. */
  constructor(
    private readonly gl: WebGL2RenderingContext,
    private readonly origin: string,
  ) {
    this.painter = new PanelPainter(gl);
  }

  /** Whether the person looks at the help, so that any press leaves. */
  get isAsked(): boolean {
    return this.isHelping && this.help > 0.8;
  }

  /** Time passes, seconds -> whether the person leaves by looking alone. head: in the room. */
  follow(head: Rigid, passed: number, hasHands: boolean): boolean {
    this.age += passed;
    const pitch = Math.asin(Math.max(-1, Math.min(1, -head[6]!)));
    const yaw = heading(head);
    const isAside = Math.cos(yaw - this.helpYaw) < 0.75;
    if (!this.isHelping && pitch < DOWN) [this.isHelping, this.helpYaw] = [true, yaw];
    else if (pitch > UP || isAside) this.isHelping = false;
    this.help = Math.max(0, Math.min(1, this.help + ((this.isHelping ? 1 : -1) * passed) / FADE));
    this.lookedFor = this.isAsked && !hasHands ? this.lookedFor + passed : 0;
    return this.lookedFor >= DWELL;
  }

  /** The person has found the buttons, and needs no greeting any more. */
  greeted(): void {
    this.age = Math.max(this.age, GREETING);
  }

  draw(eyes: readonly Eye[], shown: Shown): void {
    const { head, seats, notice, leaving, hasHands } = shown;
    const at: Point = [head[3]!, head[7]!, head[11]!];
    for (const [participant, seat] of seats) {
      const name = shown.nameOf(participant);
      if (name !== "") this.painter.draw(eyes, this.panel(0.26, [name, this.origin]), tagPose(seat, at), 0.85);
    }
    if (leaving > 0) this.message(eyes, head, ["Keep holding to leave"], 1, leaving);
    else if (this.help > 0) {
      this.painter.draw(eyes, this.panel(0.36, hasHands ? HELP_LINES : HELP_WITHOUT_HANDS), before(at, this.helpYaw, HELP), this.help, hasHands ? null : this.lookedFor / DWELL);
    } else if (notice !== "") this.message(eyes, head, [notice]);
    else if (this.age < GREETING) {
      this.message(eyes, head, hasHands ? GREETING_LINES : GREETING_WITHOUT_HANDS, Math.min(1, (GREETING - this.age) / FADE));
    }
  }

  close(): void {
    for (const panel of this.made.values()) panel.close();
    this.painter.close();
  }

  private message(eyes: readonly Eye[], head: Rigid, lines: readonly string[], strength = 1, progress: number | null = null): void {
    this.painter.draw(eyes, this.panel(0.38, lines), before([head[3]!, head[7]!, head[11]!], heading(head), MESSAGE), strength, progress);
  }

  private panel(width: number, lines: readonly string[]): Panel {
    const text = lines.filter((line) => line !== "");
    const key = text.join("\n");
    let panel = this.made.get(key);
    if (panel === undefined) this.made.set(key, (panel = new Panel(this.gl, width, text)));
    return panel;
  }
}

/** Before a head that looks by `yaw`, tilted so that it is read from there. */
function before(at: Point, yaw: number, [ahead, up]: readonly [number, number]): Rigid {
  return facing([at[0] + ahead * Math.sin(yaw), at[1] + up, at[2] + ahead * Math.cos(yaw)], at);
}

function tagPose(seat: Seat, reader: Point): Rigid {
  const eye = eyeOf(seat);
  const yaw = Math.atan2(reader[0] - eye[0], reader[2] - eye[2]);
  const [down, out] = TAG;
  const near = Math.min(out, 0.5 * Math.hypot(reader[0] - eye[0], reader[2] - eye[2]));
  const pose = aboutY(yaw);
  [pose[3], pose[7], pose[11]] = [eye[0] + near * Math.sin(yaw), eye[1] + down, eye[2] + near * Math.cos(yaw)];
  return pose;
}

/** A pose at a point whose z points to the reader, upright as far as that goes. */
function facing(at: Point, reader: Point): Rigid {
  const z = unit([reader[0] - at[0], reader[1] - at[1], reader[2] - at[2]]);
  const x = unit([z[2], 0, -z[0]]);
  const y: Point = [z[1] * x[2] - z[2] * x[1], z[2] * x[0] - z[0] * x[2], z[0] * x[1] - z[1] * x[0]];
  const out = identity();
  [x, y, z].forEach((axis, j) => axis.forEach((value, i) => (out[4 * i + j] = value)));
  at.forEach((value, i) => (out[4 * i + 3] = value));
  return out;
}

function unit([x, y, z]: Point): Point {
  const length = Math.max(1e-9, Math.hypot(x, y, z));
  return [x / length, y / length, z / length];
}
