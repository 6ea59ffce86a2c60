/** What WebXR says of an eye as our pinhole camera, and the camera between both eyes that the order of drawing is made for. */
import type { Camera } from "../render/camera";
import { inverse, type Rigid } from "../render/rigid";

/** A part of the framebuffer, pixels. */
export interface Viewport {
  width: number;
  height: number;
}

/** A pose in OpenGL's axes (y up, -z forward) -> room to OpenCV's camera axes (y down, z forward). */
export function worldToCamera(pose: Rigid): Rigid {
  const out = inverse(pose);
  for (let i = 4; i < 12; i++) out[i] = -out[i]!;
  return out;
}

/**
 * The camera of an eye. projection: 16 numbers by columns, as OpenGL has them; an eye's frustum is seldom symmetrical, which
 * only moves the principal point. pose: of the eye in the room.
 */
export function eyeCamera(projection: Float32Array, pose: Rigid, { width, height }: Viewport): Camera {
  const [across, down, right, up] = [projection[0]!, projection[5]!, projection[8]!, projection[9]!];
  return {
    width,
    height,
    fx: (width * across) / 2,
    fy: (height * down) / 2,
    cx: (width * (1 - right)) / 2,
    cy: (height * (1 + up)) / 2,
    worldToCamera: worldToCamera(pose),
  };
}

/**
 * The pose between the eyes, room axes, that looks the head's way. Eyes that look in parallel are beside it at the same depth, so
 * an order made for it is exactly right for both.
 */
export function middle(head: Rigid, eyes: readonly Rigid[]): Rigid {
  const out = head.slice();
  if (eyes.length === 0) return out;
  for (const i of [3, 7, 11]) out[i] = eyes.reduce((sum, eye) => sum + eye[i]!, 0) / eyes.length;
  return out;
}

/** Radians that a head turns before the order of drawing is made anew. */
const TURN = (0.5 * Math.PI) / 180;

/**
 * Says when the order must be made anew: when avatars moved, or when the head looks elsewhere. Depths are along the line of sight,
 * so neither going aside, nor nearer, nor tilting the head changes which is farther.
 */
export class OrderWatch {
  private sight = [0, 0, 0];

  /** worldToCamera: of the middle. moved: whether avatars did. */
  isStale(worldToCamera: Rigid, moved: boolean): boolean {
    const sight = [worldToCamera[8]!, worldToCamera[9]!, worldToCamera[10]!];
    const cosine = sight.reduce((sum, value, i) => sum + value * this.sight[i]!, 0);
    if (!moved && cosine > Math.cos(TURN)) return false;
    this.sight = sight;
    return true;
  }
}
