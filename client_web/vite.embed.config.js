// <visavis-avatar> as one file without dependencies, in a folder that npm can publish: dist/embed.
import { defineConfig } from "vite";

export default defineConfig({
  publicDir: "package-avatar",
  build: {
    target: "es2022",
    outDir: "dist/embed",
    emptyOutDir: true,
    copyPublicDir: true,
    lib: { entry: "src/embed/visavis_avatar.ts", formats: ["es"], fileName: () => "visavis-avatar.js" },
  },
});
