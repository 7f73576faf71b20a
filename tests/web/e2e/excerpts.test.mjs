// Lists saved as dumps of their own: the command line finds no error in them, and the lines are as they were.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { axeSource, kv, open, repo, shots, sound, start } from "../browser.mjs";

const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const origin = join(repo, "tests/fixtures/v004/v004-origin.export.ndjson");
const place = mkdtempSync(join(tmpdir(), "metadump-excerpts-"));

let browser, tab, requests, complaints;
before(async () => {
  ({ browser, tab, requests, complaints } = await start({ init: "delete window.showSaveFilePicker" }));
});
after(() => browser.close());

const button = (name) => tab.getByRole("button", { name, exact: true });
async function view(key) {
  await tab.evaluate(() => document.activeElement?.blur());
  await tab.keyboard.press(key);
}
/** The dump that a button has the browser save, with its manifest. */
async function saved(name) {
  const downloads = [];
  const take = (download) => downloads.push(download);
  tab.on("download", take);
  await button(name).click();
  await tab.getByText(/2 files: /).waitFor();
  while (downloads.length < 2) await tab.waitForTimeout(20);
  tab.off("download", take);
  for (const one of downloads) writeFileSync(join(place, one.suggestedFilename()), readFileSync(await one.path()));
  const dump = downloads.map((one) => one.suggestedFilename()).find((file) => !file.endsWith(".manifest.json"));
  const path = join(place, dump);
  const ran = spawnSync(metactl, ["validate", "--format", "json", "--require-manifest", path], { encoding: "utf8" });
  const { findings } = JSON.parse(ran.stdout.split("\n")[0]);
  assert.deepEqual(findings.filter(({ severity }) => severity === "error"), [], ran.stdout);
  return readFileSync(path, "utf8").trimEnd().split("\n");
}
const isKey = (line) => line.includes('"GenericKV"');
const isEntry = (line) => line.includes('"LogEntry"');

test("what a search finds is saved as a dump of these keys", async () => {
  await open(tab, origin);
  const lines = readFileSync(origin, "utf8").trimEnd().split("\n");
  await view("4");
  await tab.getByRole("combobox", { name: "How to search" }).selectOption("expiring");
  await tab.getByText(/\d+ hits?, /).waitFor();
  const made = await saved("Save the hits as a dump");
  const expiring = new Set(lines.filter((line) => line.includes('"Expire"')).map((line) => JSON.parse(line)[1].Expire.value.key));
  assert.ok(expiring.size > 0);
  const wanted = lines.filter((line) => isKey(line) && expiring.has(JSON.parse(line)[1].GenericKV.key));
  assert.deepEqual(made.filter(isKey), wanted);
  assert.equal(made.filter((line) => line.includes('"Expire"')).length, expiring.size);
  assert.equal(made.filter(isEntry).length, 0);
  await tab.getByText(/^A dump of \d+ keys of the snapshot as of T1-N1\.80, without a log\. 2 files: /).waitFor();
  await tab.screenshot({ path: `${shots}/excerpt-of-keys.png` });
  await tab.evaluate(readFileSync(axeSource, "utf8"));
  const { violations } = await tab.evaluate(() => globalThis.axe.run(document));
  assert.deepEqual(violations.map(({ id }) => id), []);
});

test("entries that the log is filtered for are saved as lines, as a table, and as a dump with those between", async () => {
  const lines = readFileSync(origin, "utf8").trimEnd().split("\n");
  await view("5");
  const key = /"key":"([^"\\]+)"/.exec(lines.filter(isEntry).at(-3))[1];
  await tab.getByRole("searchbox", { name: "Filter the log" }).fill(key);
  await tab.keyboard.press("Enter");
  await button("Save the entries as a dump").waitFor();
  const [table] = await Promise.all([tab.waitForEvent("download"), button("Save the entries as JSON").click()]);
  const rows = JSON.parse(readFileSync(await table.path(), "utf8"));
  assert.ok(rows.length > 0 && rows.every(({ effects }) => effects.includes(key)), JSON.stringify(rows));
  const [raw] = await Promise.all([tab.waitForEvent("download"), button("Save the lines").click()]);
  const chosen = rows.map(({ line }) => lines[line - 1]);
  assert.equal(readFileSync(await raw.path(), "utf8"), chosen.map((line) => `${line}\n`).join(""));
  const made = await saved("Save the entries as a dump");
  const first = lines.indexOf(chosen[0]);
  assert.deepEqual(made.filter(isEntry), lines.slice(first, lines.indexOf(chosen.at(-1)) + 1));
  assert.equal(made.filter(isKey).length, 0);
  await tab.screenshot({ path: `${shots}/excerpt-of-the-log.png` });
});

test("hostile names stay text, and what cannot be saved says why", async () => {
  const hostile = '<img src=x onerror="globalThis.pwned=1">';
  const path = join(place, `${hostile.replaceAll("/", "")}.ndjson`);
  writeFileSync(path, sound(kv(`${hostile}/a`, "49", 3) + kv("b", "50", 4)));
  await open(tab, path);
  await view("4");
  await tab.getByRole("searchbox", { name: "Search" }).fill("onerror");
  await tab.getByText("1 hit, ").waitFor();
  const made = await saved("Save the hits as a dump");
  assert.equal(made.filter(isKey).length, 1);
  await tab.getByRole("combobox", { name: "How to search" }).selectOption("line");
  await tab.getByRole("searchbox", { name: "Search" }).fill("Purged");
  await tab.getByText("1 hit, ").waitFor();
  await button("Save the hits as a dump").click();
  await tab.getByText("Nothing was saved. none of the lines is a key or an entry of the log").waitFor();
  assert.equal(await tab.evaluate(() => globalThis.pwned), undefined);
  assert.deepEqual([requests.filter((url) => !/^(file|blob):/.test(url)), complaints], [[], []]);
});
