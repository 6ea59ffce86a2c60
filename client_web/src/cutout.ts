/**
 * People cut out of the stream's pictures: below each lies a band of half its height with their opacity. No DOM.
 *
 * The picture shows them over a known colour: P = a C + (1 - a) B. Taking (1 - a) B away leaves a C, which is what a canvas
 * with premultiplied alpha holds: so no edge keeps a fringe of B.
 */

/** The codec's noise in what should be all or nothing: less opacity than the first is none, more than the second all. */
export const NOISE = [0.08, 0.94] as const;

export type Color = readonly [number, number, number];

/** Height of the picture in a frame of that height with a mask. */
export function withoutMask(height: number): number {
  return Math.round((2 * height) / 3);
}

/** For each value of the mask: the opacity, and what the colour seen and the one behind count for it. */
const ALPHA = new Uint8ClampedArray(256);
const [OVER, REST] = [new Float32Array(256), new Float32Array(256)];
for (let mask = 0; mask < 256; mask++) {
  const a = Math.min(1, Math.max(0, (mask / 255 - NOISE[0]) / (NOISE[1] - NOISE[0])));
  ALPHA[mask] = 255 * a;
  [OVER[mask], REST[mask]] = a > 0 ? [1 / a, (1 - a) / a] : [0, 0];
}
/** The opacity of a whole pixel, in the order of bytes that browsers run on. */
const OPAQUE = 0xff000000;

/**
 * `frame`: RGBA, `width` x 3/2 `height`, as a canvas gives it. `out`: RGBA, `width` x `height`, not premultiplied; all of it is
 * written. For browsers without WebGL. Nearly all pixels are either somebody or nobody, and go as a whole.
 */
export function cutOut(frame: Uint8ClampedArray, out: Uint8ClampedArray, width: number, height: number, behind: Color): void {
  const [red, green, blue] = behind;
  const seen = new Uint32Array(frame.buffer, frame.byteOffset, frame.length >> 2);
  const cut = new Uint32Array(out.buffer, out.byteOffset, out.length >> 2);
  for (let y = 0; y < height; y++) {
    let mask = 4 * width * (height + (y >> 1)) + 1;
    let pixel = width * y;
    for (const end = pixel + width; pixel < end; pixel++, mask += 4) {
      const level = frame[mask] ?? 0;
      const alpha = ALPHA[level] ?? 0;
      if (alpha === 255) cut[pixel] = (seen[pixel] ?? 0) | OPAQUE;
      else if (alpha === 0) cut[pixel] = 0;
      else {
        const at = 4 * pixel;
        const [over, rest] = [OVER[level] ?? 0, REST[level] ?? 0];
        out[at] = over * (frame[at] ?? 0) - rest * red;
        out[at + 1] = over * (frame[at + 1] ?? 0) - rest * green;
        out[at + 2] = over * (frame[at + 2] ?? 0) - rest * blue;
        out[at + 3] = alpha;
      }
    }
  }
}

/** The same for a graphics card; `at`: in parts of the picture, from its top left corner. */
export const VERTEX_SHADER = `
attribute vec2 corner;
varying vec2 at;
void main() {
  at = vec2(0.5 + 0.5 * corner.x, 0.5 - 0.5 * corner.y);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

export const FRAGMENT_SHADER = `
precision highp float;
uniform sampler2D frame;
uniform vec3 behind;
uniform float row;
uniform bool masked;
varying vec2 at;
void main() {
  if (!masked) {
    gl_FragColor = vec4(texture2D(frame, at).rgb, 1.0);
    return;
  }
  vec3 seen = texture2D(frame, vec2(at.x, min(at.y * 2.0 / 3.0, 2.0 / 3.0 - row))).rgb;
  vec3 mask = texture2D(frame, vec2(at.x, max(2.0 / 3.0 + at.y / 3.0, 2.0 / 3.0 + row))).rgb;
  float a = clamp((dot(mask, vec3(0.299, 0.587, 0.114)) - ${NOISE[0]}) / ${(NOISE[1] - NOISE[0]).toFixed(4)}, 0.0, 1.0);
  gl_FragColor = vec4(clamp(seen - (1.0 - a) * behind, 0.0, a), a);
}`;
