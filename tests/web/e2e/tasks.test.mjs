// What people come with: each answered in at most four clicks or keys, with what the command line says.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { gunzipSync } from "node:zlib";

import { axeSource, open, repo, start } from "../browser.mjs";

const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const engine = join(repo, "tests/fixtures/engine/e895.server-export.ndjson.gz");
const lines = gunzipSync(readFileSync(engine)).toString("utf8").split("\n");

let browser, tab, requests, complaints, steps;
before(async () => {
  ({ browser, tab, requests, complaints } = await start());
  await open(tab, engine);
});
after(() => browser.close());
beforeEach(async () => {
  await tab.evaluate(() => document.activeElement?.blur());
  await tab.keyboard.press("1");
  steps = 0;
});

/** A click, a key, or a field that is filled. */
const click = (locator) => (steps++, locator.click());
const press = (key) => (steps++, tab.keyboard.press(key));
const fill = (locator, text) => (steps++, locator.fill(text));
const button = (name) => tab.getByRole("button", { name });
const panel = () => tab.locator("main .panel");
const few = () => assert.ok(steps <= 4, `${steps} steps`);
const grouped = new Intl.NumberFormat("en-US");
const said = (...args) => {
  const ran = spawnSync(metactl, [...args, "--format", "json", engine], { encoding: "utf8", maxBuffer: 1 << 26 });
  assert.equal(ran.status, 0, ran.stderr);
  return ran.stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line));
};
const cells = (grid) => grid.getByRole("row").evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll("[role=gridcell]")].map((cell) => cell.innerText.trim())));
async function accessible() {
  await tab.evaluate(readFileSync(axeSource, "utf8"));
  const { violations } = await tab.evaluate(() => globalThis.axe.run(document));
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html).slice(0, 3)]), []);
}

test("which tenant takes the most space", async () => {
  const card = tab.locator("section", { has: tab.getByRole("heading", { name: "Tenants" }) });
  await card.getByRole("row").nth(1).waitFor();
  const rows = await card.locator("tbody tr").evaluateAll((all) => all.map((row) => [row.cells[0].innerText, row.cells[2].innerText]));
  const expected = said("objects").toSorted((a, b) => b.bytes - a.bytes);
  assert.deepEqual(rows, expected.map(({ tenant, keys }) => [tenant ?? "(none)", grouped.format(keys)]));
  few();
  await accessible();
  await click(card.getByRole("button", { name: "python_binding" }));
  await tab.getByRole("grid", { name: "Objects" }).waitFor();
  await tab.getByRole("button", { name: "all tenants" }).click();
});

test("what table 84 is: its name, its columns", async () => {
  const [table] = said("objects", "--tenant", "python_binding", "--kind", "table").filter(({ id }) => id === 84);
  await press("2");
  await fill(tab.getByRole("searchbox"), `${table.database}.${table.name}`);
  await click(tab.getByRole("grid", { name: "Objects" }).getByText(`${table.database}.${table.name}`, { exact: true }));
  await click(panel().getByText("__fd_table_by_id/84", { exact: true }));
  await panel().getByRole("cell", { name: "Nullable(Map(String, Nullable(Int32)))" }).waitFor();
  few();
  await tab.getByRole("searchbox").fill("");
});

test("which keys expire, the next one first", async () => {
  const expected = said("keys", "--expiring", "--at", "snapshot");
  await click(button(`${expected.length} expire`));
  const grid = tab.getByRole("grid", { name: "Keys" });
  await tab.getByText(`${expected.length} hits`).waitFor();
  const shown = await cells(grid);
  assert.ok(shown.length > 10);
  assert.deepEqual(shown.map(([, key]) => key), expected.slice(0, shown.length).map(({ key }) => key));
  for (const [, , when] of shown) assert.match(when, /^in [\d,]+ (d|h|min|s)$|^[\d,]+ (d|h|min|s) ago$/);
  few();
  await accessible();
});

