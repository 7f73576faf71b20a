// The catalogue of the page: what `objects`, `show` and `log` say, by keyboard, on links, at any moment.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";

import { axeSource, kv, open, page, repo, shots, sound, start } from "../browser.mjs";

const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const engine = join(repo, "tests/fixtures/engine/e895.server-export.ndjson.gz");
const scratch = mkdtempSync(join(tmpdir(), "metadump-catalogue-"));

let browser, tab, requests, complaints;
before(async () => ({ browser, tab, requests, complaints } = await start()));
after(() => browser.close());

const view = async (key) => {
  await tab.evaluate(() => document.activeElement?.blur());
  await tab.keyboard.press(key);
};
const tenants = () => tab.getByRole("grid", { name: "Tenants" });
const objects = () => tab.getByRole("grid", { name: "Objects" });
const panel = () => tab.locator("main .panel");
const heading = (name) => panel().getByRole("heading", { name, exact: true }).waitFor();
/** The cells of the rows that are on screen. */
const cells = (grid) => grid.getByRole("row").evaluateAll((rows) => rows.map((row) => [...row.querySelectorAll("[role=gridcell]")].map((cell) => cell.innerText.trim())));
const hash = () => tab.evaluate(() => location.hash);
const said = (...args) => {
  const ran = spawnSync(metactl, [...args, "--format", "json", engine], { encoding: "utf8", maxBuffer: 1 << 26 });
  assert.equal(ran.status, 0, ran.stderr);
  return { rows: ran.stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line)), stderr: ran.stderr };
};
const grouped = new Intl.NumberFormat("en-US");
async function accessible() {
  await tab.evaluate(readFileSync(axeSource, "utf8"));
  const { violations } = await tab.evaluate(() => globalThis.axe.run(document));
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html).slice(0, 3)]), []);
}
/** Opens the tenant of the engine's dump with the keyboard. */
async function openTenant() {
  await view("2");
  await tab.getByRole("button", { name: "all tenants" }).click();
  await tenants().getByText("python_binding").waitFor();
  await tenants().focus();
  await tab.keyboard.press("Home");
  await tab.keyboard.press("ArrowDown");
  await tab.keyboard.press("Enter");
  await objects().getByText("default").first().waitFor();
}

test("tenants and tables are those of the command line, found and sorted with the keyboard", async () => {
  await open(tab, engine);
  await view("2");
  const expected = said("objects");
  await tab.getByText(expected.stderr.match(/as of .*/)[0], { exact: true }).waitFor();
  await tenants().getByText("python_binding").waitFor();
  assert.deepEqual(
    (await cells(tenants())).map(([name, keys]) => [name, keys]),
    expected.rows.map(({ tenant, keys }) => [tenant ?? "(none)", grouped.format(keys)]),
  );
  await accessible();
  await openTenant();
  await tab.getByRole("button", { name: /^tables/ }).click();
  const tables = said("objects", "--tenant", "python_binding", "--kind", "table").rows;
  await tab.getByText(`${tables.length} objects, 1,700 keys`).waitFor();
  const names = (rows) => rows.map(({ id, database, name, dropped_on }) => [String(id), `${database}.${name}${dropped_on === null ? "" : " dropped"}`]);
  const shown = async () => (await cells(objects())).map(([, id, name]) => [id, name.replace(/\s+dropped/, " dropped")]);
  const first = await shown();
  assert.ok(first.length > 10);
  assert.deepEqual(first, names(tables).slice(0, first.length));
  await tab.getByRole("group", { name: "Sort by" }).getByRole("button", { name: "bytes" }).click();
  const largest = names(said("objects", "--tenant", "python_binding", "--kind", "table", "--sort", "bytes").rows);
  await objects().getByText(largest[0][1]).waitFor();
  assert.deepEqual(await shown(), largest.slice(0, first.length));
  // Live, in whichever case, without Enter.
  for (const [text, row] of [["DROPALL", ["277", "shop.dropall dropped"]], ["table:420", ["420", "shop.autoinc"]]]) {
    await tab.getByRole("searchbox").fill(text);
    await tab.getByText("1 object, ").waitFor();
    assert.deepEqual(await shown(), [row]);
    await tab.getByRole("searchbox").fill("");
    await tab.getByText(`${tables.length} objects, 1,700 keys`).waitFor();
  }
  await accessible();
  await tab.getByRole("group", { name: "Sort by" }).getByRole("button", { name: "name" }).click();
});

