/** Flat panels with a few words in the scene: who somebody is, and how to leave. */
import { moved, type Rigid } from "../render/rigid";
import type { Eye } from "../render/splat_renderer";
import { OWN_UNIT, Program } from "./program";

const VERTEX = `#version 300 es
uniform vec4 corners[4]; // clip space
out vec2 place;
void main() {
  place = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1));
  gl_Position = corners[gl_VertexID];
}
`;

const FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D words;
uniform vec2 progress; // part of the bar at the lower edge that is full, and whether there is one
uniform float strength;
in vec2 place;
out vec4 color;
void main() {
  color = texture(words, place);
  if (progress.y > 0.0 && place.y > 0.88) color = place.x < progress.x ? vec4(0.45, 0.72, 1.0, 1.0) : vec4(0.1, 0.1, 0.12, 0.9);
  color *= strength; // premultiplied
}
`;

const WIDTH = 512;
const FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif";

/** The program that all panels share. */
export class PanelPainter {
  private readonly program: Program<"corners" | "words" | "progress" | "strength">;
  private readonly corners = new Float32Array(16);

  /** Raises `RenderError`. */
  constructor(readonly gl: WebGL2RenderingContext) {
    this.program = new Program(gl, VERTEX, FRAGMENT, ["corners", "words", "progress", "strength"]);
  }

  /** pose: of the panel's middle in the room: x to its right, y up, z to who reads it. progress: null for no bar. */
  draw(eyes: readonly Eye[], { texture, width, height }: Panel, pose: Rigid, strength = 1, progress: number | null = null): void {
    const { gl, program, corners } = this;
    program.use();
    gl.activeTexture(gl.TEXTURE0 + OWN_UNIT);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.uniform1i(program.uniforms.words, OWN_UNIT);
    gl.uniform2f(program.uniforms.progress, progress ?? 0, progress === null ? 0 : 1);
    gl.uniform1f(program.uniforms.strength, strength);
    for (const { camera, x, y } of eyes) {
      for (let k = 0; k < 4; k++) {
        const at = moved(pose, [((k & 1) - 0.5) * width, (0.5 - (k >> 1)) * height, 0]);
        const [a, b, c] = moved(camera.worldToCamera, at);
        // pixel = focal * a / c + centre; clip space has the division still to come
        corners[4 * k] = (2 * (camera.fx * a + camera.cx * c)) / camera.width - c;
        corners[4 * k + 1] = c - (2 * (camera.fy * b + camera.cy * c)) / camera.height;
        corners[4 * k + 2] = 0;
        corners[4 * k + 3] = c;
      }
      gl.viewport(x, y, camera.width, camera.height);
      gl.uniform4fv(program.uniforms.corners, corners);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    }
    program.done();
  }

  close(): void {
    this.program.close();
  }
}

/** Words on a dark plate. width: metres; the height follows from the lines. */
export class Panel {
  readonly texture: WebGLTexture | null;
  readonly height: number;

  /** lines: the first is large. */
  constructor(
    private readonly gl: WebGL2RenderingContext,
    readonly width: number,
    lines: readonly string[],
  ) {
    const canvas = document.createElement("canvas");
    canvas.width = WIDTH;
    canvas.height = 84 + 52 * (lines.length - 1) + 20;
    this.height = (width * canvas.height) / WIDTH;
    paint(canvas, lines);
    this.texture = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + OWN_UNIT);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, canvas);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }

  close(): void {
    this.gl.deleteTexture(this.texture);
  }
}

function paint(canvas: HTMLCanvasElement, lines: readonly string[]): void {
  const to = canvas.getContext("2d");
  if (to === null) return;
  to.fillStyle = "rgba(16, 18, 24, 0.92)";
  to.beginPath();
  to.roundRect(2, 2, canvas.width - 4, canvas.height - 4, 28);
  to.fill();
  to.textAlign = "center";
  to.textBaseline = "middle";
  lines.forEach((line, i) => {
    to.fillStyle = i === 0 ? "#ffffff" : "#c9d2e0";
    to.font = i === 0 ? `600 46px ${FONT}` : `34px ${FONT}`;
    to.fillText(line, canvas.width / 2, i === 0 ? 50 : 50 + 52 * i, canvas.width - 48);
  });
}
