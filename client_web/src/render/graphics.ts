/** software: the browser draws with the processor. none: it has no WebGL 2. */
export type Graphics = "hardware" | "software" | "none";

const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;
let found: Graphics | null = null;

/** What this device draws with, as far as the browser says. */
export function graphics(): Graphics {
  return (found ??= look());
}

function look(): Graphics {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return "none";
  const seen = graphicsOf(gl);
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return seen;
}

/** The same of a context that is there already. */
export function graphicsOf(gl: WebGL2RenderingContext): Graphics {
  const detail = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(detail ? detail.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  return SOFTWARE.test(name) ? "software" : "hardware";
}
