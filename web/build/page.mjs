// Builds the one file of the viewer: dist/metadump-viewer.html, with binding and worker in it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { build, transformWithEsbuild } from "vite";

import { ordered } from "./order.mjs";

const web = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const binding = resolve(web, "../target/web/page");

/** Bundles one entry to a classic script; gives its code and styles. */
async function bundle(entry) {
  const [result] = [
    await build({
      root: web,
      configFile: false,
      logLevel: "warn",
      plugins: [svelte({ configFile: false })],
      resolve: {
        alias: {
          "metadump-wasm": resolve(binding, "metadump_wasm.js"),
          // The package gives its encoder away with the decoder, which is a quarter of it.
          "lzma1/lib/decoder": resolve(web, "node_modules/lzma1/lib/decoder.js"),
          "@noble/curves/ed25519": resolve(web, "src/io/x25519.ts"),
          "lzma1/lib/streams": resolve(web, "node_modules/lzma1/lib/streams.js"),
        },
      },
      build: {
        write: false,
        target: "es2022",
        modulePreload: false,
        cssCodeSplit: false,
        assetsInlineLimit: 1e9,
        lib: { entry: resolve(web, entry), formats: ["iife"], name: "metadump", fileName: "out" },
      },
      define: { "process.env.NODE_ENV": '"production"' },
    }),
  ].flat();
  const files = result.output;
  return {
    code: files.filter((file) => file.type === "chunk").map((file) => file.code).join("\n"),
    style: files
      .filter((file) => file.type === "asset" && file.fileName.endsWith(".css"))
      .map((file) => file.source)
      .join("\n"),
  };
}

/** What takes the binding apart: the same code puts it together in the page. */
async function streams() {
  const { code } = await transformWithEsbuild(await readFile(resolve(web, "src/io/streams.ts"), "utf8"), "streams.ts");
  return import(`data:text/javascript,${encodeURIComponent(code)}`);
}

const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const page = await bundle("src/main.ts");
const worker = await bundle("src/worker/worker.ts");
const loader = await bundle("src/loader.ts");
/** Packs bytes as xz does, whose way through them is 3 kB shorter than that of the package that unpacks them. */
function compress(bytes) {
  // Where a byte stands says nothing of what it is.
  const options = "dict=8MiB,lc=2,lp=0,pb=0,mf=bt4,nice=273,depth=2000";
  const { XZ_OPT: _, XZ_DEFAULTS: __, ...env } = process.env;
  const xz = spawnSync("xz", ["--format=lzma", "--compress", "--stdout", `--lzma1=${options}`], { input: bytes, env, maxBuffer: bytes.length });
  assert.equal(xz.status, 0, `xz has failed: ${xz.error ?? xz.stderr}`);
  // Behind the options stands how long it is, which xz does not know yet.
  xz.stdout.writeBigUInt64LE(BigInt(bytes.length), 5);
  return xz.stdout;
}

const wasm = await readFile(resolve(binding, "metadump_wasm_bg.wasm"));
const layout = await streams();
const module = ordered(wasm, layout);
const apart = layout.split(module);
assert.ok(module.equals(layout.join(apart)), "the module does not come together as it was");
/** Packed as LZMA, a quarter smaller than the gzip that browsers unpack themselves; as one, since page and worker share code. */
const parts = [Buffer.from(page.code), Buffer.from(worker.code), ...apart.streams];
const packed = compress(Buffer.concat(parts)).toString("base64");
const sizes = [apart.functions, ...parts.map(({ length }) => length)].join(" ");
// A script ends at its first end tag, also inside a string.
const script = loader.code.replaceAll("</script", "<\\/script");
// A server that hands out the page with a dump replaces 'none' behind connect-src by 'self'.
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)} ${hash(page.code)} 'wasm-unsafe-eval'`,
  `style-src ${hash(page.style)}`,
  "worker-src blob:",
  "connect-src 'none'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");
const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>metadump viewer</title>
<link rel="icon" href="data:,">
<style>${page.style}</style>
</head>
<body>
<div id="app"></div>
<noscript>The viewer reads dumps with JavaScript and WebAssembly, in this browser only.</noscript>
<script type="text/plain" id="metadump-packed" data-sizes="${sizes}">${packed}</script>
<script>${script}</script>
</body>
</html>
`;
const out = resolve(web, "dist/metadump-viewer.html");
// The command line has the page in it: an unchanged one does not make it out of date.
const written = await readFile(out, "utf8").catch(() => null);
if (written !== html) await writeFile(out, html);
const kib = (bytes) => `${(bytes / 1024).toFixed(0)} KiB`;
console.log(`${out}: ${kib(html.length)}, ${kib(gzipSync(html, { level: 9 }).length)} gzipped`);
