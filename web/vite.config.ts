import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { stamp } from "./stamp.mjs";

// The built pages are package data of maskwright, committed so that installing needs no node, and served by
// `maskwright review`; in development they come from here and ask a server on port 8080.
const stamps = stamp();

export default defineConfig({
  plugins: [svelte(), ...stamps.page],
  base: "./",
  build: { outDir: "../src/maskwright/ui/static", emptyOutDir: true, target: "es2023", sourcemap: false },
  worker: { format: "es", plugins: stamps.worker },
  // A test that is slow is no wrong one; benchmarks tell how slow.
  test: { testTimeout: 60_000 },
  server: { proxy: { "/v1": { target: "http://127.0.0.1:8080", ws: true } } },
});
