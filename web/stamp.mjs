// What the built pages were made of, written beside them: `stamp.json` names every source that went into the bundle and
// every file that came out, each with its SHA-256. A test in Python (tests/test_ui.py) compares both with the checkout, so
// a bundle that is older than its sources, or half committed, is noticed where there is no node. Sources that the bundle
// does not reach (tests, pages for trying things) may change freely.
//
// `licences.txt` has the terms of the packages whose code is in the bundle.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(fileURLToPath(import.meta.url));
// What decides how sources become a bundle.
const ALWAYS = ["index.html", "package.json", "package-lock.json", "stamp.mjs", "svelte.config.js", "tsconfig.json", "vite.config.ts"];
const STAMP = "stamp.json";
const LICENCES = "licences.txt";

/** Make the plugins for `plugins` and for `worker.plugins`, whose bundles are made apart. */
export function stamp() {
  const modules = new Set();
  let folder = "";
  const gather = {
    name: "maskwright-gather",
    apply: "build",
    moduleParsed: ({ id }) => void modules.add(id.replace(/^\0/, "").split("?")[0]),
  };
  const write = {
    name: "maskwright-stamp",
    apply: "build",
    configResolved: ({ root, build }) => void (folder = resolve(root, build.outDir)),
    closeBundle: {
      order: "post",
      sequential: true,
      handler() {
        writeFileSync(join(folder, LICENCES), licencesOf(modules));
        const copied = filesUnder(join(ROOT, "public")).map((path) => `public/${path}`);
        const sources = [...ALWAYS, ...copied, ...[...modules].map(asSource).filter((path) => path !== null)];
        const built = filesUnder(folder).filter((path) => path !== STAMP);
        const facts = { sources: hashes(ROOT, sources), built: hashes(folder, built) };
        writeFileSync(join(folder, STAMP), `${JSON.stringify(facts, null, 1)}\n`);
      },
    },
  };
  return { page: [gather, write], worker: () => [gather] };
}

function asSource(id) {
  const path = relative(ROOT, id).split(sep).join("/");
  return path.startsWith("src/") && existsSync(id) ? path : null;
}

function hashes(folder, paths) {
  const sorted = [...new Set(paths)].sort();
  return Object.fromEntries(sorted.map((path) => [path, sha256(readFileSync(join(folder, path)))]));
}

const sha256 = (content) => createHash("sha256").update(content).digest("hex");

function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"));
}

function licencesOf(modules) {
  const folders = new Set([...modules].map(packageOf).filter((folder) => folder !== null));
  return [...folders].sort().map(termsOf).join("\n\n") + "\n";
}

function packageOf(id) {
  const found = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(id);
  return found === null ? null : found[1];
}

function termsOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  if (file === undefined) throw new Error(`${name} comes without its licence's text; it cannot be in the bundle as it is`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}`;
}
