/**
 * What drawing costs the main thread, in a page without anything else: `tests/client_web/measure_renderer.py` runs it.
 */
import { jointTransforms } from "../render/posture";
import { DepthOrder } from "../render/depth_order";
import { Rig } from "../render/rig";
import { identity, rigid } from "../render/rigid";
import { SplatRenderer } from "../render/splat_renderer";
import { parseWebAvatar } from "../render/web_avatar";
import { orbitCamera } from "../render/camera";

export type Costs = Record<"pose" | "sort" | "submit" | "total", number[]>;

/** Milliseconds of each of `times` pictures: one drive frame of one avatar, its order, and handing both to the GPU. */
export async function costs(file: string, times: number, side: number): Promise<{ costs: Costs; gaussians: number }> {
  const avatar = parseWebAvatar(Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0)).buffer);
  const canvas = document.body.appendChild(document.createElement("canvas"));
  canvas.width = canvas.height = side;
  const renderer = new SplatRenderer(canvas);
  const level = avatar.levels.at(-1)!;
  renderer.load([{ level, triangles: avatar.triangles.length / 3 }]);
  const [rig, order] = [new Rig(avatar), new DepthOrder([level])];
  const coefficients = new Float64Array(52);
  const found: Costs = { pose: [], sort: [], submit: [], total: [] };
  const place = identity();
  for (let n = 0; n < times; n++) {
    await new Promise(requestAnimationFrame);
    const begin = performance.now();
    for (let k = 0; k < 52; k++) coefficients[k] = 0.3 + 0.3 * Math.sin(n / 5 + k);
    const camera = orbitCamera({ yaw: 0.4 * Math.sin(n / 20), pitch: 0, distance: 0.9 }, side, side);
    const head = rigid([1, 0.02 * Math.sin(n), 0.05, 0], [0, 0, 0]);
    rig.pose(coefficients, jointTransforms(avatar.joints, { head, gaze: [0, 0, 0, 0] }));
    const posed = performance.now();
    const sorted = order.sort([rig.frames], [camera.worldToCamera]);
    const ordered = performance.now();
    renderer.draw([{ camera, x: 0, y: 0 }], [rig.frames], [place], sorted);
    const end = performance.now();
    found.pose.push(posed - begin);
    found.sort.push(ordered - posed);
    found.submit.push(end - ordered);
    found.total.push(end - begin);
  }
  return { costs: found, gaussians: level.count };
}
