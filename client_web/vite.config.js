// In development (`npm run dev`) the WebSocket goes to the server of `visavis serve` or `make run`; name another with VISAVIS_SERVER.
import { defineConfig } from "vite";
import { faceMeshLoader } from "./build/face_mesh.js";

const server = process.env.VISAVIS_SERVER ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [faceMeshLoader()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // every file by its own address: a strict content security policy needs no `data:`
  },
  server: { proxy: { "/ws": { target: server, ws: true }, "/avatars": { target: server }, "/web-avatars": { target: server }, "/api": { target: server } } },
  test: { include: ["src/**/*.test.ts"], isolate: false }, // a process for each file costs more than all tests
});