test("which keys hold credentials", async () => {
  const expected = said("keys", "--credentials", "--at", "snapshot");
  await press("4");
  await tab.getByLabel("How to search").selectOption("credentials");
  await tab.getByText(`${expected.length} hits`).waitFor();
  const shown = await cells(tab.getByRole("grid", { name: "Keys" }));
  assert.deepEqual(shown.map(([, key]) => key), expected.map(({ key }) => key));
  few();
});

test("who the leader is, and which nodes there are", async () => {
  const { summary } = JSON.parse(spawnSync(metactl, ["inspect", "--format", "json", engine], { encoding: "utf8" }).stdout);
  const leader = summary.vote.leader_id.node_id;
  await tab.getByText(`node ${leader} is the leader`).waitFor();
  for (const { endpoint } of Object.values(summary.nodes)) await tab.getByText(`${endpoint.addr}:${endpoint.port}`).waitFor();
  few();
});

test("what the log did after the snapshot", async () => {
  const expected = said("log", "--since", "1024");
  assert.equal(expected.length, 567);
  await click(button(`${expected.length} log entries`));
  const selected = tab.getByRole("grid", { name: "Log entries" }).getByRole("row", { selected: true });
  await selected.getByText("T1-N0.1024", { exact: true }).waitFor();
  await tab.getByText(`the ${expected.length} entries with a bar at the left are not in the snapshot`).waitFor();
  few();
  await accessible();
  // To an entry, to a time, and to what there is not.
  const go = tab.getByRole("searchbox", { name: "Go to an entry or a time" });
  for (const [text, entry] of [["1590", "T1-N0.1590"], ["T1-N0.24", "T1-N0.24"], ["2026-11-28 15:26:48.002", "T1-N0.31"]]) {
    await go.fill(text);
    await go.press("Enter");
    await selected.getByText(entry, { exact: true }).waitFor();
  }
  await go.fill("9999");
  await go.press("Enter");
  await tab.getByText("The log has no entry 9999.").waitFor();
});

test("where the S3 credentials are", async () => {
  const [stage] = said("keys", "--credentials", "--prefix", "__fd_stages/python_binding/st_ext");
  await press("/");
  await fill(tab.getByRole("searchbox"), "ST_EXT");
  const grid = tab.getByRole("grid", { name: "Keys" });
  await grid.getByText(stage.key, { exact: true }).waitFor();
  await click(grid.getByText(stage.key, { exact: true }));
  await panel().getByText("2 credentials are masked.").waitFor();
  few();
});

test("what is found is saved as the lines that stand in the dump", async () => {
  await press("/");
  await fill(tab.getByRole("searchbox"), "'ALICE'@");
  const grid = tab.getByRole("grid", { name: "Keys" });
  await grid.getByText("%27alice%27", { exact: false }).first().waitFor();
  await tab.evaluate(() => delete window.showSaveFilePicker);
  const [download] = await Promise.all([tab.waitForEvent("download"), click(button(/^Save the lines$/))]);
  assert.equal(download.suggestedFilename(), "e895.server-export.lines.ndjson");
  const saved = readFileSync(await download.path(), "utf8").split("\n").filter(Boolean);
  assert.ok(saved.length > 0);
  for (const line of saved) assert.ok(lines.includes(line), line.slice(0, 100));
  await tab.getByText(/is being saved by the browser\./).waitFor();
  few();
});

test("one value, copied as JSON", async () => {
  const [expected] = said("keys", "--at", "snapshot", "--prefix", "__fd_table_by_id/84");
  await tab.context().grantPermissions(["clipboard-read", "clipboard-write"]).catch(() => {});
  await press("/");
  await fill(tab.getByRole("searchbox"), "__fd_table_by_id/84");
  await click(tab.getByRole("grid", { name: "Keys" }).getByText("__fd_table_by_id/84", { exact: true }));
  await tab.evaluate(() => (navigator.clipboard.writeText = (text) => Promise.resolve((globalThis.written = text))));
  await click(panel().getByRole("button", { name: "Copy value" }));
  await panel().getByText("Value copied").waitFor();
  assert.deepEqual(JSON.parse(await tab.evaluate(() => globalThis.written)), expected.value);
  few();
});

