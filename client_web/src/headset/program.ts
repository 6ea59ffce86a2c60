/** A small shader program beside the renderer's, in the same WebGL2 context; it leaves the renderer's arrays as they are. */
import { RenderError } from "../render/splat_renderer";

/** Texture unit that the renderer does not use. */
export const OWN_UNIT = 7;

export class Program<Name extends string> {
  readonly uniforms: Readonly<Record<Name, WebGLUniformLocation | null>>;
  private readonly program: WebGLProgram;
  /** Without attributes: vertices are told by their number. */
  private readonly array: WebGLVertexArrayObject;

  /** Raises `RenderError` where the driver cannot build it. */
  constructor(
    private readonly gl: WebGL2RenderingContext,
    vertex: string,
    fragment: string,
    names: readonly Name[],
  ) {
    this.program = gl.createProgram();
    this.array = gl.createVertexArray();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]] as const) {
      const shader = gl.createShader(kind);
      if (shader === null) break; // the context is lost
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
      gl.deleteShader(shader); // with the program
    }
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS) && !gl.isContextLost()) throw new RenderError("This browser's graphics driver cannot draw the room for a headset.");
    this.uniforms = Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(this.program, name)])) as Record<Name, WebGLUniformLocation | null>;
  }

  use(): void {
    this.gl.useProgram(this.program);
    this.gl.bindVertexArray(this.array);
  }

  done(): void {
    this.gl.bindVertexArray(null);
  }

  close(): void {
    this.gl.deleteVertexArray(this.array);
    this.gl.deleteProgram(this.program);
  }
}
