// The ways through the page: what is kept when views change, what addresses and the keyboard reach.
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { anew, drop, kv, open, page, sound, start } from "../browser.mjs";

const path = join(mkdtempSync(join(tmpdir(), "metadump-ways-")), "dump.ndjson");
const body = Array.from({ length: 600 }, (_, at) =>
  kv(`${at < 400 ? "big" : "small"}/${at % 2 ? "x" : "y"}${Math.floor(at / 100)}/${String(at).padStart(4, "0")}`, "49,50,51,52,53,54,55,56,57", at + 1)).sort().join("");
const dump = sound(body);
writeFileSync(path, dump);
let browser, tab, complaints;
before(async () => {
  ({ browser, tab, complaints } = await start());
  await open(tab, path);
});
after(() => browser.close());
const view = async (key) => {
  await tab.evaluate(() => document.activeElement?.blur());
  await tab.keyboard.press(key);
};
const hash = () => tab.evaluate(() => location.hash);

test("the keyboard goes down the tree of prefixes, to the keys, and back", async () => {
  await view("4");
  await tab.keyboard.press("j");
  const prefixes = tab.getByRole("grid", { name: "Prefixes" });
  assert.equal(await prefixes.getAttribute("aria-rowcount"), "2");
  await tab.keyboard.press("g");
  await prefixes.getByRole("row", { selected: true }).getByText("big/").waitFor();
  await tab.keyboard.press("Enter");
  await tab.getByText("400 keys").first().waitFor();
  assert.equal(await prefixes.getAttribute("aria-rowcount"), "8");
  await tab.keyboard.press("ArrowRight");
  await tab.getByText("50 keys").first().waitFor();
  // There are no prefixes below: the keys have the focus.
  await tab.keyboard.press("G");
  await tab.getByRole("grid", { name: "Keys" }).getByRole("row", { selected: true }).getByText(/^big\//).waitFor();
  await tab.keyboard.press("Backspace");
  await tab.getByText("400 keys").first().waitFor();
  await tab.keyboard.press("ArrowLeft");
  await tab.getByText("600 keys").first().waitFor();
});

test("search, form and second dump are still there when another view was shown", async () => {
  await view("/");
  await tab.keyboard.type("/x");
  await tab.keyboard.press("Enter");
  await tab.getByText("300 hits").waitFor();
  await view("7");
  await tab.getByLabel("Node 1, host").fill("7=localhost:28103");
  await tab.getByRole("button", { name: "Show what changes" }).click();
  await tab.getByText("node id: 1 -> 7").waitFor();
  await view("8");
  await tab.locator("main input[type=file]").setInputFiles(path);
  await tab.getByText("600 are the same").waitFor();
  for (const [key, text] of [["4", "300 hits"], ["7", "node id: 1 -> 7"], ["8", "600 are the same"]]) {
    await view("1");
    await view(key);
    await tab.getByText(text).waitFor();
  }
  await view("7");
  assert.equal(await tab.getByLabel("Node 1, host").inputValue(), "localhost");
});

test("every line that goes or comes can be seen before it is saved", async () => {
  await view("7");
  const signs = async () => (await tab.locator(".changes .number").allInnerTexts()).map((text) => text.trim()[0]);
  const expected = ["−", "+", "+", "+", "−", "+", "−", "+"];
  assert.deepEqual(await signs(), expected);
});

test("the place is the same line in keys, log and lines, and in the address", async () => {
  await view("4");
  await tab.getByRole("button", { name: "Clear" }).click();
  await tab.getByRole("grid", { name: "Keys" }).focus();
  await tab.keyboard.press("G");
  await tab.getByRole("heading", { name: "Line 612" }).waitFor();
  assert.equal(await hash(), "#keys:612");
  await view("6");
  await tab.getByRole("heading", { name: "Line 612" }).waitFor();
  await tab.goto(`${page}#log:8`);
  await tab.reload();
  await open(tab, path);
  await tab.getByRole("grid", { name: "Log entries" }).getByRole("row", { selected: true }).getByText("UpsertKV").waitFor();
  assert.equal(await hash(), "#log:8");
});

test("the browser goes back to the view before", async () => {
  await view("1");
  await view("3");
  await view("6");
  await tab.goBack();
  await tab.locator("nav [aria-current=page]").getByText("Findings").waitFor();
  await tab.goBack();
  await tab.locator("nav [aria-current=page]").getByText("Overview").waitFor();
});

test("two dumps that are dropped together are compared", async () => {
  await drop(tab, { "old.ndjson": dump, "new.ndjson": dump.replace('"index":2}}]', '"index":2} }]') + kv("z", "1", 900) });
  await tab.getByRole("button", { name: "+ 1 added" }).waitFor();
  await tab.getByText("600 are the same").waitFor();
  await tab.getByRole("columnheader", { name: "new.ndjson" }).waitFor();
  await tab.getByRole("grid", { name: "What differs" }).getByText("keys of no known form: 1 key added").waitFor();
  await tab.getByRole("group", { name: "Key z" }).waitFor();
  await tab.getByText("The record").click();
  // Lines are shown of the first dump only: there is no way from a line of the second.
  await tab.getByText("line 613").waitFor();
  assert.equal(await tab.getByRole("button", { name: "line 613" }).count(), 0);
  // One more takes the place of the second.
  await drop(tab, { "third.ndjson": dump });
  await tab.getByRole("columnheader", { name: "third.ndjson" }).waitFor();
  await tab.getByText("The two states are identical.").waitFor();
  await drop(tab, { a: dump, b: dump, c: dump });
  await tab.getByRole("alert").getByText("More than two dumps").waitFor();
});

test("values are shown as what they are, as text and in hexadecimal", async () => {
  // A message of two versions and a text; JSON with a number that no double holds.
  const message = [0x0a, 2, 104, 105, 0xa0, 0x06, 0x18, 0xa8, 0x06, 1];
  const json = '{"id":12345678901234567890,"list":[]}';
  const values = sound(kv("a/1", message.join(), 1) + kv("a/2", [...Buffer.from(json)].join(), 2));
  await view("1");
  await drop(tab, { "values.ndjson": values });
  await view("4");
  await tab.getByText("min_reader_ver").waitFor();
  await tab.getByRole("button", { name: "hex" }).click();
  await tab.getByText("0000  0a 02 68 69 a0 06 18 a8 06 01").waitFor();
  await tab.getByRole("grid", { name: "Keys" }).focus();
  await tab.keyboard.press("G");
  await tab.getByRole("button", { name: "json", exact: true }).click();
  assert.equal(await tab.getByLabel("JSON").innerText(), '{\n  "id": 12345678901234567890,\n  "list": []\n}');
});

test("the wheel reaches rows beside each other where the scroll bar cannot", async () => {
  const small = `${"x".repeat(9)}\n`.repeat(1 << 20);
  await tab.evaluate((small) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([small], "many.ndjson"));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
  }, small);
  await tab.getByText("1,048,576 lines").first().waitFor();
  await view("6");
  const grid = tab.getByRole("grid");
  await grid.focus();
  await tab.keyboard.press("G");
  await tab.getByRole("row", { selected: true }).getByText("1,048,576").waitFor();
  const box = await grid.boundingBox();
  await tab.mouse.move(box.x + 50, box.y + 50);
  await tab.mouse.wheel(0, -24 * 100);
  await tab.getByRole("row").getByText("1,048,460", { exact: true }).waitFor();
  await tab.mouse.wheel(0, 24 * 200);
  await tab.getByRole("row", { selected: true }).waitFor();
});

