/** Draws the Gaussians of several avatars with WebGL2, transparent where nothing is. */
import type { Camera } from "./camera";
import { type Rigid, times } from "./rigid";
import { FRAGMENT, MOST_AVATARS, ROW, VERTEX } from "./shaders";
import type { Level } from "./web_avatar";

/** An avatar to draw. `triangles`: how many frames it has. */
export interface Drawn {
  level: Level;
  triangles: number;
}

/** One picture of a drawing: what a camera sees, in the part of the framebuffer whose lower left corner is at (x, y), pixels. */
export interface Eye {
  camera: Camera;
  x: number;
  y: number;
}

/**
 * Where pictures go: null is the canvas. clear: whether what was there goes first. again: frames and order are those of the last
 * drawing.
 */
export interface Target {
  framebuffer: WebGLFramebuffer | null;
  clear: boolean;
  again?: boolean;
}

/** A machine that cannot draw avatars. The message is a sentence for people. */
export class RenderError extends Error {}

const CANVAS: Target = { framebuffer: null, clear: true };
const TEXTURES = ["order", "frames", "placed", "turned", "sized", "tinted"] as const;
const UNIFORMS = ["views", "lens", "size"] as const;

export class SplatRenderer {
  /** For whoever makes framebuffers of its own, as a headset does. */
  readonly gl: WebGL2RenderingContext;
  private program: WebGLProgram | null = null;
  private uniforms!: Record<(typeof UNIFORMS)[number], WebGLUniformLocation | null>;
  private textures: Partial<Record<(typeof TEXTURES)[number], WebGLTexture>> = {};
  private indices: WebGLBuffer | null = null;
  private avatars: readonly Drawn[] = [];
  private count = 0;
  /** Frames of all avatars as they go to the GPU: whole rows of texels. */
  private staged = new Float32Array(0);
  private stagedOrder = new Uint32Array(0);
  private readonly views = new Float32Array(12 * MOST_AVATARS);
  private fence: WebGLSync | null = null;