test("an object has its keys with values, what it belongs with, and what the log did to it", async () => {
  await openTenant();
  await tab.getByRole("searchbox").fill("shop.many_150");
  await tab.getByText("1 object, ").waitFor();
  await objects().focus();
  await tab.keyboard.press("Home");
  await heading("shop.many_150");
  const [table] = said("objects", "--tenant", "python_binding", "--kind", "table").rows.filter(({ name }) => name === "many_150");
  await panel().getByText(`table ${table.id}`, { exact: true }).waitFor();
  const key = `__fd_table_by_id/${table.id}`;
  await panel().getByText(key, { exact: true }).click();
  await panel().getByRole("columnheader", { name: "type" }).waitFor();
  const entries = said("log", "--object", `table:${table.id}`).rows;
  assert.ok(entries.length > 0);
  await panel().getByRole("heading", { name: `In the log ${entries.length}` }).waitFor();
  await accessible();
  // To its database, to what is in that, and back.
  const place = await hash();
  assert.match(place, /^#catalogue:\d+$/);
  await panel().getByRole("button", { name: "shop", exact: true }).click();
  await heading("shop");
  // The address follows what is shown.
  await tab.waitForFunction((before) => location.hash !== before, place);
  await panel().getByRole("heading", { name: /^In this database \d+/ }).waitFor();
  await tab.goBack();
  await heading("shop.many_150");
  assert.equal(await hash(), place);
  await tab.goForward();
  await heading("shop");
  // The way forth is taken as soon as the way back has led there, and before all of that is shown.
  for (let times = 0; times < 10; times++) {
    await tab.evaluate(async (shown) => {
      const is = (name) => document.querySelector("main .panel h2")?.textContent === name;
      const went = new Promise((resolve) => {
        const observer = new MutationObserver(() => is(shown) && (observer.disconnect(), history.forward(), resolve()));
        observer.observe(document.body, { subtree: true, childList: true, characterData: true });
      });
      history.back();
      await went;
    }, "shop.many_150");
    await heading("shop");
  }
  await panel().getByRole("button", { name: "List them" }).click();
  await tab.getByRole("navigation", { name: "Where in the catalogue" }).getByText("database 7").waitFor();
  await objects().press("Backspace");
  await tab.getByRole("button", { name: /^databases/, pressed: true }).waitFor();
});

test("the address leads to an object, and holds its place alone", async () => {
  const lines = gunzipSync(readFileSync(engine)).toString("utf8").split("\n");
  const line = lines.findIndex((text) => text.includes('"__fd_table_by_id/38"')) + 1;
  await tab.goto("about:blank");
  await tab.goto(`${page}#catalogue:${line}`);
  await open(tab, engine);
  await heading("dropme.b");
  await panel().getByText("dropped", { exact: true }).first().waitFor();
  assert.equal(await hash(), `#catalogue:${line}`);
  // From a key to the object that it belongs to.
  await tab.goto(`${page}#lines:${lines.findIndex((text) => text.includes('"__fd_table_by_id/31"')) + 1}`);
  await view("2");
  await heading("dropme.a");
});

test("another moment of the log takes no other reading, and is what the command line says", async () => {
  const init = "globalThis.started = []; Worker = class extends Worker { constructor(url, options) { super(url, options); started.push(options.name); } };";
  const own = await start({ init });
  try {
    await open(own.tab, engine);
    await own.tab.keyboard.press("2");
    const slider = own.tab.getByRole("slider");
    await slider.waitFor();
    const readings = () => own.tab.evaluate(() => started.filter((name) => name === "browse").length);
    assert.equal(await readings(), 1);
    for (const [at, behind] of [["1200", 177], ["1590", 567], ["snapshot", 0], ["1024", 1]]) {
      await slider.fill(String(behind));
      const { rows, stderr } = said("objects", "--at", at);
      await own.tab.getByText(stderr.match(/as of .*/)[0], { exact: true }).waitFor();
      const { tenant, keys } = rows.find(({ tenant }) => tenant === "python_binding");
      const row = own.tab.getByRole("grid", { name: "Tenants" }).getByRole("row").filter({ hasText: tenant });
      await row.getByText(grouped.format(keys), { exact: true }).waitFor();
    }
    assert.equal(await readings(), 1);
    assert.deepEqual(own.complaints, []);
  } finally {
    await own.browser.close();
  }
});

test("the catalogue is of the snapshot, of the end of the log, or of an entry between", async () => {
  await view("2");
  const described = (at) => said("objects", "--at", at).stderr.match(/as of .*/)[0];
  await tab.getByRole("button", { name: "snapshot", exact: true }).click();
  await tab.getByText(described("snapshot"), { exact: true }).waitFor();
  const slider = tab.getByRole("slider");
  assert.equal(await slider.inputValue(), "0");
  await slider.focus();
  await tab.keyboard.press("ArrowRight");
  const snapshot = Number(described("snapshot").match(/\.(\d+),/)[1]);
  await tab.getByText(described(String(snapshot + 1)), { exact: true }).waitFor();
  // Keys that come quicker than the states are counted all the same.
  for (let times = 0; times < 30; times++) await tab.keyboard.press("ArrowRight");
  await tab.getByText(described(String(snapshot + 31)), { exact: true }).waitFor();
  assert.equal(await slider.inputValue(), "31");
  await tab.getByRole("button", { name: "end of the log" }).click();
  await tab.getByText(described("end"), { exact: true }).waitFor();
  assert.equal(await slider.inputValue(), await slider.getAttribute("max"));
});

test("a database stays the one that is listed at another moment, and the overview that of the end", async () => {
  const ofShop = (at) => said("objects", "--tenant", "python_binding", "--at", at).rows.filter(({ parent_id: parent }) => parent === 7).length;
  await openTenant();
  await tab.getByRole("button", { name: /^databases/ }).click();
  await objects().getByText("shop", { exact: true }).click();
  await objects().press("Enter");
  const crumbs = tab.getByRole("navigation", { name: "Where in the catalogue" });
  await crumbs.getByText(`${ofShop("end")} objects`).waitFor();
  // The log made this one: the snapshot has it not.
  await objects().getByText("shop.br", { exact: true }).click();
  await heading("shop.br");
  await tab.getByRole("button", { name: "snapshot", exact: true }).click();
  await crumbs.getByText(`${ofShop("snapshot")} objects`).waitFor();
  await crumbs.getByText("database 7").waitFor();
  await view("1");
  const end = said("objects");
  await tab.getByText(end.stderr.match(/as of .*/)[0], { exact: true }).waitFor();
  await tab.getByRole("button", { name: "acme", exact: true }).click();
  await crumbs.getByText("acme").waitFor();
  await tab.getByText(end.stderr.match(/as of .*/)[0], { exact: true }).waitFor();
});

test("names that look like markup stay text, on a narrow screen too, and what is no record is told", async () => {
  const hostile = "<img src=x onerror=alert(1)>\u202e";
  const key = (name) => [...name].map((char) => (/[a-z0-9]/i.test(char) ? char : [...new TextEncoder().encode(char)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""))).join("");
  const path = join(scratch, "hostile.ndjson");
  const body = kv(`__fd_database/${key(hostile)}/${key(hostile)}`, "55", 1) + kv(`__fd_table/7/${key(hostile)}`, "56", 2);
  writeFileSync(path, `${sound(body)}no record\n`);
  await tab.setViewportSize({ width: 420, height: 800 });
  await view("1");
  await open(tab, path);
  await view("2");
  const text = "<img src=x onerror=alert(1)>\\u{202e}";
  await tenants().getByText(text).waitFor();
  await tab.getByText("1 line is no record: what it holds is not here.").waitFor();
  await tenants().focus();
  await tab.keyboard.press("Enter");
  await objects().getByText(`${text}.${text}`).click();
  await heading(`${text}.${text}`);
  await panel().getByRole("button", { name: text, exact: true }).waitFor();
  assert.equal(await tab.locator("main img").count(), 0);
  assert.ok((await tab.evaluate(() => document.documentElement.scrollWidth)) <= 420);
  assert.doesNotMatch(decodeURIComponent(await hash()), /img/);
  await accessible();
  await tab.screenshot({ path: join(shots, "catalogue-hostile.png") });
});

test("a log that cannot be applied is said, and the snapshot can be looked at", async () => {
  const path = join(scratch, "lacking.ndjson");
  // The snapshot claims entry 2 and its number of a write, and does not have its key.
  const put = (index, key) => `["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":${index}},"payload":{"Normal":{"time_ms":1700000000001,"cmd":{"UpsertKV":{"key":"${key}","seq":"Any","value":{"Update":[55]},"value_meta":null}}}}}}]`;
  const dump = sound(kv("__fd_database/t/sales", "55", 1)).split("\n").map((line) => line.includes('"Committed"') ? line.replace('"index":2', '"index":3') : line);
  dump.splice(dump.findIndex((line) => line.includes('"Blank"')), 1, put(1, "__fd_database/t/sales"));
  dump.splice(dump.findIndex((line) => line.includes('"Sequences"')), 0, put(3, "k"));
  writeFileSync(path, dump.join("\n").replace('"value":900000', '"value":2'));
  await tab.setViewportSize({ width: 1360, height: 860 });
  await view("1");
  await open(tab, path);
  await view("2");
  const { status, stderr } = spawnSync(metactl, ["objects", path], { encoding: "utf8" });
  assert.equal(status, 3, stderr);
  const [, reason] = stderr.match(/cause: (.*)/);
  await tab.getByRole("alert").getByText(reason).waitFor();
  await tab.getByRole("button", { name: "Show the snapshot, without the log" }).click();
  await tab.getByRole("button", { name: "all tenants" }).click();
  await tenants().getByText("t", { exact: true }).waitFor();
});

test("nothing was asked of the network, and nothing complained", () => {
  assert.deepEqual(requests.filter((url) => !/^(file|blob|about|data):/.test(url)), []);
  assert.deepEqual(complaints, []);
});
