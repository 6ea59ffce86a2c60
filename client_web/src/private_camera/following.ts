/** Which face is followed: as models/tracking/face_tracker.py does. */

/** How much larger than the followed face another must be to be followed instead. */
export const TAKE_OVER = 1.6;

interface Box {
  x: number;
  y: number;
  size: number;
}

export class Following {
  private last: Box | null = null;

  /** The face to follow, of x, y, z of the landmarks of each in parts of a picture of that size; null: there is none. */
  choose(faces: readonly Float32Array[], width: number, height: number): Float32Array | null {
    const boxes = faces.map((face) => boxOf(face, width, height));
    let chosen = boxes.reduce((best, box, i) => (box.size > (boxes[best]?.size ?? -1) ? i : best), 0);
    const last = this.last;
    if (last && boxes.length > 0) {
      const apart = boxes.map((box) => Math.hypot(box.x - last.x, box.y - last.y) / Math.max(last.size, 1));
      const nearest = apart.indexOf(Math.min(...apart));
      if (apart[nearest]! < 1 && boxes[chosen]!.size < TAKE_OVER * boxes[nearest]!.size) chosen = nearest;
    }
    this.last = boxes[chosen] ?? null;
    return faces[chosen] ?? null;
  }
}

/** Mean of the landmarks and side of a square as large as the box around them, pixels. */
function boxOf(face: Float32Array, width: number, height: number): Box {
  let [left, top, right, bottom, x, y] = [Infinity, Infinity, -Infinity, -Infinity, 0, 0];
  for (let i = 0; i < face.length; i += 3) {
    const [px, py] = [face[i]! * width, face[i + 1]! * height];
    [left, top, right, bottom] = [Math.min(left, px), Math.min(top, py), Math.max(right, px), Math.max(bottom, py)];
    x += px;
    y += py;
  }
  const count = face.length / 3;
  return { x: x / count, y: y / count, size: Math.sqrt(Math.max(right - left, 0) * Math.max(bottom - top, 0)) };
}
