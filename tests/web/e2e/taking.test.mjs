// What is taken out of the page: lists, values, lines, places; and what is found in a value and in the log.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";

import { axeSource, inWorkers, kv, open, repo, shots, sound, start } from "../browser.mjs";

const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const engine = join(repo, "tests/fixtures/engine/e895.server-export.ndjson.gz");
const lines = gunzipSync(readFileSync(engine)).toString("utf8").split("\n");
const scratch = mkdtempSync(join(tmpdir(), "metadump-taking-"));

let browser, tab, complaints;
before(async () => {
  // Without a dialog the browser saves under the name that is offered.
  ({ browser, tab, complaints } = await start({ init: "delete window.showSaveFilePicker" }));
  await open(tab, engine);
});
after(() => browser.close());

const view = async (key) => {
  await tab.evaluate(() => document.activeElement?.blur());
  await tab.keyboard.press(key);
};
const panel = () => tab.locator("main .panel");
async function saved(name, of = tab) {
  const [download] = await Promise.all([of.waitForEvent("download"), of.getByRole("button", { name, exact: true }).click()]);
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
}
/** Fields of CSV, as RFC 4180 has them. */
function parsed(text) {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    rows.at(-1).push(quoted?.replaceAll('""', '"') ?? plain);
    if (end !== ",") rows.push([]);
  }
  assert.deepEqual(rows.pop(), []);
  return rows;
}
async function accessible() {
  await tab.evaluate(readFileSync(axeSource, "utf8"));
  const { violations } = await tab.evaluate(() => globalThis.axe.run(document));
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html).slice(0, 3)]), []);
}
const objects = (...args) =>
  spawnSync(metactl, ["objects", "--format", "json", ...args, engine], { encoding: "utf8", maxBuffer: 1 << 26 }).stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line));

test("the objects that are listed are saved as JSON and as CSV", async () => {
  await view("2");
  await tab.getByRole("grid", { name: "Tenants" }).getByText("python_binding", { exact: true }).click();
  await tab.getByRole("button", { name: /^tables / }).click();
  const expected = objects("--tenant", "python_binding", "--kind", "table");
  const { name, bytes } = await saved("Save the list as JSON");
  assert.equal(name, "e895.server-export.objects.json");
  const rows = JSON.parse(bytes);
  const short = ({ id, keys, bytes }) => [id, keys, bytes];
  const order = ([a], [b]) => a - b;
  assert.deepEqual(rows.map(short).sort(order), expected.map(short).sort(order));
  const table = parsed((await saved("Save the list as CSV")).bytes.toString());
  assert.deepEqual(table[0], Object.keys(rows[0]));
  assert.deepEqual(table.slice(1).map((row) => Number(row[2])), rows.map(({ id }) => id));
  await accessible();
});

test("a value is saved and copied as the text that the command line prints", async () => {
  const keys = ["__fd_table_by_id/", "__fd_database_by_id/", "__fd_users/", "__fd_udfs/", "__fd_id_gen/"];
  for (const prefix of keys) {
    await view("4");
    await tab.getByLabel("How to search").selectOption("prefix");
    await tab.getByRole("searchbox", { name: "Search" }).fill(prefix);
    await tab.getByRole("button", { name: "Search", exact: true }).click();
    await tab.getByText(/\d+ hits?, /).waitFor();
    await panel().getByText(prefix, { exact: false }).first().waitFor();
    await tab.evaluate(() => (navigator.clipboard.writeText = (text) => Promise.resolve((globalThis.written = text))));
    await panel().getByRole("button", { name: "Copy key" }).click();
    await panel().getByText("Key copied").waitFor();
    const key = await tab.evaluate(() => globalThis.written);
    const { name, bytes } = await saved("Save as text");
    assert.match(name, /^e895\.server-export\.line-\d+\.txt$/);
    const ran = spawnSync(metactl, ["get", "--db", engine, "--at", "snapshot", "--decode", "--key", key], { encoding: "utf8", maxBuffer: 1 << 26 });
    const [, , ...lines] = ran.stdout.trimEnd().split("\n");
    assert.equal(bytes.toString(), lines.map((line) => `${line.replace(/^ {2}/, "")}\n`).join(""), key);
    await panel().getByRole("button", { name: "Copy as text" }).click();
    await panel().getByText("Value copied").waitFor();
    assert.equal(`${await tab.evaluate(() => globalThis.written)}\n`, bytes.toString());
  }
  await tab.screenshot({ path: `${shots}/value-as-text.png` });
});

test("hits and findings are saved, and no text becomes a formula", async () => {
  const path = join(scratch, "hostile.ndjson");
  writeFileSync(path, sound(kv("=1+1", "1", 5) + kv('a"b,c\\n', "1", 6).replaceAll("\\\\n", "\\n") + "no record\n"));
  const own = await start({ init: "delete window.showSaveFilePicker" });
  try {
    await open(own.tab, path);
    await own.tab.keyboard.press("/");
    await own.tab.getByLabel("How to search").selectOption("prefix");
    await own.tab.getByRole("searchbox").fill("");
    await own.tab.getByLabel("largest first").check();
    await own.tab.getByText("2 hits").waitFor();
    const keys = parsed((await saved("Save the hits as CSV", own.tab)).bytes.toString()).slice(1).map((row) => row[1]);
    assert.deepEqual(keys.sort(), ["'=1+1", 'a"b,c\n']);
    await own.tab.evaluate(() => document.activeElement?.blur());
    await own.tab.keyboard.press("3");
    const findings = JSON.parse((await saved("Save the findings as JSON", own.tab)).bytes);
    const report = JSON.parse(spawnSync(metactl, ["validate", "--format", "json", path], { encoding: "utf8" }).stdout);
    const short = ({ code, line, message }) => [code, line, message].join(" ");
    assert.deepEqual(findings.map(short).sort(), report.findings.map(short).sort());
  } finally {
    await own.browser.close();
  }
});

