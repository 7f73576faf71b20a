// Dumps past 2^31 and 2^32 bytes: a Blob of repeated parts needs neither disk nor memory.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { start } from "../browser.mjs";

const MOST_TAB_BYTES = 500e6;
const PART_BYTES = 64 << 20;
let browser, tab, session;
before(async () => {
  ({ browser, tab } = await start());
  session = await browser.newBrowserCDPSession();
});
after(() => browser.close());

/** The largest resident size of the processes that run the page and its workers. */
async function tabBytes() {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const sizes = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => {
    try {
      return Number(readFileSync(`/proc/${id}/status`, "utf8").match(/VmRSS:\s+(\d+)/)?.[1] ?? 0) * 1024;
    } catch {
      return 0;
    }
  });
  return Math.max(...sizes);
}

/** Drops a file of `parts` equal parts; gives how many lines it has. */
async function drop(parts) {
  const lines = await tab.evaluate(([parts, partBytes]) => {
    const line = (at) =>
      `["state_machine/0",{"GenericKV":{"key":"__fd_table_by_id/${String(at).padStart(8, "0")}","value":{"seq":${at + 1},"meta":null,"data":[${"10,20,130,".repeat(120)}1]}}}]\n`;
    const texts = [];
    // What the test itself keeps must not count: a mebibyte of text, the rest is repetition.
    for (let bytes = 0, at = 0; bytes < 1 << 20; at++) {
      const text = line(at);
      texts.push(text);
      bytes += text.length;
    }
    const head = '["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]\n';
    const repeats = partBytes / (1 << 20);
    const part = new Blob(Array(repeats).fill(new Blob(texts)));
    const file = new File([head, ...Array(parts).fill(part)], "large.ndjson");
    const transfer = new DataTransfer();
    transfer.items.add(file);
    globalThis.startedAt = performance.now();
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
    return texts.length * repeats * parts + 1;
  }, [parts, PART_BYTES]);
  return lines;
}

test("reading tells how far it is, and can be cancelled", async () => {
  await drop(38);
  await tab.getByRole("progressbar").waitFor();
  await tab.getByText(/reading \d.*\/s/).waitFor();
  // Cancelled before its first rows, a dump has none to show.
  await tab.keyboard.press("6");
  await tab.getByRole("gridcell").first().waitFor();
  await tab.getByRole("button", { name: "Cancel" }).click();
  await tab.getByText("Reading was cancelled").waitFor();
  await tab.getByRole("gridcell").first().waitFor();
});

test("a dump of 5 GB opens, shows lines past 2^31 and 2^32 bytes, and the tab stays small", { timeout: 400_000 }, async (context) => {
  const parts = 75;
  const lines = await drop(parts);
  await tab.keyboard.press("6");
  await tab.getByRole("gridcell").first().waitFor();
  let most = 0;
  const done = tab.getByText(/The dump has been read\./).waitFor({ state: "attached", timeout: 380_000 });
  let ended = false;
  void done.finally(() => (ended = true));
  while (!ended) {
    most = Math.max(most, await tabBytes());
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  await done;
  for (const line of [Math.round(lines * (38 / parts)), lines]) {
    await tab.goto(`${tab.url().split("#")[0]}#lines:${line}`);
    await tab.getByRole("heading", { name: `Line ${line.toLocaleString("en-US")}` }).waitFor();
    await tab.getByRole("row", { selected: true }).getByText("__fd_table_by_id").waitFor();
  }
  most = Math.max(most, await tabBytes());
  context.diagnostic(`${(most / 1e6).toFixed(0)} MB in the tab`);
  assert.ok(most < MOST_TAB_BYTES, `${most} bytes in the tab`);
  await tab.keyboard.press("1");
  const rate = await tab.locator("dt:has-text('read in') + dd").textContent();
  context.diagnostic(`read in ${rate}`);
});