/** What `diff` prints for programs; the names of the states are those of files here. */
const differing = (...args) => {
  const ran = spawnSync(metactl, ["diff", "--format", "json", ...args], { encoding: "utf8", maxBuffer: 1 << 28 });
  assert.equal(ran.status, 1, ran.stderr);
  const [states, ...rest] = ran.stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  for (const side of ["before", "after"]) states[side].name = basename(states[side].name);
  return [states, ...rest];
};
/** The lines of objects that have a text, and those of their keys. */
function of(text, printed) {
  let is = false;
  return printed.filter((line) => {
    if ("object" in line) is = Object.values(line.object).some((value) => typeof value === "string" && value.includes(text));
    return is && ("object" in line || "key" in line);
  });
}
async function savedAs(locator) {
  await tab.evaluate(() => delete window.showSaveFilePicker);
  const [download] = await Promise.all([tab.waitForEvent("download"), locator.click()]);
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
}
const printed = (text) => text.split("\n").filter(Boolean).map((line) => JSON.parse(line));

test("what the log changed of a database", async () => {
  const expected = differing("--at-a", "snapshot", "--at-b", "end", engine);
  const [{ object: { database } }] = expected.filter((line) => line.object?.kind === "table" && line.object.database);
  await press("8");
  await click(button("Compare two moments of this dump"));
  await fill(tab.getByRole("searchbox", { name: "Filter what differs" }), database);
  const grid = tab.getByRole("grid", { name: "What differs" });
  await grid.getByText(new RegExp(`table ${database}\\.`)).first().waitFor();
  few();
  await accessible();
  const { name, text } = await savedAs(button("Save what is listed"));
  assert.equal(name, "e895.server-export.diff.ndjson");
  const shown = printed(text);
  assert.deepEqual([shown[0], shown.at(-1)], [expected[0], expected.at(-1)]);
  const wanted = of(database, expected);
  assert.ok(wanted.length > 1);
  for (const line of wanted) assert.ok(shown.some((one) => isDeepStrictEqual(one, line)), JSON.stringify(line));
  // All of it, and back again.
  await tab.getByRole("searchbox", { name: "Filter what differs" }).fill("");
  await tab.waitForFunction((rows) => document.querySelector("main [role=grid]")?.getAttribute("aria-rowcount") === String(rows), expected.length - 2);
  assert.deepEqual(printed((await savedAs(button("Save what is listed"))).text), expected);
  await button("Swap").click();
  await tab.waitForFunction(() => document.querySelector(".moments input")?.value === "end");
  // The same moment twice.
  await tab.getByLabel("second as of").fill("end");
  await button("Compare").and(tab.locator(".moments button")).first().click();
  await tab.getByText("The two states are identical.").waitFor();
  await tab.getByLabel("second as of").fill("9999");
  await button("Compare").and(tab.locator(".moments button")).first().click();
  await tab.getByText("there is no entry 9999 in the log").waitFor();
});

