/**
 * Builds src/mainstem/serve/static from web/src, with a manifest of SHA-256 sums: of each asset, and
 * of each source that went into it. `--tests` builds the unit tests into .build/ instead,
 * `--check` builds in memory and compares with what is committed.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../src/mainstem/serve/static");
const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");

async function filesOf(folder) {
  const entries = await readdir(join(here, folder), { withFileTypes: true });
  const nested = entries.map((entry) => (entry.isDirectory() ? filesOf(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]));
  return (await Promise.all(nested)).flat().sort();
}

async function bundle(entry, extra = {}) {
  const made = await build({
    entryPoints: [join(here, entry)],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: ["chrome117", "firefox121", "safari17"],
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
    absWorkingDir: here,
    ...extra,
  });
  return Buffer.from(made.outputFiles[0].contents);
}

const read = (name) => readFile(join(here, "src", name), "utf8");
const fill = (text, values) => text.replace(/\{\{(\w+)\}\}/g, (whole, name) => values[name] ?? whole);

async function assets() {
  const js = await bundle("src/main.ts");
  const css = await bundle("src/app.css");
  if (/<\/(script|style)/i.test(js.toString() + css.toString())) throw new Error("an asset would end its own element in the exported file");
  const frame = (await read("frame.html")).trimEnd();
  const index = fill(await read("index.html"), { js: sha(js).slice(0, 12), css: sha(css).slice(0, 12), frame });
  const exported = fill(await read("export.html"), { frame: frame.replaceAll('href="/"', 'href="#"') });
  return {
    "app.css": css,
    "app.js": js,
    "export.html.tmpl": Buffer.from(exported),
    "icon.svg": Buffer.from(await read("icon.svg")),
    "index.html": Buffer.from(index),
  };
}

async function manifest(made) {
  const sources = ["build.mjs", "package-lock.json", "package.json", "tsconfig.json", ...(await filesOf("src"))].sort();
  const sums = {};
  for (const name of sources) sums[name] = sha(await readFile(join(here, name)));
  const built = Object.fromEntries(Object.entries(made).map(([name, bytes]) => [name, sha(bytes)]));
  return Buffer.from(`${JSON.stringify({ assets: built, sources: sums }, null, 2)}\n`);
}

async function tests() {
  await rm(join(here, ".build"), { recursive: true, force: true });
  const entryPoints = (await filesOf("test")).filter((name) => name.endsWith(".test.ts")).map((name) => join(here, name));
  await build({ entryPoints, bundle: true, platform: "node", format: "esm", outdir: join(here, ".build"), outExtension: { ".js": ".mjs" }, logLevel: "warning" });
}

async function main() {
  if (process.argv.includes("--tests")) return tests();
  const made = await assets();
  made["manifest.json"] = await manifest(made);
  if (process.argv.includes("--check")) {
    for (const [name, bytes] of Object.entries(made)) {
      const there = await readFile(join(target, name)).catch(() => Buffer.alloc(0));
      if (!bytes.equals(there)) throw new Error(`${name} is not what the sources build: run "npm run build" in web/`);
    }
    return;
  }
  await mkdir(target, { recursive: true });
  for (const [name, bytes] of Object.entries(made)) {
    await writeFile(join(target, name), bytes);
    process.stdout.write(`${name.padEnd(18)} ${bytes.length} bytes, ${gzipSync(bytes).length} gzip\n`);
  }
}

await main();
