// What a user waits for in the page: a step of the moment's slider, the first rows of a packed dump, and first
// rows, whole reading, search and memory of a large one, also of another build of the page.
// Usage: node tests/web/figures.mjs DUMP [OTHER-PAGE.html]
//        A dump of V004 with a log of 1,000 entries or more, as generate-dump makes it.
import { spawnSync } from "node:child_process";
import { createReadStream, createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { finished } from "node:stream/promises";
import { pathToFileURL } from "node:url";

import { open, page, start } from "./browser.mjs";

const ENTRIES = 1000;
const RUNS = 3;
const dump = process.argv[2];
if (!dump) throw new Error("usage: node tests/web/figures.mjs DUMP [OTHER-PAGE.html]");
const others = process.argv.slice(3).map((path) => ["the other page", pathToFileURL(path).href]);
const place = mkdtempSync(join(process.env.TMPDIR ?? tmpdir(), "metadump-figures-"));
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const ms = (values) => `${median(values).toFixed(0)} ms, at most ${Math.max(...values).toFixed(0)} ms`;

/** The dump as one whose snapshot lacks the last entries of its log. */
async function behind(path) {
  let index = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (line.startsWith('["raft_log",{"LogEntry"')) ({ index } = JSON.parse(line)[1].LogEntry.log_id);
    else if (line.startsWith('["state_machine')) break;
  }
  const out = createWriteStream(join(place, "behind.ndjson"));
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const made = line.includes('"LastApplied"') ? line.replace(/"index":\d+/, `"index":${index - ENTRIES}`) : line;
    if (!out.write(`${made}\n`)) await new Promise((resolve) => out.once("drain", resolve));
  }
  await finished(out.end());
  return out.path;
}

/** How long steps of the slider take until the page shows their moment. */
async function slider(path) {
  const { browser, tab } = await start();
  await open(tab, path);
  await tab.keyboard.press("2");
  await tab.getByRole("slider").waitFor();
  const took = await tab.evaluate(async (steps) => {
    const took = [];
    for (const at of steps) {
      const range = document.querySelector("input[type=range]");
      const status = document.querySelector(".moment [role=status]");
      const before = status.textContent;
      const from = performance.now();
      const shown = new Promise((resolve) => {
        const seen = new MutationObserver(() => {
          if (status.textContent === before || status.textContent.startsWith("Putting")) return;
          seen.disconnect();
          requestAnimationFrame(() => resolve(performance.now()));
        });
        seen.observe(status, { subtree: true, childList: true, characterData: true });
      });
      range.value = String(at);
      range.dispatchEvent(new Event("change", { bubbles: true }));
      took.push((await shown) - from);
    }
    return took;
  }, [999, 998, 500, 501, 1, 2, 750, 0, 1000, 333]);
  await browser.close();
  return took;
}

/** When a packed dump shows its first rows. */
async function packedRows(path) {
  const took = [];
  for (let run = 0; run < RUNS; run++) {
    const { browser, tab } = await start();
    await tab.locator("input[type=file]").first().setInputFiles(path);
    await tab.getByText(/unpacking/).first().waitFor();
    await tab.keyboard.press("6");
    await tab.getByRole("gridcell").first().waitFor();
    await tab.getByText(/The dump has been read\./).waitFor({ state: "attached" });
    await tab.keyboard.press("1");
    took.push(Number(await tab.locator("[data-seconds]").getAttribute("data-first-rows-ms")));
    await browser.close();
  }
  return took;
}

/** First rows, whole reading, search and the memory of the tab, in a page. */
async function large(of, path) {
  const { browser, tab } = await start();
  await tab.goto(of);
  const session = await browser.newBrowserCDPSession();
  let most = 0;
  const measure = async () => {
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    for (const { type, id } of processInfo) {
      const status = type === "renderer" && existsSync(`/proc/${id}/status`) ? readFileSync(`/proc/${id}/status`, "utf8") : "";
      most = Math.max(most, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
    }
  };
  await open(tab, path);
  await measure();
  const measured = tab.locator("[data-seconds]");
  const [firstRows, whole] = [Number(await measured.getAttribute("data-first-rows-ms")), Number(await measured.getAttribute("data-seconds"))];
  await tab.keyboard.press("/");
  await tab.getByLabel("How to search").selectOption("substring");
  const from = performance.now();
  await tab.getByRole("searchbox").first().fill("no such text");
  await tab.keyboard.press("Enter");
  await tab.getByText(/^0 hits/).waitFor();
  const search = performance.now() - from;
  await measure();
  await browser.close();
  return { firstRows, whole, search, most };
}

const size = (path) => `${(statSync(path).size / 1e6).toFixed(0)} MB`;
console.log(`${cpus().length} × ${cpus()[0].model}, node ${process.version}`);
if (statSync(dump).size < 500e6) {
  const path = await behind(dump);
  console.log(`a step of the slider, ${size(path)}, ${ENTRIES} entries behind the snapshot: ${ms(await slider(path))}`);
} else {
  for (const [name, ...args] of [["gz", "gzip", "-1", "-k", "-c"], ["zst", "zstd", "-3", "-c"]]) {
    const path = join(place, `packed.ndjson.${name}`);
    const ran = spawnSync("sh", ["-c", `${args.join(" ")} "$0" > "$1"`, dump, path]);
    if (ran.status === 0) console.log(`first rows of a packed one, ${size(path)} .${name} of ${size(dump)}: ${ms(await packedRows(path))}`);
  }
  const pages = [["this page", page], ...others];
  const took = new Map(pages.map(([name]) => [name, []]));
  // Rounds interleave; the first one only warms caches.
  for (let round = 0; round <= RUNS; round++) {
    for (const [name, of] of pages) {
      const figures = await large(of, dump);
      if (round > 0) took.get(name).push(figures);
    }
  }
  for (const [name, figures] of took) {
    const of = (what) => median(figures.map((one) => one[what]));
    console.log(`${name}, ${size(dump)}: first rows ${of("firstRows").toFixed(0)} ms, whole ${of("whole").toFixed(2)} s, search ${of("search").toFixed(0)} ms, memory ${of("most").toFixed(0)} MB`);
  }
}
rmSync(place, { recursive: true });