test("what is no dump says so in every view, and leaves a way back", async () => {
  await anew(tab);
  await open(tab, path);
  await drop(tab, { "notes.csv": "id,name\n1,a\n2,b\n" });
  const verdict = tab.getByRole("heading", { name: "✕ This is not a dump" });
  for (const key of ["1", "2", "4", "5", "7"]) {
    await view(key);
    await verdict.waitFor();
    assert.equal(await tab.getByText("The dump has no keys.").count(), 0);
  }
  await tab.getByRole("button", { name: "Back to dump.ndjson" }).click();
  await view("4");
  await tab.getByText("600 keys").first().waitFor();
  // Zeros at the end of a dump are no other file: what to do is said, whatever else is wrong before them.
  await drop(tab, { "zeros.ndjson": `${dump}no record\n${"\0".repeat(4096)}` });
  await view("1");
  await tab.getByRole("heading", { name: "✕ the file ends in 4,096 zero bytes" }).waitFor();
  await tab.getByText("cut them off: tr -d").waitFor();
  await tab.getByRole("button", { name: "Back to dump.ndjson" }).click();
  // Nor is what nobody waited for the dump that was open.
  await tab.evaluate(() => (Worker.prototype.postMessage = () => {}));
  await drop(tab, { "slow.ndjson": dump });
  await tab.getByRole("button", { name: "Cancel" }).click();
  await tab.getByRole("button", { name: "Back to dump.ndjson" }).click();
  await tab.getByRole("heading", { name: "dump.ndjson" }).waitFor();
  await anew(tab);
  await open(tab, path);
});