  /** Raises `RenderError` where there is no WebGL2. keep: the picture can be read after it was shown. */
  constructor(canvas: HTMLCanvasElement | OffscreenCanvas, { keep = false } = {}) {
    const wanted = { antialias: false, depth: false, stencil: false, alpha: true, premultipliedAlpha: true, preserveDrawingBuffer: keep, powerPreference: "high-performance" } as const;
    const gl = canvas.getContext("webgl2", wanted) as WebGL2RenderingContext | null;
    if (gl === null) throw new RenderError("This browser cannot draw avatars itself: it has no WebGL 2.");
    this.gl = gl;
    this.build();
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault(); // asks for it to come back
      this.lost();
    });
    canvas.addEventListener("webglcontextrestored", () => {
      this.textures = {};
      this.build();
      this.load(this.avatars);
      this.restored();
    });
  }

  /** Called when the GPU is lost: nothing is drawn until `restored`. */
  lost: () => void = () => undefined;
  /** Called when everything is there again after the GPU was lost: draw. */
  restored: () => void = () => undefined;

  /** Draws nothing once, so that the driver makes its programs now and not with the first picture. Before `load`. */
  warm(): void {
    const { gl } = this;
    if (gl.isContextLost()) return;
    this.load([]);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, quads(1), gl.STATIC_DRAW);
    gl.drawElements(gl.TRIANGLES, 6, gl.UNSIGNED_INT, 0);
    gl.flush();
  }

  /** Takes these avatars and no others. Raises `RenderError` when they are too large for this machine. */
  load(avatars: readonly Drawn[]): void {
    const { gl } = this;
    this.avatars = avatars;
    this.count = avatars.reduce((sum, { level }) => sum + level.count, 0);
    const rows = Math.max(1, Math.ceil(this.count / ROW));
    const triangles = avatars.reduce((sum, avatar) => sum + avatar.triangles, 0);
    const frameRows = Math.max(1, Math.ceil((2 * triangles) / ROW));
    const most = gl.isContextLost() ? Infinity : (gl.getParameter(gl.MAX_TEXTURE_SIZE) as number);
    if (avatars.length > MOST_AVATARS || Math.max(rows, frameRows) > most) throw new RenderError("These avatars are too large for this machine: let fewer people in, or let the server draw.");
    const [placed, turned, sized] = [0, 1, 2].map(() => new Float32Array(4 * rows * ROW)) as [Float32Array, Float32Array, Float32Array];
    const tinted = new Uint8Array(4 * rows * ROW);
    let [at, first] = [0, 0];
    avatars.forEach(({ level, triangles: own }, avatar) => {
      turned.set(level.rotations, 4 * at);
      for (let n = 0; n < level.count; n++, at++) {
        for (let i = 0; i < 3; i++) {
          placed[4 * at + i] = level.means[3 * n + i]!;
          sized[4 * at + i] = level.scales[3 * n + i]!;
          tinted[4 * at + i] = level.colors[3 * n + i]!;
        }
        placed[4 * at + 3] = first + level.triangle[n]!;
        sized[4 * at + 3] = level.opacities[n]!;
        tinted[4 * at + 3] = avatar;
      }
      first += own;
    });
    this.staged = new Float32Array(4 * frameRows * ROW);
    this.stagedOrder = new Uint32Array(rows * ROW);
    this.texture("order", gl.R32UI, gl.RED_INTEGER, gl.UNSIGNED_INT, rows, this.stagedOrder);
    this.texture("frames", gl.RGBA32F, gl.RGBA, gl.FLOAT, frameRows, this.staged);
    this.texture("placed", gl.RGBA32F, gl.RGBA, gl.FLOAT, rows, placed);
    this.texture("turned", gl.RGBA32F, gl.RGBA, gl.FLOAT, rows, turned);
    this.texture("sized", gl.RGBA32F, gl.RGBA, gl.FLOAT, rows, sized);
    this.texture("tinted", gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, rows, tinted);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.indices);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, quads(this.count), gl.STATIC_DRAW);
  }

  /**
   * Draws the avatars for each eye, with one order for all of them: that of a point between them.
   * frames: (F, 8) of each avatar (`Rig`), of those that were loaded. transforms: of each, avatar space -> the cameras' world.
   * order: of `DepthOrder`; what it leaves out is not drawn.
   */
  draw(eyes: readonly Eye[], frames: readonly Float32Array[], transforms: readonly Rigid[], order: Uint32Array, { framebuffer, clear, again = false } = CANVAS): void {
    const { gl, uniforms, views } = this;
    if (gl.isContextLost()) return;
    gl.useProgram(this.program); // others may draw in this context too
    if (!again) this.upload(frames, order);
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.clearColor(0, 0, 0, 0);
    if (clear) gl.clear(gl.COLOR_BUFFER_BIT);
    for (const { camera, x, y } of eyes) {
      transforms.forEach((transform, avatar) => {
        const m = times(camera.worldToCamera, transform);
        for (let i = 0; i < 3; i++) for (let j = 0; j < 4; j++) views[12 * avatar + 3 * j + i] = m[4 * i + j]!;
      });
      gl.viewport(x, y, camera.width, camera.height);
      gl.uniformMatrix4x3fv(uniforms.views, false, views);
      gl.uniform4f(uniforms.lens, camera.fx, camera.fy, camera.cx, camera.cy);
      gl.uniform2f(uniforms.size, camera.width, camera.height);
      gl.drawElements(gl.TRIANGLES, 6 * order.length, gl.UNSIGNED_INT, 0);
    }
  }

  /** Remembers what was drawn so far, for `isBusy`. */
  mark(): void {
    const { gl } = this;
    gl.deleteSync(this.fence);
    this.fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
  }

  /** Whether what was there at the last `mark` is still being drawn: another picture would wait behind it, and this thread too. */
  get isBusy(): boolean {
    const { gl, fence } = this;
    return fence !== null && !gl.isContextLost() && gl.getSyncParameter(fence, gl.SYNC_STATUS) === gl.UNSIGNALED;
  }

  private upload(frames: readonly Float32Array[], order: Uint32Array): void {
    const { gl, staged, stagedOrder } = this;
    let at = 0;
    for (const own of frames) {
      staged.set(own, at);
      at += own.length;
    }
    const rows = Math.max(1, Math.ceil(at / (4 * ROW)));
    gl.activeTexture(gl.TEXTURE0 + TEXTURES.indexOf("frames"));
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, ROW, rows, gl.RGBA, gl.FLOAT, staged);
    stagedOrder.set(order);
    gl.activeTexture(gl.TEXTURE0 + TEXTURES.indexOf("order"));
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, ROW, Math.ceil(order.length / ROW), gl.RED_INTEGER, gl.UNSIGNED_INT, stagedOrder);
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
    this.program = program;
    this.uniforms = Object.fromEntries(UNIFORMS.map((name) => [name, gl.getUniformLocation(program, name)])) as typeof this.uniforms;
    TEXTURES.forEach((name, unit) => gl.uniform1i(gl.getUniformLocation(program, name), unit));
    this.indices = gl.createBuffer();
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  private texture(name: (typeof TEXTURES)[number], internal: number, format: number, type: number, rows: number, data: ArrayBufferView): void {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + TEXTURES.indexOf(name));
    gl.deleteTexture(this.textures[name] ?? null);
    const texture = gl.createTexture();
    if (texture !== null) this.textures[name] = texture;
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.texImage2D(gl.TEXTURE_2D, 0, internal, ROW, rows, 0, format, type, data);
  }
}

/** Two triangles for each Gaussian, of its four vertices. */
function quads(count: number): Uint32Array {
  const indices = new Uint32Array(6 * count);
  for (let n = 0, i = 0, v = 0; n < count; n++, v += 4) for (const corner of [0, 1, 2, 2, 1, 3]) indices[i++] = v + corner;
  return indices;
}