test("what changed for a database between two dumps, field by field", async () => {
  const scratch = mkdtempSync(join(tmpdir(), "metadump-tasks-"));
  const older = join(scratch, "older.ndjson");
  const ran = spawnSync(metactl, ["rewrite", "--db", engine, "--at", "1300", "--output", older], { encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stderr);
  const expected = differing(engine, older);
  const changed = expected.findIndex((line) => line.change === "changed" && line.fields.length > 0);
  const [key, object] = [expected[changed], expected.slice(0, changed).findLast((line) => "object" in line)];
  const word = object.object.name ?? object.object.database ?? object.object.tenant;
  await press("8");
  await tab.locator("main input[type=file]").setInputFiles(older);
  await tab.getByRole("columnheader", { name: "older.ndjson" }).waitFor();
  await fill(tab.getByRole("searchbox", { name: "Filter what differs" }), word);
  const grid = tab.getByRole("grid", { name: "What differs" });
  await click(grid.getByText(key.key, { exact: true }));
  for (const { field } of key.fields.slice(0, 5)) await panel().getByRole("rowheader", { name: field || "value", exact: true }).first().waitFor();
  few();
  await accessible();
  await tab.getByRole("searchbox", { name: "Filter what differs" }).fill("");
  await tab.waitForFunction((rows) => document.querySelector("main [role=grid]")?.getAttribute("aria-rowcount") === String(rows), expected.length - 2);
  assert.deepEqual(printed((await savedAs(button("Save what is listed"))).text), expected);
});

test("a dump for each node of a new cluster, with its manifest", async () => {
  const cluster = "1=meta-1.example:28103,2=meta-2.example:28103,3=meta-3.example:28103";
  await press("7");
  await fill(tab.getByLabel("Node 1, host"), cluster);
  await click(button("Show what changes"));
  const downloads = [];
  tab.on("download", (download) => downloads.push(download));
  await click(button("Download a dump and its manifest for each of 3 nodes"));
  await tab.getByText(/^6 files: /).waitFor();
  few();
  while (downloads.length < 6) await tab.waitForEvent("download");
  const scratch = mkdtempSync(join(tmpdir(), "metadump-tasks-"));
  for (const download of downloads) await download.saveAs(join(scratch, download.suggestedFilename()));
  const plain = join(scratch, "plain.ndjson");
  writeFileSync(plain, lines.join("\n"));
  for (const id of ["1", "2", "3"]) {
    const ours = join(scratch, `e895.server-export.node${id}.ndjson`);
    const theirs = join(scratch, `expected.node${id}.ndjson`);
    const ran = spawnSync(metactl, ["rewrite", "--db", plain, "--output", theirs, "--id", id, "--initial-cluster", cluster], { encoding: "utf8" });
    assert.equal(ran.status, 0, ran.stderr);
    assert.ok(readFileSync(ours).equals(readFileSync(theirs)));
    const [of, expected] = [ours, theirs].map((path) => JSON.parse(readFileSync(`${path}.manifest.json`, "utf8")));
    const who = { dump: of.dump, created_by: of.created_by, created_at_ms: of.created_at_ms };
    assert.deepEqual(of, { ...expected, ...who });
    assert.equal(of.dump, `e895.server-export.node${id}.ndjson`);
    const proven = spawnSync(metactl, ["validate", "--require-manifest", ours], { encoding: "utf8" });
    assert.equal(proven.status, 0, proven.stdout);
  }
});

test("what is pasted is looked for, and does not replace the dump", async () => {
  const paste = (text) => tab.evaluate((text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
  }, text);
  await paste("__fd_table_by_id/84");
  await tab.getByRole("grid", { name: "Keys" }).getByText("__fd_table_by_id/84", { exact: true }).waitFor();
  await tab.getByRole("heading", { name: "e895.server-export.ndjson.gz" }).waitFor();
  assert.equal(await tab.title(), "e895.server-export.ndjson.gz – metadump viewer");
  await paste(`${lines[0]}\n`);
  await button("Keep this one").click();
  await tab.getByRole("heading", { name: "e895.server-export.ndjson.gz" }).waitFor();
  // Esc takes text and hits away.
  const box = tab.getByRole("searchbox");
  await box.press("Escape");
  assert.equal(await box.inputValue(), "");
  await tab.getByText("all keys").waitFor();
});

test("nothing was asked of the network, and nothing complained", () => {
  assert.deepEqual(requests.filter((url) => !/^(file|blob|about|data):/.test(url)), []);
  assert.deepEqual(complaints, []);
});
