// Numbers near 2^64: the page shows them to the last digit, as the command line does.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { open, page, repo, start } from "../browser.mjs";
import { dump, lines, numbers } from "../large_numbers.mjs";

const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const scratch = mkdtempSync(join(tmpdir(), "metadump-numbers-"));
const path = join(scratch, "large.ndjson");
const other = join(scratch, "other.ndjson");
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
/** The large numbers of a text, each as it is written. */
const large = (text) => text.match(/\d{16,}|\d{1,3}(?:,\d{3}){5,}/g) ?? [];
/** What stands behind each name of a list; all of it can be seen. */
async function listed(within) {
  const wide = await tab.locator(`${within} dd`).evaluateAll((all) => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.innerText));
  assert.deepEqual(wide, []);
  return tab.locator(`${within} dt`).evaluateAll((names) => Object.fromEntries(names.map((name) => [name.innerText, name.nextElementSibling.innerText])));
}

test("the overview has the numbers of inspect", async () => {
  const { stdout } = spawnSync(metactl, ["inspect", path], { encoding: "utf8" });
  const said = Object.fromEntries([...stdout.matchAll(/^(\S+(?: \S+)*) {2,}(.*)$/gm)].map(([, name, text]) => [name, text]));
  await view("1");
  const shown = await listed("main");
  for (const name of ["node id", "vote", "committed", "purged", "log", "last applied", "sequence"]) {
    assert.ok(large(said[name]).length > 0, name);
    assert.deepEqual(large(shown[name]), large(said[name]), name);
  }
  await tab.getByText(/^voters \{18446744073709551611\}$/).waitFor();
  assert.match(said.membership, /^voters \{18446744073709551611\}/);
  assert.match(shown[numbers.node], /^localhost:28103/);
});

test("a line has the numbers that stand in it", async () => {
  await tab.goto(`${page}#lines:${lines.length}`);
  await tab.getByRole("heading", { name: `Line ${lines.length}` }).waitFor();
  const shown = await listed(".panel");
  assert.deepEqual([shown.seq, shown.expires, shown.proposed], [String(numbers.seq), `${numbers.expires} ms`, `${numbers.proposed} ms`]);
  assert.deepEqual(await tab.locator(".fields .json-number").allInnerTexts(), ["18446744073709551615", "18446744073709551615"]);
});

test("an entry is shown with its numbers, and dumps are told apart that differ in the last digit", async () => {
  const { term, node, last, time } = numbers;
  writeFileSync(other, dump.replaceAll(String(last), String(last + 1n)));
  await view("5");
  const row = tab.getByRole("row").filter({ hasText: `T${term}-N${node}.${last}` });
  await row.getByText(`${time} ms`).waitFor();
  await row.click();
  assert.equal((await listed(".panel")).entry, `T${term}-N${node}.${last}`);
  await view("8");
  await tab.locator("main input[type=file]").setInputFiles(other);
  const applied = tab.getByRole("row").filter({ has: tab.getByRole("rowheader", { name: "last applied" }) });
  await applied.waitFor();
  const ids = [last, last + 1n].map((index) => `T${term}-N${node}.${index}`);
  assert.deepEqual(await applied.getByRole("cell").allInnerTexts(), ids);
  assert.deepEqual(complaints, []);
});
