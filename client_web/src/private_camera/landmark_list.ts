/** Reads what the face mesh gives for one face: a serialised `mediapipe.NormalizedLandmarkList`. */

const FLOAT = 5;
const LANDMARK = (1 << 3) | 2;

/** x, y, z of each landmark. Throws `Error` for anything else. */
export function readLandmarks(list: Uint8Array): Float32Array {
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  const values: number[] = [];
  let at = 0;
  const byte = (): number => {
    if (at >= list.length) throw new Error("a list of landmarks is cut short");
    return list[at++]!;
  };
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const part = byte();
      value |= (part & 127) << shift;
      if (part < 128) return value;
    }
    throw new Error("a list of landmarks has a length that is none");
  };
  while (at < list.length) {
    if (byte() !== LANDMARK) throw new Error("a list of landmarks holds something else");
    const end = varint() + at;
    const point = [0, 0, 0]; // protocol buffers leave zeros out
    while (at < end) {
      const tag = byte();
      if ((tag & 7) !== FLOAT || at + 4 > list.length) throw new Error("a landmark holds something else than numbers");
      const field = (tag >> 3) - 1;
      if (field < 3) point[field] = view.getFloat32(at, true);
      at += 4;
    }
    values.push(...point);
  }
  return Float32Array.from(values);
}
