// The loader of @mediapipe/face_mesh's WebAssembly as a file of the page, changed so that it makes no functions out of text.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { withoutEval } from "./without_eval.js";

const IMPORTED = "virtual:face_mesh_loader";
const NAME = "face_mesh_solution_simd_wasm_bin.js";
const IN_DEVELOPMENT = `/@face_mesh/${NAME}`;

/** Gives `virtual:face_mesh_loader`, whose default export is the file's address. */
export function faceMeshLoader() {
  let serves = false;
  const text = () => withoutEval(readFileSync(createRequire(import.meta.url).resolve(`@mediapipe/face_mesh/${NAME}`), "utf8"));
  return {
    name: "face_mesh_loader",
    configResolved(config) {
      serves = config.command === "serve";
    },
    configureServer(server) {
      server.middlewares.use(IN_DEVELOPMENT, (_, response) => response.setHeader("content-type", "text/javascript").end(text()));
    },
    resolveId(id) {
      return id === IMPORTED ? `\0${IMPORTED}` : undefined;
    },
    load(id) {
      if (id !== `\0${IMPORTED}`) return undefined;
      if (serves) return `export default ${JSON.stringify(IN_DEVELOPMENT)}`;
      const file = this.emitFile({ type: "asset", name: NAME, source: text() });
      return `export default import.meta.ROLLUP_FILE_URL_${file}`;
    },
  };
}
