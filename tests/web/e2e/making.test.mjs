// New dumps of the page: byte for byte those of the command line, with what they say before they are made.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { axeSource, kv, open, repo, shots, sound, start } from "../browser.mjs";

const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const engine = join(repo, "tests/fixtures/engine/e895.server-export.ndjson.gz");
const place = mkdtempSync(join(tmpdir(), "metadump-making-"));
const count = new Intl.NumberFormat("en-US");

let browser, tab, requests, complaints;
before(async () => {
  ({ browser, tab, requests, complaints } = await start());
  await open(tab, engine);
});
after(() => browser.close());

const button = (name) => tab.getByRole("button", { name });
const run = (...args) => spawnSync(metactl, args, { encoding: "utf8", maxBuffer: 1 << 28 });
async function form(name) {
  await tab.evaluate(() => document.activeElement?.blur());
  await tab.keyboard.press("7");
  await button(name).click();
}
async function accessible() {
  await tab.evaluate(readFileSync(axeSource, "utf8"));
  const { violations } = await tab.evaluate(() => globalThis.axe.run(document));
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html).slice(0, 3)]), []);
}
/** The two files that a button has the browser save. */
async function saved(name, of = tab) {
  const downloads = [];
  const take = (download) => downloads.push(download);
  of.on("download", take);
  await of.getByRole("button", { name }).click();
  await of.getByText(/^2 files: /).waitFor();
  while (downloads.length < 2) await of.waitForTimeout(20);
  of.off("download", take);
  const files = await Promise.all(downloads.map(async (one) => [one.suggestedFilename(), readFileSync(await one.path())]));
  const manifest = files.find(([file]) => file.endsWith(".manifest.json"));
  const dump = files.find(([file]) => !file.endsWith(".manifest.json"));
  return { name: dump[0], dump: dump[1], manifestName: manifest[0], manifest: JSON.parse(manifest[1]) };
}
/** The dump of the command line, and its manifest, but for who made it, when and under which name. */
function made(...args) {
  const path = join(place, `${args[0]}.ndjson`);
  const ran = run(...args, engine, "--output", path);
  assert.equal(ran.status, 0, ran.stderr);
  return { dump: readFileSync(path), manifest: JSON.parse(readFileSync(`${path}.manifest.json`, "utf8")) };
}
function same(page, cli, name) {
  assert.ok(page.dump.equals(cli.dump), `${page.dump.length} and ${cli.dump.length} bytes`);
  assert.deepEqual([page.name, page.manifestName], [name, `${name}.manifest.json`]);
  const { dump, created_by: by } = page.manifest;
  assert.deepEqual([dump, by.startsWith("metadump viewer ")], [name, true]);
  const its = ({ dump, created_by, created_at_ms, ...rest }) => rest;
  assert.deepEqual(its(page.manifest), its(cli.manifest));
  // What the page has made, the command line takes.
  const path = join(place, name);
  writeFileSync(path, page.dump);
  writeFileSync(`${path}.manifest.json`, JSON.stringify(page.manifest));
  assert.equal(run("validate", "--require-manifest", path).status, run("validate", "--require-manifest", join(place, `${cli.of}.ndjson`)).status);
}

