/** The files of @mediapipe/face_mesh by the names that it asks for, at their addresses on our own server. */
import script from "@mediapipe/face_mesh/face_mesh.js?url";
import graph from "@mediapipe/face_mesh/face_mesh.binarypb?url";
import networks from "@mediapipe/face_mesh/face_mesh_solution_packed_assets.data?url";
import networksLoader from "@mediapipe/face_mesh/face_mesh_solution_packed_assets_loader.js?url";
import wasm from "@mediapipe/face_mesh/face_mesh_solution_simd_wasm_bin.wasm?url";
import wasmLoader from "virtual:face_mesh_loader";

export const FILES: Readonly<Record<string, string>> = {
  "face_mesh.js": script,
  "face_mesh.binarypb": graph,
  "face_mesh_solution_packed_assets.data": networks,
  "face_mesh_solution_packed_assets_loader.js": networksLoader,
  "face_mesh_solution_simd_wasm_bin.js": wasmLoader,
  "face_mesh_solution_simd_wasm_bin.wasm": wasm,
};
