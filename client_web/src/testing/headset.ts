/** The headset view in an emulated headset, in a page without anything else; time goes on only when told. */
import { metaQuest3, XRDevice } from "iwer";
import { Budget } from "../headset/budget";
import type { HeadMotion } from "../headset/head_drive";
import { type HeadsetRoom, HeadsetView } from "../headset/headset_view";
import type { Standpoint } from "../headset/standpoint";
import { requestHeadset } from "../headset/support";
import { type Rigid, rigid } from "../render/rigid";
import { SplatRenderer } from "../render/splat_renderer";
import { parseWebAvatar } from "../render/web_avatar";
import { Layout } from "../scene/layout";
import { RoomScene } from "../scene/room_scene";

/** What an eye was shown. pixels: RGBA bytes as base64, rows from the bottom. The matrices are WebXR's, 16 numbers by columns. */
export interface EyePicture {
  projection: number[];
  pose: number[];
  width: number;
  height: number;
  pixels: string;
}

let clock = 1000;
let waiting: FrameRequestCallback[] = [];
performance.now = () => clock;
window.requestAnimationFrame = (callback) => waiting.push(callback);

/** As much of an eye's width as its picture is shifted outwards: real headsets see farther to the side than over the nose. */
let skew = 0;

export class HeadsetStage {
  readonly device = new XRDevice(metaQuest3, { stereoEnabled: true, fovy: Math.PI / 3 });
  readonly motions: HeadMotion[] = [];
  readonly endings: string[] = [];
  readonly scene: RoomScene;
  view: HeadsetView | null = null;
  private readonly layout = new Layout();
  private readonly canvas = document.createElement("canvas");
  private reads: ((frame: XRFrame) => void) | null = null;
  private space: XRReferenceSpace | null = null;

  /**
   * files: base64, of the people in the order of their seats. own: the number of the one who wears the headset; -1: a viewer.
   * level: of detail, from the end of each file's; all of it takes its time without a GPU.
   */
  constructor(
    files: string[],
    private readonly own: number,
    level: number,
    private readonly names: string[] = [],
  ) {
    this.device.installRuntime({ forceInstall: true });
    shiftLenses();
    document.body.append(this.canvas);
    this.scene = new RoomScene(new SplatRenderer(this.canvas, { keep: true }));
    files.forEach((file, i) => {
      const avatar = parseWebAvatar(bytes(file).buffer);
      this.scene.seat(i, { ...avatar, levels: [avatar.levels.at(level)!] });
    });
    this.arrange(files.length);
    this.layout.settle();
    this.device.position.set(0.3, 1.2, 0.1); // wherever the person happens to sit at home
  }

  arrange(people: number): void {
    this.layout.arrange([...Array(people).keys()], clock);
  }

  /** skewed: part of the width by which lenses look outwards. */
  async enter(mode: "immersive-vr" | "immersive-ar", skewed = 0): Promise<void> {
    skew = skewed;
    const room: HeadsetRoom = {
      scene: this.scene,
      seats: (now) => this.layout.seats(now),
      own: this.own,
      nameOf: (participant) => this.names[participant] ?? "",
      origin: "AI-generated",
      notice: () => "",
      drive: (motion) => this.motions.push(motion),
      ended: (sentence) => this.endings.push(sentence),
    };
    const session = await requestHeadset(mode);
    this.view = await HeadsetView.begin(session, room, new Budget());
    this.space = await session.requestReferenceSpace("local-floor");
  }

  /** Lets pictures pass. seconds: between two of them. */
  async pass(pictures: number, seconds = 1 / 72): Promise<void> {
    for (let i = 0; i < pictures; i++) {
      clock += 1000 * seconds;
      const due = waiting;
      waiting = [];
      for (const callback of due) callback(clock);
      await Promise.resolve(); // what waits for an event goes on
    }
  }

  /** The next picture, as each eye sees it. */
  async eyes(seconds = 1 / 72): Promise<EyePicture[]> {
    const session = this.device.activeSession as unknown as XRSession;
    const out: EyePicture[] = [];
    this.reads = (frame) => {
      const gl = this.scene.renderer.gl;
      for (const view of frame.getViewerPose(this.space!)!.views) {
        const { x, y, width, height } = session.renderState.baseLayer!.getViewport(view)!;
        const pixels = new Uint8Array(4 * width * height);
        gl.readPixels(x, y, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
        out.push({ projection: [...view.projectionMatrix], pose: [...view.transform.matrix], width, height, pixels: text(pixels) });
      }
    };
    session.requestAnimationFrame((_now, frame) => this.reads?.(frame)); // after the view, which asked before
    await this.pass(1, seconds);
    return out;
  }

  /** Holds a button of the right controller, or lets it go. */
  hold(button: "trigger" | "squeeze" | "thumbstick" | "a-button", on: boolean): void {
    this.device.controllers.right!.updateButtonValue(button, on ? 1 : 0);
  }

  push(x: number, y: number): void {
    this.device.controllers.right!.updateAxes("thumbstick", x, y);
  }

  /** Takes the greeting away, which covers what the tests look at. */
  async click(): Promise<void> {
    for (const on of [true, false]) {
      this.hold("trigger", on);
      await this.pass(1);
    }
  }

  lookDown(): void {
    this.device.quaternion.set(-Math.sin(0.35), 0, 0, Math.cos(0.35));
  }

  /** With the left hand, for good. */
  pinch(): void {
    this.device.hands.left!.updatePinchValue(1);
  }

  /** Puts the controllers away. */
  dropAll(): void {
    for (const controller of Object.values(this.device.controllers)) controller!.connected = false;
  }

  /** Where the eyes are in the room, metres. */
  place(): number[] {
    const m = this.standpoint.inRoom(this.head());
    return [m[3]!, m[7]!, m[11]!];
  }

  scale(): number {
    return this.standpoint.scale;
  }

  loseContext(): void {
    this.scene.renderer.gl.getExtension("WEBGL_lose_context")!.loseContext();
  }

  close(): void {
    this.scene.renderer.close();
    this.canvas.remove();
    this.device.uninstallRuntime();
  }

  private get standpoint(): Standpoint {
    return (this.view as unknown as { standpoint: Standpoint }).standpoint;
  }

  private head(): Rigid {
    const { position, quaternion } = this.device;
    return rigid([quaternion.w, quaternion.x, quaternion.y, quaternion.z], [position.x, position.y, position.z]);
  }

  get isOver(): boolean {
    return this.device.activeSession === undefined;
  }
}

function shiftLenses(): void {
  const prototype = (window as unknown as { XRView: { prototype: XRView & { shifted?: boolean } } }).XRView.prototype;
  if (prototype.shifted) return;
  prototype.shifted = true;
  const own = Object.getOwnPropertyDescriptor(prototype, "projectionMatrix")!.get!;
  Object.defineProperty(prototype, "projectionMatrix", {
    configurable: true,
    get(this: XRView) {
      const out = Float32Array.from(own.call(this) as Float32Array);
      out[8] = 2 * skew * (this.eye === "left" ? -1 : 1);
      out[9] = skew;
      return out;
    },
  });
}

function bytes(encoded: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
}

function text(data: Uint8Array): string {
  let out = "";
  for (let i = 0; i < data.length; i += 8192) out += String.fromCharCode(...data.subarray(i, i + 8192));
  return btoa(out);
}