test("a tenant, as filter writes it: counts first, then the same bytes", async () => {
  const args = ["filter", "--tenant", "python_binding", "--unknown", "drop"];
  const plan = JSON.parse(run(...args, "--dry-run", "--list", "--format", "json", engine).stdout);
  await form("A part of it");
  await tab.getByRole("checkbox", { name: "python_binding" }).check();
  await tab.getByLabel("Keys that cannot be judged").selectOption("drop");
  await button("Show what stays").click();
  const card = tab.locator("section", { has: tab.getByRole("heading", { name: "What stays, and what goes" }) });
  await card.waitFor();
  const rows = await card.locator("tbody tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.innerText)));
  const kinds = [...new Set([...Object.keys(plan.stays), ...Object.keys(plan.goes)])].sort();
  const none = { objects: 0, keys: 0 };
  const numbers = kinds.map((kind) => [plan.stays[kind] ?? none, plan.goes[kind] ?? none].flatMap(({ objects, keys }) => [count.format(objects), count.format(keys)]));
  assert.deepEqual(rows.map(([, ...row]) => row), numbers);
  await card.getByText(`Everything that goes, ${count.format(plan.gone.length)}`).click();
  assert.equal(await card.locator(".gone li").count(), Math.min(plan.gone.length, 1000));
  await accessible();
  same(await saved("Download the part and its manifest"), { ...made(...args), of: "filter" }, "e895.server-export.filtered.ndjson");
  // A second time from the same plan.
  const again = await saved("Download the part and its manifest");
  assert.ok(again.dump.equals(made(...args).dump));
});

test("objects are left out at a moment, and what cannot be is refused as the command line does", async () => {
  await form("A part of it");
  await tab.getByRole("checkbox", { name: "python_binding" }).uncheck();
  const objects = tab.getByLabel("Objects, one in a line");
  await objects.fill("nowhere.at_all");
  await button("Show what stays").click();
  await tab.getByRole("alert").getByText(/there is no table nowhere\.at_all/).waitFor();
  await objects.fill("sales.");
  await button("Show what stays").click();
  await tab.getByRole("alert").getByText(/expected DATABASE\.TABLE/i).waitFor();
  await objects.fill("sales.orders");
  await tab.getByLabel("As of").fill("yesterday");
  await button("Show what stays").click();
  await tab.getByRole("alert").getByText(/\n\s+yesterday\n/).waitFor();
  const [table] = run("objects", "--kind", "table", "--at", "snapshot", "--format", "json", engine).stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line)).filter(({ dropped_on: dropped }) => dropped === null);
  await objects.fill(`table:${table.id}`);
  await tab.getByLabel("leave these out, keep all else").check();
  await tab.getByLabel("As of").fill("snapshot");
  await tab.getByLabel("Keys that cannot be judged").selectOption("keep");
  await button("Show what stays").click();
  const args = ["filter", "--object", `table:${table.id}`, "--drop", "--at", "snapshot", "--unknown", "keep"];
  const [moment] = run(...args, "--dry-run", engine).stdout.split("\n");
  assert.match(moment, /^as of T1-N0\.1023, .*; 567 entries later not applied$/);
  await tab.getByText(moment, { exact: true }).waitFor();
  same(await saved("Download the part and its manifest"), { ...made(...args), of: "filter" }, "e895.server-export.filtered.ndjson");
});

