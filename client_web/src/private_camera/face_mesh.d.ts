declare module "virtual:face_mesh_loader" {
  /** Address of the loader of the package's WebAssembly: see build/face_mesh.js. */
  const address: string;
  export default address;
}
