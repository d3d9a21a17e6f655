import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// The built pages are package data of maskwright, served by `maskwright review`; in development they come from here
// and ask a server on port 8080.
export default defineConfig({
  plugins: [svelte()],
  base: "./",
  build: { outDir: "../src/maskwright/ui/static", emptyOutDir: true, target: "es2023", sourcemap: false },
  worker: { format: "es" },
  server: { proxy: { "/v1": { target: "http://127.0.0.1:8080", ws: true } } },
});
