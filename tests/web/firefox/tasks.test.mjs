// What people come with, in Firefox: the tasks of ../e2e/tasks.test.mjs, by the protocol that it speaks itself.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { gunzipSync } from "node:zlib";

import { page as html, repo } from "../browser.mjs";

const require = createRequire(join(repo, "web/package.json"));
const { default: puppeteer } = await import(require.resolve("puppeteer-core"));

/** Longer than anything here takes, on whatever machine. */
const PATIENCE_MS = 300_000;

const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const fixture = (name) => join(repo, "tests/fixtures", name);
const engine = fixture("engine/e895.server-export.ndjson.gz");
const lines = gunzipSync(readFileSync(engine)).toString("utf8").split("\n");
const scratch = mkdtempSync(join(tmpdir(), "metadump-firefox-"));
const downloads = mkdtempSync(join(tmpdir(), "metadump-downloads-"));

let browser, tab, complaints;
before(async () => {
  browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
    headless: true,
    extraPrefsFirefox: { "browser.download.folderList": 2, "browser.download.dir": downloads, "browser.download.useDownloadDir": true },
  });
  tab = await browser.newPage();
  tab.setDefaultTimeout(PATIENCE_MS);
  await tab.setViewport({ width: 1360, height: 860 });
  complaints = [];
  tab.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  tab.on("pageerror", (error) => complaints.push(String(error)));
  await tab.goto(html);
  await choose(engine);
  await shown("python_binding");
});
after(() => browser?.close());
beforeEach(async () => {
  await tab.evaluate(() => document.activeElement?.blur());
  await tab.keyboard.press("1");
});

