/** The renderer in a page without anything else, for tests that compare its pictures with the server's. */
import type { Camera } from "../render/camera";
import { DepthOrder } from "../render/depth_order";
import { jointTransforms } from "../render/posture";
import { Rig } from "../render/rig";
import { identity, rigid } from "../render/rigid";
import { SplatRenderer } from "../render/splat_renderer";
import { parseWebAvatar } from "../render/web_avatar";

/** head: quaternion wxyz and shift, avatar space -> world. */
export interface Seated {
  coefficients: number[];
  rotation: number[];
  shift: number[];
  gaze: [number, number, number, number];
}

export class Stage {
  private readonly avatars;
  private readonly rigs;
  private readonly canvas = new OffscreenCanvas(1, 1);
  private readonly renderer = new SplatRenderer(this.canvas, { keep: true });
  private readonly order: DepthOrder;

  /** files: base64. level: from the end of each. */
  constructor(files: string[], level = -1) {
    this.avatars = files.map((file) => parseWebAvatar(bytes(file).buffer));
    this.rigs = this.avatars.map((avatar) => new Rig(avatar));
    const levels = this.avatars.map((avatar) => avatar.levels.at(level)!);
    this.renderer.load(this.avatars.map((avatar, i) => ({ level: levels[i]!, triangles: avatar.triangles.length / 3 })));
    this.order = new DepthOrder(levels);
  }

  /** RGBA bytes, premultiplied, as base64; rows from the bottom. worldToCamera: 12 numbers. times: draws, for measuring. */
  draw(seated: Seated[], camera: Omit<Camera, "worldToCamera"> & { worldToCamera: number[] }, times = 1): { pixels: string; milliseconds: number[] } {
    const own: Camera = { ...camera, worldToCamera: Float64Array.from(camera.worldToCamera) };
    this.canvas.width = camera.width;
    this.canvas.height = camera.height;
    const out = new Uint8Array(4 * camera.width * camera.height);
    const milliseconds: number[] = [];
    for (let i = 0; i < times; i++) {
      const start = performance.now();
      seated.forEach(({ coefficients, rotation, shift, gaze }, k) => {
        this.rigs[k]!.pose(coefficients, jointTransforms(this.avatars[k]!.joints, { head: rigid(rotation, shift), gaze }));
      });
      const frames = this.rigs.map((rig) => rig.frames);
      const order = this.order.sort(frames, frames.map(() => own.worldToCamera));
      this.renderer.draw([{ camera: own, x: 0, y: 0 }], frames, frames.map(identity), order);
      milliseconds.push(performance.now() - start);
      const gl = this.canvas.getContext("webgl2")!;
      gl.readPixels(0, 0, camera.width, camera.height, gl.RGBA, gl.UNSIGNED_BYTE, out);
    }
    let text = "";
    for (let i = 0; i < out.length; i += 8192) text += String.fromCharCode(...out.subarray(i, i + 8192));
    return { pixels: btoa(text), milliseconds };
  }

  /** Loses the GPU and gets it back. */
  async loseContext(): Promise<void> {
    const extension = this.canvas.getContext("webgl2")!.getExtension("WEBGL_lose_context")!;
    extension.loseContext();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const back = new Promise<void>((resolve) => (this.renderer.restored = resolve));
    extension.restoreContext();
    await back;
  }
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
