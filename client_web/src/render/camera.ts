/** A pinhole camera in OpenCV's axes (x right, y down, z forward), as `models/types.py`. */
import type { View } from "../orbit";
import { identity, type Rigid } from "./rigid";

export interface Camera {
  /** Pixels. */
  width: number;
  height: number;
  fx: number;
  fy: number;
  cx: number;
  cy: number;
  worldToCamera: Rigid;
}

/** Vertical field of view and middle of the view of a camera around one head (`models/renderer.py`). */
export const FOV_Y = (24 * Math.PI) / 180;
export const TARGET = [0, -0.01, 0] as const;

/** A camera on a sphere around a head at rest. */
export function orbitCamera({ yaw, pitch, distance }: View, width: number, height: number): Camera {
  const direction = [Math.sin(yaw) * Math.cos(pitch), Math.sin(pitch), Math.cos(yaw) * Math.cos(pitch)];
  const eye = TARGET.map((at, i) => at + distance * direction[i]!);
  const z = direction.map((value) => -value);
  const across = Math.hypot(z[0]!, z[2]!);
  const x = across > 1e-9 ? [-z[2]! / across, 0, z[0]! / across] : [1, 0, 0];
  const y = [z[1]! * x[2]! - z[2]! * x[1]!, z[2]! * x[0]! - z[0]! * x[2]!, z[0]! * x[1]! - z[1]! * x[0]!];
  const worldToCamera = identity();
  [x, y, z].forEach((row, i) => {
    worldToCamera.set(row, 4 * i);
    worldToCamera[4 * i + 3] = -row.reduce((sum, value, k) => sum + value * eye[k]!, 0);
  });
  const focal = (0.5 * height) / Math.tan(0.5 * FOV_Y);
  return { width, height, fx: focal, fy: focal, cx: width / 2, cy: height / 2, worldToCamera };
}