/** Chooses a file where the page asks for one first, or in a part of it. */
async function choose(file, within = "") {
  const input = await tab.waitForSelector(`${within} input[type=file]`);
  await input.uploadFile(file);
}
/** Waits for a text, or for what is called so. */
const shown = (text) => tab.waitForSelector(`::-p-text(${text})`);
const named = (name, role) => tab.waitForSelector(`::-p-aria([name="${name}"][role="${role}"])`);
const press = (key) => tab.keyboard.press(key);
const click = async (element) => (await element).click();
async function fill(element, text) {
  await (await element).evaluate((input, text) => {
    input.focus();
    input.value = text;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, text);
}
const grid = (label) => `main [role=grid][aria-label="${label}"]`;
const cells = (label) =>
  tab.$$eval(`${grid(label)} [role=row]`, (rows) => rows.map((row) => [...row.querySelectorAll("[role=gridcell]")].map((cell) => cell.innerText.trim())));
/** Waits until a row of a grid has a text, and gives the part that has it. */
const inGrid = (label, text) => tab.waitForSelector(`${grid(label)} ::-p-text(${text})`);
const inPanel = (text) => tab.waitForSelector(`main .panel ::-p-text(${text})`);
const json = (text) => text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
function said(...args) {
  const ran = spawnSync(metactl, [...args, "--format", "json"], { encoding: "utf8", maxBuffer: 1 << 28 });
  assert.ok(ran.status === 0 || ran.status === 1, ran.stderr);
  return json(ran.stdout);
}
/** The content of what the browser has saved under a name. */
async function saved(name) {
  const path = join(downloads, name);
  const end = Date.now() + PATIENCE_MS;
  while (!existsSync(path) || readdirSync(downloads).some((file) => file.endsWith(".part"))) {
    assert.ok(Date.now() < end, `${name} is not saved: ${readdirSync(downloads)}`);
    await pause(20);
  }
  return readFileSync(path, "utf8");
}
const grouped = new Intl.NumberFormat("en-US");

test("which tenant takes the most space", async () => {
  const rows = await tab.$$eval("main section", (sections) => {
    const card = sections.find((one) => one.querySelector("h2, h3")?.innerText.startsWith("Tenants"));
    return [...(card?.querySelectorAll("tbody tr") ?? [])].map((row) => [row.cells[0].innerText, row.cells[2].innerText]);
  });
  const expected = said("objects", engine).toSorted((a, b) => b.bytes - a.bytes);
  assert.deepEqual(rows, expected.map(({ tenant, keys }) => [tenant ?? "(none)", grouped.format(keys)]));
});

test("what table 84 is: its name, its columns", async () => {
  const [table] = said("objects", "--tenant", "python_binding", "--kind", "table", engine).filter(({ id }) => id === 84);
  await press("2");
  await fill(tab.waitForSelector("main input[type=search]"), `${table.database}.${table.name}`);
  await click(inGrid("Objects", `${table.database}.${table.name}`));
  await click(inPanel("__fd_table_by_id/84"));
  await inPanel("Nullable(Map(String, Nullable(Int32)))");
});

test("which keys expire, the next one first", async () => {
  const expected = said("keys", "--expiring", "--at", "snapshot", engine);
  await click(shown(`${expected.length} expire`));
  await shown(`${expected.length} hits`);
  await inGrid("Keys", expected[0].key);
  const keys = (await cells("Keys")).map(([, key]) => key);
  assert.ok(keys.length > 10);
  assert.deepEqual(keys, expected.slice(0, keys.length).map(({ key }) => key));
});

test("who the leader is, and which nodes there are", async () => {
  const [{ summary }] = said("inspect", engine);
  await shown(`node ${summary.vote.leader_id.node_id} is the leader`);
  for (const { endpoint } of Object.values(summary.nodes)) await shown(`${endpoint.addr}:${endpoint.port}`);
});

test("what the log did after the snapshot", async () => {
  const expected = said("log", "--since", "1024", engine);
  await click(shown(`${grouped.format(expected.length)} log entries`));
  await inGrid("Log entries", "T1-N0.1024");
  await shown(`the ${expected.length} entries with a bar at the left are not in the snapshot`);
});

test("where the S3 credentials are", async () => {
  const [stage] = said("keys", "--credentials", "--prefix", "__fd_stages/python_binding/st_ext", engine);
  await press("/");
  await tab.keyboard.type("ST_EXT");
  await click(inGrid("Keys", stage.key));
  await inPanel("2 credentials are masked.");
});

test("what is found is saved as the lines that stand in the dump", async () => {
  await press("/");
  await tab.evaluate(() => document.activeElement.select());
  await tab.keyboard.type("'ALICE'@");
  await inGrid("Keys", "%27alice%27");
  await click(named("Save the lines", "button"));
  const found = (await saved("e895.server-export.lines.ndjson")).split("\n").filter(Boolean);
  assert.ok(found.length > 0);
  for (const line of found) assert.ok(lines.includes(line), line.slice(0, 100));
});

test("one value, copied as JSON", async () => {
  const [expected] = said("keys", "--at", "snapshot", "--prefix", "__fd_table_by_id/84", engine);
  await press("/");
  await tab.evaluate(() => document.activeElement.select());
  await tab.keyboard.type("__fd_table_by_id/84");
  await click(inGrid("Keys", "__fd_table_by_id/84"));
  await tab.evaluate(() => {
    navigator.clipboard.writeText = (text) => Promise.resolve((globalThis.written = text));
  });
  await click(named("Copy value", "button"));
  await inPanel("Value copied");
  assert.deepEqual(JSON.parse(await tab.evaluate(() => globalThis.written)), expected.value);
});

/** What `diff` prints for programs; the names of the states are those of files here. */
function differing(...args) {
  const [states, ...rest] = said("diff", ...args);
  for (const side of ["before", "after"]) states[side].name = basename(states[side].name);
  return [states, ...rest];
}

test("what the log changed of a database", async () => {
  const expected = differing("--at-a", "snapshot", "--at-b", "end", engine);
  await press("8");
  await click(named("Compare two moments of this dump", "button"));
  await tab.waitForSelector(`${grid("What differs")}[aria-rowcount="${expected.length - 2}"]`);
  await click(named("Save what is listed", "button"));
  assert.deepEqual(json(await saved("e895.server-export.diff.ndjson")), expected);
});

test("what changed for a database between two dumps, field by field", async () => {
  const older = join(scratch, "older.ndjson");
  assert.equal(spawnSync(metactl, ["rewrite", "--db", engine, "--at", "1300", "--output", older]).status, 0);
  const expected = differing(engine, older);
  const key = expected.find((line) => line.change === "changed" && line.fields.length > 0);
  await press("8");
  await choose(older, "main");
  await shown("older.ndjson");
  await tab.waitForSelector(`${grid("What differs")}[aria-rowcount="${expected.length - 2}"]`);
  await fill(named("Filter what differs", "searchbox"), key.key);
  await click(inGrid("What differs", key.key));
  for (const { field } of key.fields.slice(0, 5)) await inPanel(field || "value");
});

test("a dump for each node of a new cluster, with its manifest", async () => {
  const cluster = "1=meta-1.example:28103,2=meta-2.example:28103";
  await press("7");
  await fill(tab.waitForSelector('::-p-aria([name="Node 1, host"])'), cluster);
  await click(named("Show what changes", "button"));
  await click(named("Download a dump and its manifest for each of 2 nodes", "button"));
  for (const id of ["1", "2"]) {
    const expected = join(scratch, `node${id}.ndjson`);
    const made = spawnSync(metactl, ["rewrite", "--db", engine, "--output", expected, "--id", id, "--initial-cluster", cluster]);
    assert.equal(made.status, 0, String(made.stderr));
    const name = `e895.server-export.node${id}.ndjson`;
    assert.ok((await saved(name)) === readFileSync(expected, "utf8"));
    const { sha256 } = JSON.parse(await saved(`${name}.manifest.json`));
    assert.equal(sha256, JSON.parse(readFileSync(`${expected}.manifest.json`, "utf8")).sha256);
  }
});

test("an encrypted dump is read with its identity", async () => {
  await choose(fixture("age/v004.ndjson.zst.age"));
  const [identity] = readFileSync(fixture("age/identity.txt"), "utf8").match(/AGE-SECRET-KEY-\S+/);
  await fill(tab.waitForSelector("input[type=password]"), identity);
  await click(named("Decrypt", "button"));
  const [{ summary }] = said("validate", fixture("valid/v004.ndjson"));
  await shown(`${summary.lines} lines`);
});

test("nothing complained", () => assert.deepEqual(complaints, []));
