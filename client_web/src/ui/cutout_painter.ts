import { type Color, cutOut, FRAGMENT_SHADER, VERTEX_SHADER, withoutMask } from "../cutout";

/** Paints a frame of the video on a canvas; `masked`: whether it has a mask. `behind`: the colour behind the people, 0 to 255. */
export interface Painter {
  paint(video: HTMLVideoElement, masked: boolean, behind: Color): void;
}

/** By WebGL where the browser has it. */
export function painterFor(canvas: HTMLCanvasElement): Painter {
  return CardPainter.on(canvas) ?? new PlainPainter(canvas);
}

/** What browsers call WebGL that the processor imitates. */
const IMITATED = /swiftshader|llvmpipe|softpipe|software|basic render/i;

class CardPainter implements Painter {
  private constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly gl: WebGLRenderingContext,
    private readonly program: WebGLProgram,
    /** Where the video is painted first, if there is no card: reading it from there takes half of the time. */
    private readonly detour: CanvasRenderingContext2D | null,
  ) {}

  static on(canvas: HTMLCanvasElement): CardPainter | null {
    const gl = canvas.getContext("webgl", { alpha: true, antialias: false, depth: false });
    if (!gl) return null;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX_SHADER], [gl.FRAGMENT_SHADER, FRAGMENT_SHADER]] as const) {
      const shader = gl.createShader(kind);
      if (!shader) return null;
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
    gl.useProgram(program);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    const known = gl.getExtension("WEBGL_debug_renderer_info");
    const name = String(gl.getParameter(known ? known.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
    const detour = IMITATED.test(name) ? document.createElement("canvas").getContext("2d", { alpha: false }) : null;
    return new CardPainter(canvas, gl, program, detour);
  }

  paint(video: HTMLVideoElement, masked: boolean, behind: Color): void {
    const { canvas, detour, gl, program } = this;
    resize(canvas, video, masked);
    const place = (name: string): WebGLUniformLocation | null => gl.getUniformLocation(program, name);
    gl.viewport(0, 0, canvas.width, canvas.height);
    if (detour) {
      fit(detour.canvas, video.videoWidth, video.videoHeight);
      detour.drawImage(video, 0, 0);
    }
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, detour?.canvas ?? video);
    gl.uniform3f(place("behind"), behind[0] / 255, behind[1] / 255, behind[2] / 255);
    gl.uniform1f(place("row"), 0.75 / video.videoHeight);
    gl.uniform1i(place("masked"), Number(masked));
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}

class PlainPainter implements Painter {
  private readonly frame = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  private readonly context: CanvasRenderingContext2D | null;
  private out = new ImageData(1, 1);

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d");
  }

  paint(video: HTMLVideoElement, masked: boolean, behind: Color): void {
    const { canvas, context, frame } = this;
    if (!context || !frame) return;
    resize(canvas, video, masked);
    if (!masked) {
      context.drawImage(video, 0, 0);
      return;
    }
    const { width, height } = canvas;
    if (this.out.width !== width || this.out.height !== height) this.out = new ImageData(width, height);
    fit(frame.canvas, width, video.videoHeight);
    frame.drawImage(video, 0, 0);
    cutOut(frame.getImageData(0, 0, width, video.videoHeight).data, this.out.data, width, height, behind);
    context.putImageData(this.out, 0, 0);
  }
}

function resize(canvas: HTMLCanvasElement, { videoWidth, videoHeight }: HTMLVideoElement, masked: boolean): void {
  fit(canvas, videoWidth, masked ? withoutMask(videoHeight) : videoHeight);
}

/** Setting a canvas's size empties it, even to the same. */
function fit(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
