/** What is around the people where the person's own room is not seen: dusk, a floor to stand on, and the table. */
import type { Eye } from "../render/splat_renderer";
import { Program } from "./program";

const VERTEX = `#version 300 es
void main() {
  gl_Position = vec4(4.0 * float(gl_VertexID & 1) - 1.0, 4.0 * float(gl_VertexID >> 1) - 1.0, 0.0, 1.0);
}
`;

/** Heights are metres below the heads. Nothing moves or has sharp edges: what flickers there tires the eyes. */
const FRAGMENT = `#version 300 es
precision highp float;
uniform vec4 lens;   // fx, fy, cx, cy, pixels
uniform vec4 corner; // x, y of the viewport, its height, radius of the table in metres
uniform mat3 turn;   // camera to room
uniform vec3 eye;    // room
out vec4 color;

const float FLOOR = -1.2;
const float TABLE = -0.46;

void main() {
  vec2 pixel = vec2(gl_FragCoord.x - corner.x, corner.z - (gl_FragCoord.y - corner.y));
  vec3 way = normalize(turn * vec3((pixel - lens.zw) / lens.xy, 1.0));
  vec3 seen = mix(vec3(0.17, 0.19, 0.24), vec3(0.06, 0.07, 0.10), smoothstep(-0.05, 0.7, way.y));
  if (way.y < -0.001) {
    vec3 at = eye + way * ((FLOOR - eye.y) / way.y);
    float away = length(at.xz);
    vec3 ground = mix(vec3(0.25, 0.25, 0.27), vec3(0.17, 0.19, 0.24), smoothstep(0.5, 7.0, away));
    float ring = abs(fract(away + 0.5) - 0.5);
    ground += 0.025 * (1.0 - smoothstep(0.0, 0.03 + 0.02 * away, ring)) * (1.0 - smoothstep(2.0, 6.0, away));
    seen = mix(seen, ground, smoothstep(0.001, 0.05, -way.y));
    vec3 on = eye + way * ((TABLE - eye.y) / way.y);
    float soft = 0.004 + 0.004 * length(on - eye);
    float inside = 1.0 - smoothstep(corner.w - soft, corner.w + soft, length(on.xz));
    seen = mix(seen, vec3(0.33, 0.27, 0.22) * (1.05 - 0.25 * length(on.xz) / corner.w), eye.y > TABLE ? inside : 0.0);
  }
  float grain = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715)))); // Jimenez 2014: else one sees steps
  color = vec4(seen + (grain - 0.5) / 255.0, 1.0);
}
`;

export class Backdrop {
  private readonly program: Program<"lens" | "corner" | "turn" | "eye">;
  private readonly turn = new Float32Array(9);

  /** Raises `RenderError`. */
  constructor(private readonly gl: WebGL2RenderingContext) {
    this.program = new Program(gl, VERTEX, FRAGMENT, ["lens", "corner", "turn", "eye"]);
  }

  /** Fills each eye's part of the bound framebuffer. table: its radius, metres. */
  draw(eyes: readonly Eye[], table: number): void {
    const { gl, program, turn } = this;
    program.use();
    gl.disable(gl.BLEND);
    for (const { camera, x, y } of eyes) {
      const m = camera.worldToCamera;
      for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) turn[3 * i + j] = m[4 * i + j]!; // its inverse, by columns
      gl.viewport(x, y, camera.width, camera.height);
      gl.uniform4f(program.uniforms.lens, camera.fx, camera.fy, camera.cx, camera.cy);
      gl.uniform4f(program.uniforms.corner, x, y, camera.height, table);
      gl.uniformMatrix3fv(program.uniforms.turn, false, turn);
      const at = (j: number): number => -(m[j]! * m[3]! + m[4 + j]! * m[7]! + m[8 + j]! * m[11]!);
      gl.uniform3f(program.uniforms.eye, at(0), at(1), at(2));
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    }
    gl.enable(gl.BLEND);
    program.done();
  }

  close(): void {
    this.program.close();
  }
}
