// How fast a dump is read: by the command line, by the binding in node with one worker and with
// two, in the page, and by JSON.parse for each line, in node and in Chromium.
// Usage: node tests/web/bench.mjs DUMP
import { spawnSync } from "node:child_process";
import { closeSync, createReadStream, openSync, readSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";

import { open, repo, start } from "./browser.mjs";

const require = createRequire(import.meta.url);
const { Abridging, Opening } = require(join(repo, "target/web/node/metadump_wasm.js"));
const PIECE_BYTES = 1 << 20;
const PART_BYTES = 16 << 20;
const AFTER_PART_BYTES = 16 << 10;
const RUNS = 3;

/** Feeds a range of a file; `feed` says whether it wants more. */
function read(file, from, to, feed, pieceBytes = PIECE_BYTES) {
  const piece = new Uint8Array(pieceBytes);
  for (let at = from; at < to; ) {
    const length = readSync(file, piece, 0, Math.min(pieceBytes, to - at), at);
    at += length;
    if (!feed(piece.subarray(0, length))) return;
  }
}

function scan(file, size, { from, to }) {
  const abridging = new Abridging(from, to);
  let wanted = true;
  const feed = (piece) => (wanted = abridging.feed(piece));
  read(file, abridging.readsFrom, to, feed);
  if (wanted) read(file, to, size, feed, AFTER_PART_BYTES);
  return abridging.finish();
}

if (!isMainThread) {
  const file = openSync(workerData.path, "r");
  parentPort.on("message", (part) => {
    const scanned = scan(file, workerData.size, part);
    const [lines, hashes] = [scanned.takeLines(), scanned.hashes];
    parentPort.postMessage({ lines, hashes }, [lines.buffer, hashes.buffer]);
  });
} else {
  await bench(process.argv[2]);
}

async function bench(path) {
  if (!path) throw new Error("usage: node tests/web/bench.mjs DUMP");
  const size = statSync(path).size;
  const metactl = process.env.METACTL ?? join(repo, "target/release/databend-metactl");
  const validate = (...more) => spawnSync(metactl, ["validate", "--format", "json", ...more, path], { stdio: "ignore" });

  const one = () => {
    const file = openSync(path, "r");
    const opening = new Opening(undefined);
    read(file, 0, size, (piece) => (opening.feed(piece), true));
    opening.end();
    opening.finish();
    closeSync(file);
  };

  const workers = Array.from({ length: 2 }, () => new Worker(fileURLToPath(import.meta.url), { workerData: { path, size } }));
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("online", resolve))));
  const waiting = new Map(workers.map((worker) => [worker, []]));
  for (const worker of workers) worker.on("message", (part) => waiting.get(worker).shift()(part));
  const scanned = (worker, part) =>
    new Promise((resolve) => {
      waiting.get(worker).push(resolve);
      worker.postMessage(part);
    });
  const two = async () => {
    const opening = new Opening(undefined);
    const ahead = [];
    const feed = ({ lines, hashes }) => opening.feedAbridged(lines, hashes);
    for (let from = 0, at = 0; from < size; from += PART_BYTES, at++) {
      ahead.push(scanned(workers[at % workers.length], { from, to: Math.min(from + PART_BYTES, size) }));
      if (ahead.length === 4 * workers.length) feed(await ahead.shift());
    }
    for (const part of ahead) feed(await part);
    opening.end();
    opening.finish();
  };

  const { browser, tab } = await start();
  const firstRows = [];
  const page = async () => {
    await tab.reload();
    await open(tab, path);
    // What the page itself measured: the test's own waiting does not count.
    const measured = tab.locator("[data-seconds]");
    firstRows.push(Number(await measured.getAttribute("data-first-rows-ms")));
    return Number(await measured.getAttribute("data-seconds"));
  };
  const plain = await browser.newPage();
  await plain.setContent('<input type="file">');
  await plain.setInputFiles("input", path);
  const parseInPage = () =>
    plain.evaluate(async () => {
      const from = performance.now();
      let rest = "";
      const [file] = document.querySelector("input").files;
      for await (const piece of file.stream().pipeThrough(new TextDecoderStream())) {
        const lines = (rest + piece).split("\n");
        rest = lines.pop();
        for (const line of lines) JSON.parse(line);
      }
      return (performance.now() - from) / 1000;
    });
  const parse = async () => {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) JSON.parse(line);
  };

  const jobs = {
    "databend-metactl, one thread": () => validate("--threads", "1"),
    "databend-metactl, all cores": () => validate(),
    "binding in node, one worker": one,
    "binding in node, two workers": two,
    "the page in Chromium": page,
    "JSON.parse per line in node": parse,
    "JSON.parse per line in Chromium": parseInPage,
  };
  /** What a job is compared with: the same engine's JSON.parse. */
  const peer = (name) => `JSON.parse per line in ${name.endsWith("Chromium") ? "Chromium" : "node"}`;
  const took = Object.fromEntries(Object.keys(jobs).map((name) => [name, []]));
  // Rounds interleave; the first one only warms caches and compilers.
  for (let round = 0; round <= RUNS; round++) {
    for (const [name, job] of Object.entries(jobs)) {
      const from = performance.now();
      const own = await job();
      const seconds = typeof own === "number" ? own : (performance.now() - from) / 1000;
      if (round > 0) took[name].push(seconds);
    }
  }
  await browser.close();
  await Promise.all(workers.map((worker) => worker.terminate()));

  const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
  console.log(`a dump of ${(size / 1e6).toFixed(0)} MB, medians of ${RUNS} runs`);
  console.log(`first rows in the page after ${median(firstRows).toFixed(0)} ms`);
  for (const [name, values] of Object.entries(took)) {
    const seconds = median(values);
    const figures = [`${seconds.toFixed(2)} s`, `${(size / seconds / 1e9).toFixed(2)} GB/s`, `${(median(took[peer(name)]) / seconds).toFixed(1)} × JSON.parse`];
    console.log(name.padEnd(32) + figures.map((text) => text.padStart(18)).join(""));
  }
}