test("a text is found within a value, the path of a field copied, the whole saved", async () => {
  await view("/");
  await tab.getByRole("searchbox").fill("__fd_table_by_id/84");
  await tab.getByRole("grid", { name: "Keys" }).getByText("__fd_table_by_id/84", { exact: true }).click();
  const all = await panel().locator(".shown li").count();
  await panel().getByRole("textbox", { name: "Find in this value" }).fill("ENGINE");
  await panel().getByRole("button", { name: "engine", exact: true }).waitFor();
  assert.ok((await panel().locator(".shown li").count()) < all / 2);
  await tab.evaluate(() => (navigator.clipboard.writeText = (text) => Promise.resolve((globalThis.written = text))));
  await panel().getByRole("button", { name: "engine", exact: true }).click();
  await panel().getByText("Path copied").waitFor();
  const path = await tab.evaluate(() => globalThis.written);
  const { bytes } = await saved("Save as JSON");
  const value = JSON.parse(bytes);
  assert.equal(path, ".engine");
  assert.ok(typeof value.engine === "string" && value.engine !== "");
  await panel().getByRole("textbox", { name: "Find in this value" }).fill("no such text");
  await panel().getByText("Nothing in the value has that.").waitFor();
  await accessible();
  await panel().getByRole("textbox", { name: "Find in this value" }).fill("");
});

test("a line is saved as it stands in the dump", async () => {
  const number = lines.findIndex((line) => line.includes('"__fd_table_by_id/84"') && line.includes("GenericKV")) + 1;
  await tab.goto(`${tab.url().split("#")[0]}#lines:${number}`);
  await view("6");
  await panel().getByRole("heading", { name: `Line ${number.toLocaleString("en-US")}` }).waitFor();
  const { name, bytes } = await saved("Save line");
  assert.deepEqual([name, bytes.toString()], [`e895.server-export.line-${number}.ndjson`, `${lines[number - 1]}\n`]);
});

test("the log lists the entries that write a key, a name or a value", async () => {
  await view("5");
  const grid = tab.getByRole("grid", { name: "Log entries" });
  const all = Number(await grid.getAttribute("aria-rowcount"));
  await tab.getByRole("searchbox", { name: "Filter the log" }).fill("__fd_table_by_id/84");
  await tab.getByRole("button", { name: "Filter", exact: true }).click();
  await tab.getByRole("button", { name: "Show all" }).waitFor();
  // Those that only read it are none, and a key may go on.
  const entries = lines.filter((line) => line.includes('"LogEntry"') && line.includes('"Put":{"key":"__fd_table_by_id/84')).length;
  assert.ok(entries > 0 && entries < all);
  await tab.waitForFunction((rows) => document.querySelector('[aria-label="Log entries"]')?.getAttribute("aria-rowcount") === String(rows), entries);
  await grid.focus();
  await tab.keyboard.press("g");
  await panel().getByText("__fd_table_by_id/84", { exact: true }).first().waitFor();
  await accessible();
  await tab.getByRole("button", { name: "Show all" }).click();
  await tab.waitForFunction((rows) => document.querySelector('[aria-label="Log entries"]')?.getAttribute("aria-rowcount") === String(rows), all);
});

test("the byte that a finding names is marked in its line", async () => {
  const path = join(scratch, "flipped.ndjson");
  const broken = kv("b", "1,2,3", 6).replace("1,2,3", "1,)2,3");
  const dump = sound(kv("a", "1", 5) + broken);
  writeFileSync(path, dump);
  const own = await start();
  try {
    await open(own.tab, path);
    await own.tab.keyboard.press("n");
    await own.tab.locator(".fault mark").getByText(")", { exact: true }).waitFor();
    const said = await own.tab.locator(".fault").innerText();
    assert.match(said, new RegExp(`byte ${dump.indexOf(")").toLocaleString("en-US")}, ${broken.indexOf(")")} of the line`));
  } finally {
    await own.browser.close();
  }
});

test("a packed dump shows rows before all of it is unpacked", async () => {
  const path = join(scratch, "packed.ndjson.gz");
  writeFileSync(path, gzipSync(lines.join("\n")));
  // The worker never says that it is done.
  const own = await start({ init: inWorkers(`{
    const post = self.postMessage;
    self.postMessage = (message, ...rest) => { if (message.type !== "done") post.call(self, message, ...rest); };
  }`) });
  try {
    await own.tab.locator("input[type=file]").first().setInputFiles(path);
    await own.tab.getByText(/^unpacking /).waitFor();
    await own.tab.keyboard.press("6");
    await own.tab.getByRole("grid", { name: "Lines of the dump" }).getByText(/DataHeader/).waitFor();
    await own.tab.getByText(/^unpacking /).waitFor();
  } finally {
    await own.browser.close();
  }
});

test("the page complained of nothing", () => assert.deepEqual(complaints, []));