test("another dump is opened in place of the first, in whichever view", async () => {
  await view("8");
  const beyond = dump.replace('"LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":1},"index":2}}', '"LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":1},"index":1}}');
  assert.notEqual(beyond, dump);
  const file = { name: "beyond.ndjson", mimeType: "text/plain", buffer: Buffer.from(beyond) };
  await tab.getByLabel("Open another").setInputFiles([file]);
  await tab.getByRole("heading", { name: "beyond.ndjson" }).waitFor();
  assert.equal(await tab.getByLabel("Open a directory").count(), 1);
  // What a search finds is of the snapshot.
  const later = /as of T1-N1\.1, 1 later log entry not applied/;
  await view("/");
  for (const [text, found] of [["big/x0", "50 hits"], ["nowhere", "0 hits"]]) {
    await tab.getByRole("searchbox", { name: "Search" }).fill(text);
    await tab.keyboard.press("Enter");
    const status = tab.locator(".status").filter({ hasText: found });
    await status.getByText(later).waitFor();
  }
  await tab.getByLabel("How to search").selectOption("expiring");
  await tab.getByText("No key that starts so expires.").waitFor();
  await view("2");
  await tab.getByPlaceholder("Find in all tenants").fill("");
  await tab.getByPlaceholder("Find in all tenants").focus();
  await tab.keyboard.press("ArrowDown");
  const focused = () => tab.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  assert.equal(await focused(), "Tenants");
  await view("5");
  await tab.getByRole("searchbox", { name: "Filter the log" }).focus();
  await tab.keyboard.press("ArrowDown");
  assert.equal(await focused(), "Log entries");
});

test("a line that is not there is said", async () => {
  await view("6");
  for (const line of ["999,999", "ten"]) {
    await tab.getByLabel("Go to line").fill(line);
    await tab.keyboard.press("Enter");
    await tab.getByText("There is no such line: they go from 1 to 612").waitFor();
    await tab.getByLabel("Go to line").fill("5");
    await tab.keyboard.press("Enter");
    await tab.getByText("of 612").waitFor();
  }
  await tab.getByLabel("Go to line").fill("6");
  await tab.keyboard.press("Enter");
  await tab.getByText("of 612").waitFor();
});

test("a cluster that is pasted takes the place of empty rows", async () => {
  await view("7");
  await tab.getByRole("button", { name: "Add a node" }).click();
  await tab.getByRole("button", { name: "Add a node" }).click();
  await tab.getByLabel("Node 1, host").fill("1=meta-1:28103,2=meta-2:28103,3=meta-3:28103");
  await tab.getByLabel("Node 3, host").waitFor();
  assert.equal(await tab.locator("fieldset.member").count(), 3);
  assert.deepEqual(await tab.locator("fieldset.member input[inputmode=numeric]").evaluateAll((inputs) => inputs.map((input) => input.value)), ["1", "28103", "2", "28103", "3", "28103"]);
  await tab.getByLabel("Node 1, id").fill("3");
  await tab.getByText("node 3 is given twice: meta-1:28103 and meta-3:28103").waitFor();
  assert.ok(await tab.getByRole("button", { name: "Show what changes" }).isDisabled());
});

test("the page complained of nothing", () => assert.deepEqual(complaints, []));
