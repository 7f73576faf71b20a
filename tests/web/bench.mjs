// How fast a dump is read: in the page, by the command line, and by JSON.parse for each line.
// Usage: node tests/web/bench.mjs DUMP
import { spawnSync } from "node:child_process";
import { createReadStream, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { open, repo, start } from "./browser.mjs";

const dump = process.argv[2];
if (!dump) throw new Error("usage: node tests/web/bench.mjs DUMP");
const bytes = statSync(dump).size;
const metactl = process.env.METACTL ?? join(repo, "target/release/databend-metactl");
const show = (what, seconds) =>
  console.log(`${what.padEnd(22)} ${seconds.toFixed(2).padStart(8)} s ${(bytes / seconds / 1e9).toFixed(3).padStart(8)} GB/s`);
const since = (from) => (performance.now() - from) / 1000;

let from = performance.now();
spawnSync(metactl, ["validate", "--format", "json", dump], { stdio: "ignore" });
show("databend-metactl", since(from));

const { browser, tab } = await start();
from = performance.now();
await open(tab, dump);
show("the page", since(from));
await browser.close();

from = performance.now();
for await (const line of createInterface({ input: createReadStream(dump), crlfDelay: Infinity })) JSON.parse(line);
show("JSON.parse per line", since(from));