test("no credentials, as redact writes it: what is replaced first, then the same bytes", async () => {
  const { redacted } = JSON.parse(run("redact", "--dry-run", "--format", "json", engine).stdout);
  await form("Without credentials");
  await button("Show what is replaced").click();
  await tab.getByText(`${count.format(redacted.replaced)} credentials in ${count.format(redacted.lines_with_credentials)} of ${count.format(redacted.lines)} lines.`).waitFor();
  const rows = await tab.locator("main tbody tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.innerText)));
  const expected = [redacted.kinds, redacted.families].flatMap(Object.entries).map(([name, found]) => [name, count.format(found)]);
  assert.deepEqual(rows, expected);
  await tab.getByText(`Where they are, ${count.format(redacted.replaced)}`).click();
  await accessible();
  same(await saved("Download it and its manifest"), { ...made("redact"), of: "redact" }, "e895.server-export.redacted.ndjson");
});

test("names, as redact --names writes it with the same salt: what changes first, then the same bytes", async () => {
  const bytes = Array.from({ length: 32 }, (_, at) => (at * 7 + 1) % 256);
  await tab.evaluate((bytes) => (crypto.getRandomValues = (into) => (into.set(bytes.slice(0, into.length)), into)), bytes);
  const salt = join(place, "salt");
  writeFileSync(salt, Uint8Array.from(bytes));
  const args = ["redact", "--names", "--salt", salt];
  const { redacted } = JSON.parse(run(...args, "--dry-run", "--format", "json", engine).stdout);
  await form("Without credentials");
  await tab.getByLabel("replace names, too").check();
  await button("Show what is replaced").click();
  await tab.getByText(`Names are replaced, too: ${count.format(redacted.changed_lines)} lines of ${count.format(redacted.lines)} in all.`).waitFor();
  await accessible();
  await tab.screenshot({ path: `${shots}/redact-names.png` });
  const ours = await saved("Download it and its manifest");
  const theirs = { ...made(...args), of: "redact" };
  same(ours, theirs, "e895.server-export.redacted.ndjson");
  for (const name of ["python_binding", "extfs"]) assert.ok(!ours.dump.includes(name), name);
  // Another plan has another salt, and without the box names stay.
  await tab.getByLabel("replace names, too").uncheck();
  assert.equal(await button("Download it and its manifest").count(), 0);
});

test("keys are sorted anew in runs, whatever stands around them", async () => {
  // More than a run holds; a last line without end; and a line behind the keys, which no order moves.
  const body = Array.from({ length: 70_000 }, (_, at) => kv(`__fd_database/t${at % 100}/name-${at}`, "49", at + 1)).join("");
  const salt = join(place, "salt");
  writeFileSync(salt, Uint8Array.from({ length: 32 }, (_, at) => (at * 7 + 1) % 256));
  for (const [name, text] of [["open", sound(body).trimEnd()], ["behind", `${sound(body)}no record\n${kv("__fd_database/z/z", "49", 9000)}`]]) {
    const path = join(place, `${name}.ndjson`);
    writeFileSync(path, text);
    const own = await start({ init: "crypto.getRandomValues = (into) => (into.set(Array.from({ length: 32 }, (_, at) => (at * 7 + 1) % 256).slice(0, into.length)), into)" });
    try {
      await open(own.tab, path);
      await own.tab.keyboard.press("7");
      await own.tab.getByRole("button", { name: "Without credentials" }).click();
      await own.tab.getByLabel("replace names, too").check();
      await own.tab.getByRole("button", { name: "Show what is replaced" }).click();
      await own.tab.getByRole("button", { name: "Download it and its manifest" }).waitFor();
      const { dump: ours } = await saved("Download it and its manifest", own.tab);
      const out = join(place, `${name}.out.ndjson`);
      const ran = run("redact", "--names", "--salt", salt, path, "--output", out);
      assert.ok(ours.equals(readFileSync(out)), `${name}: ${ran.stderr}`);
      assert.deepEqual(own.complaints, []);
    } finally {
      await own.browser.close();
    }
  }
});

test("a credential that stands elsewhere, too, is not given away unasked", async () => {
  const secret = "s3cr3t-of-the-store";
  const bytes = (text) => [...new TextEncoder().encode(text)].join(",");
  const path = join(place, "copies.ndjson");
  // A node's registration is JSON with a secret in it.
  writeFileSync(path, sound(kv("__fd_clusters_v6/t/online_nodes/n", bytes(JSON.stringify({ secret })), 1) + kv("zz/<b>bold</b>", bytes(`says ${secret}`), 2)));
  const refused = run("redact", "--dry-run", path);
  assert.equal(refused.status, 3, refused.stdout + refused.stderr);
  const own = await start();
  try {
    await open(own.tab, path);
    await own.tab.keyboard.press("7");
    await own.tab.getByRole("button", { name: "Without credentials" }).click();
    await own.tab.getByRole("button", { name: "Show what is replaced" }).click();
    await own.tab.getByText("1 line would still have a credential").waitFor();
    await own.tab.getByText("zz/<b>bold</b>").waitFor();
    const download = own.tab.getByRole("button", { name: "Download it and its manifest" });
    assert.ok(await download.isDisabled());
    await own.tab.getByLabel("I have looked at them").check();
    assert.ok(await download.isEnabled());
    assert.deepEqual(own.complaints, []);
  } finally {
    await own.browser.close();
  }
});

test("forms are filled and files made by the keyboard alone, and nothing is asked of the network", async () => {
  await form("A part of it");
  await tab.getByLabel("Objects, one in a line").focus();
  // Digits and slashes are text here, no keys of the page.
  await tab.keyboard.press("Control+A");
  await tab.keyboard.type("1/2");
  assert.equal(await tab.getByLabel("Objects, one in a line").inputValue(), "1/2");
  await tab.keyboard.press("Escape");
  await tab.keyboard.press("1");
  await tab.getByRole("heading", { name: "Tenants" }).waitFor();
  assert.deepEqual(requests.filter((url) => !/^(file|blob):/.test(url)), []);
  assert.deepEqual(complaints, []);
});
