// A dump that several workers share: the same findings and rows, also when workers die.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { dieIn, inWorkers, open, repo, start } from "../browser.mjs";

const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const path = join(mkdtempSync(join(tmpdir(), "metadump-pool-")), "shared.ndjson");
const lines = ['["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]'];
for (let at = 1; at <= 24_000; at++) {
  const data = "200,100,50,".repeat(50 + (at % 60));
  lines.push(`["state_machine/0",{"GenericKV":{"key":"__fd_table/${String(at).padStart(6, "0")}","value":{"seq":${at},"meta":null,"data":[${data}7]}}}]`);
}
// Faults everywhere: out of order, no record, a number too large, a line of several megabytes.
for (let at = 500; at < lines.length; at += 1500) lines[at] = lines[at].replace("__fd_table", "__fd_b");
for (let at = 900; at < lines.length; at += 2500) lines[at] = lines[at].replace("200,100", "200,1000");
lines[7000] = "no record";
lines[15000] = lines[15000].replace("[200,", `[${"200,".repeat(1_500_000)}`);
writeFileSync(path, `${lines.join("\n")}\n`);

/** As on a machine with so many cores. */
const cores = (count) => `Object.defineProperty(navigator, "hardwareConcurrency", { get: () => ${count} });`;

async function read(init, check) {
  const { browser, tab, complaints } = await start({ init });
  try {
    await check(tab, complaints);
  } finally {
    await browser.close();
  }
}

const expected = JSON.parse(spawnSync(metactl, ["inspect", "--format", "json", path], { maxBuffer: 1 << 28 }).stdout);

/** What the page says is what the command line says. */
async function same(tab) {
  await tab.keyboard.press("1");
  assert.ok((await tab.locator("main").innerText()).includes(expected.summary.state_hash));
  await tab.keyboard.press("3");
  const shown = await tab.locator("main").innerText();
  assert.ok(expected.findings.length > 20);
  for (const { message, line } of expected.findings) {
    assert.ok(shown.includes(message), message);
    if (line !== null) assert.ok(shown.includes(line.toLocaleString("en")), `line ${line}`);
  }
  await tab.keyboard.press("6");
  await tab.getByRole("grid", { name: "Lines of the dump" }).focus();
  await tab.keyboard.press("G");
  await tab.getByRole("heading", { name: "Line 24,001" }).waitFor();
}

test("several workers find what one does", () =>
  read(cores(4), async (tab, complaints) => {
    await open(tab, path);
    await same(tab);
    assert.deepEqual(complaints, []);
  }));

test("a scanner that dies is started again, and that is said", () =>
  read(cores(4) + inWorkers(dieIn("/^scanner 0$/")), async (tab) => {
    await open(tab, path);
    await tab.keyboard.press("1");
    await tab.getByText("3 died and were started again").waitFor();
    await same(tab);
  }));

test("a part that kills every scanner is told", () =>
  read(cores(4) + inWorkers(dieIn("/^scanner/")), async (tab) => {
    await tab.locator("input[type=file]").first().setInputFiles(path);
    await tab.getByRole("alert").getByText(/A worker died twice at byte \d+ of the dump: .*killed by the test/).waitFor();
    await tab.getByRole("button", { name: "Read it again" }).waitFor();
  }));

test("the reader itself is started again once", () =>
  read(cores(1) + inWorkers(dieIn("/^open$/")), async (tab) => {
    await open(tab, path);
    await same(tab);
  }));
