/** Draws the Gaussians of several avatars into a WebGL2 canvas, transparent where nothing is. */
import type { Camera } from "./camera";
import { FRAGMENT, ROW, VERTEX } from "./shaders";
import type { Level } from "./web_avatar";

/** An avatar to draw. `triangles`: how many frames it has. */
export interface Drawn {
  level: Level;
  triangles: number;
}

/** A machine that cannot draw avatars. The message is a sentence for people. */
export class RenderError extends Error {}

const TEXTURES = ["frames", "placed", "turned", "sized", "tinted"] as const;
const UNIFORMS = ["turn", "shift", "lens", "size"] as const;

export class SplatRenderer {
  private readonly gl: WebGL2RenderingContext;
  private uniforms!: Record<(typeof UNIFORMS)[number], WebGLUniformLocation | null>;
  private textures: Partial<Record<(typeof TEXTURES)[number], WebGLTexture>> = {};
  private indices: WebGLBuffer | null = null;
  private avatars: readonly Drawn[] = [];
  private count = 0;
  /** Frames of all avatars as they go to the GPU: whole rows of texels. */
  private staged = new Float32Array(0);
  private readonly turn = new Float32Array(9);

  /** Raises `RenderError` where there is no WebGL2. keep: the picture can be read after it was shown. */
  constructor(canvas: HTMLCanvasElement | OffscreenCanvas, { keep = false } = {}) {
    const wanted = { antialias: false, depth: false, stencil: false, alpha: true, premultipliedAlpha: true, preserveDrawingBuffer: keep, powerPreference: "high-performance" } as const;
    const gl = canvas.getContext("webgl2", wanted) as WebGL2RenderingContext | null;
    if (gl === null) throw new RenderError("This browser cannot draw avatars itself: it has no WebGL 2.");
    this.gl = gl;
    this.build();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.textures = {};
      this.build();
      this.load(this.avatars);
      this.restored();
    });
  }

  /** Called when everything is there again after the GPU was lost: draw. */
  restored: () => void = () => undefined;

  /** Takes these avatars and no others. Raises `RenderError` when they are too large for this machine. */
  load(avatars: readonly Drawn[]): void {
    const { gl } = this;
    this.avatars = avatars;
    this.count = avatars.reduce((sum, { level }) => sum + level.count, 0);
    const rows = Math.max(1, Math.ceil(this.count / ROW));
    const triangles = avatars.reduce((sum, avatar) => sum + avatar.triangles, 0);
    const frameRows = Math.max(1, Math.ceil((2 * triangles) / ROW));
    if (Math.max(rows, frameRows) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) throw new RenderError("These avatars are too large for this machine: let fewer people in, or let the server draw.");
    const [placed, turned, sized] = [0, 1, 2].map(() => new Float32Array(4 * rows * ROW)) as [Float32Array, Float32Array, Float32Array];
    const tinted = new Uint8Array(4 * rows * ROW);
    let [at, first] = [0, 0];
    for (const { level, triangles: own } of avatars) {
      for (let n = 0; n < level.count; n++, at++) {
        placed.set([level.means[3 * n]!, level.means[3 * n + 1]!, level.means[3 * n + 2]!, first + level.triangle[n]!], 4 * at);
        sized.set([level.scales[3 * n]!, level.scales[3 * n + 1]!, level.scales[3 * n + 2]!, level.opacities[n]!], 4 * at);
        tinted.set([level.colors[3 * n]!, level.colors[3 * n + 1]!, level.colors[3 * n + 2]!, 255], 4 * at);
      }
      turned.set(level.rotations, 4 * (at - level.count));
      first += own;
    }
    this.staged = new Float32Array(4 * frameRows * ROW);
    this.texture("frames", gl.RGBA32F, gl.FLOAT, frameRows, this.staged);
    this.texture("placed", gl.RGBA32F, gl.FLOAT, rows, placed);
    this.texture("turned", gl.RGBA32F, gl.FLOAT, rows, turned);
    this.texture("sized", gl.RGBA32F, gl.FLOAT, rows, sized);
    this.texture("tinted", gl.RGBA8, gl.UNSIGNED_BYTE, rows, tinted);
    gl.bufferData(gl.ARRAY_BUFFER, 4 * this.count, gl.DYNAMIC_DRAW);
  }

  /** frames: (F, 8) of each avatar (`Rig`). order: of `DepthOrder`; the one before stays when left out. */
  draw(camera: Camera, frames: readonly Float32Array[], order?: Uint32Array): void {
    const { gl, uniforms, staged } = this;
    if (gl.isContextLost()) return;
    let at = 0;
    for (const own of frames) {
      staged.set(own, at);
      at += own.length;
    }
    const rows = Math.max(1, Math.ceil(at / (4 * ROW)));
    gl.activeTexture(gl.TEXTURE0 + TEXTURES.indexOf("frames"));
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, ROW, rows, gl.RGBA, gl.FLOAT, staged);
    if (order !== undefined) gl.bufferSubData(gl.ARRAY_BUFFER, 0, order);
    const m = camera.worldToCamera;
    for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) this.turn[3 * j + i] = m[4 * i + j]!;
    gl.viewport(0, 0, camera.width, camera.height);
    gl.uniformMatrix3fv(uniforms.turn, false, this.turn);
    gl.uniform3f(uniforms.shift, m[3]!, m[7]!, m[11]!);
    gl.uniform4f(uniforms.lens, camera.fx, camera.fy, camera.cx, camera.cy);
    gl.uniform2f(uniforms.size, camera.width, camera.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.count);
  }

  /** Gives the GPU's memory back. */
  close(): void {
    for (const texture of Object.values(this.textures)) this.gl.deleteTexture(texture);
    this.gl.deleteBuffer(this.indices);
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  private build(): void {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
      const shader = gl.createShader(kind);
      if (shader === null) return; // the context is lost; it is built again when it comes back
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new RenderError("This browser's graphics driver cannot draw avatars: let the server draw.");
    gl.useProgram(program);
    this.uniforms = Object.fromEntries(UNIFORMS.map((name) => [name, gl.getUniformLocation(program, name)])) as typeof this.uniforms;
    TEXTURES.forEach((name, unit) => gl.uniform1i(gl.getUniformLocation(program, name), unit));
    this.indices = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.indices);
    const which = gl.getAttribLocation(program, "which");
    gl.enableVertexAttribArray(which);
    gl.vertexAttribIPointer(which, 1, gl.UNSIGNED_INT, 0, 0);
    gl.vertexAttribDivisor(which, 1);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  private texture(name: (typeof TEXTURES)[number], internal: number, type: number, rows: number, data: ArrayBufferView): void {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + TEXTURES.indexOf(name));
    gl.deleteTexture(this.textures[name] ?? null);
    const texture = gl.createTexture();
    if (texture !== null) this.textures[name] = texture;
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.texImage2D(gl.TEXTURE_2D, 0, internal, ROW, rows, 0, gl.RGBA, type, data);
  }
}
