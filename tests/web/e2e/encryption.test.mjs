// Encrypted dumps in the page, and the sample that it brings along.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { axeSource, drop, open, repo, shots, start } from "../browser.mjs";

const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const fixture = (name) => join(repo, "tests/fixtures", name);
const identityFile = fixture("age/identity.txt");
const identity = readFileSync(identityFile, "utf8").match(/^AGE-SECRET-KEY-.*$/m)[0];
const { summary } = JSON.parse(spawnSync(metactl, ["validate", "--format", "json", fixture("valid/v004.ndjson")]).stdout);
const scratch = mkdtempSync(join(tmpdir(), "metadump-encryption-"));

let browser, tab, requests, complaints;
before(async () => ({ browser, tab, requests, complaints } = await start()));
after(() => browser.close());

const fresh = async () => {
  await tab.reload();
  await tab.getByRole("heading", { name: "metadump viewer" }).waitFor();
};
const choose = (file) => tab.locator("input[type=file]").first().setInputFiles(file);
const chooseKey = (file) => tab.getByLabel("or choose an identity file").setInputFiles(file);
const field = () => tab.getByLabel("Identity (AGE-SECRET-KEY-1…) or passphrase");
const isRead = () => tab.getByText(/The dump has been read\./).waitFor({ state: "attached" });
async function accessible() {
  await tab.evaluate(readFileSync(axeSource, "utf8"));
  const { violations } = await tab.evaluate(() => globalThis.axe.run(document));
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html).slice(0, 3)]), []);
}
const lines = () => tab.getByText(new RegExp(`${summary.lines} lines`)).first().waitFor();

test("a dump of the age program is read with its identity, which is typed or a file", async () => {
  for (const name of ["age/v004.ndjson.age", "age/v004.ndjson.zst.age"]) {
    await fresh();
    await choose(fixture(name));
    await tab.getByText("It is encrypted with age, and no identity was given.").waitFor();
    await field().fill(identity);
    await tab.getByRole("button", { name: "Decrypt" }).click();
    await isRead();
    await lines();
    // The next one is read with it, too, as long as the page is there.
    await open(tab, fixture("age/v004.ndjson.age"));
    await fresh();
    await choose(fixture(name));
    await chooseKey(identityFile);
    await isRead();
    await lines();
  }
});

test("an identity that is dropped or pasted beside the form reads it, too", async () => {
  const key = readFileSync(identityFile, "utf8");
  await fresh();
  await choose(fixture("age/v004.ndjson.age"));
  await field().waitFor();
  await accessible();
  await tab.screenshot({ path: join(shots, "encrypted.png") });
  await drop(tab, { "key.txt": key });
  await isRead();
  await lines();
  await fresh();
  await choose(fixture("age/v004.ndjson.age"));
  await field().waitFor();
  await tab.evaluate((text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, key);
  await isRead();
  await lines();
});

test("a passphrase reads what it encrypts", async () => {
  await fresh();
  await choose(fixture("age/passphrase.ndjson.age"));
  await field().fill("a passphrase of the tests");
  await tab.getByRole("button", { name: "Decrypt" }).click();
  await isRead();
  await lines();
});

test("what does not read it is said, and asked for again", async () => {
  await fresh();
  await choose(fixture("age/v004.ndjson.age"));
  await chooseKey(fixture("age/other-identity.txt"));
  await tab.getByText("what was given does not read it").waitFor();
  await field().fill("AGE-SECRET-KEY-1SHORT");
  await tab.getByRole("button", { name: "Decrypt" }).click();
  await tab.getByText("What was given is no identity of age").waitFor();
  await field().fill(identity);
  await tab.getByRole("button", { name: "Decrypt" }).click();
  await isRead();
  await lines();
});

test("a damaged dump is shown up to the damage, proven or not as by validate", async () => {
  const dump = join(scratch, "meta.ndjson.age");
  const recipients = fixture("age/recipient.txt");
  const origin = fixture("v004/v004-origin.export.ndjson");
  const made = spawnSync(metactl, ["rewrite", "--db", origin, "--output", dump, "--recipients-file", recipients]);
  assert.equal(made.status, 0, String(made.stderr));
  await fresh();
  await choose([dump, `${dump}.manifest.json`]);
  await field().fill(identity);
  await tab.getByRole("button", { name: "Decrypt" }).click();
  await isRead();
  await tab.getByText("Nothing is wrong").waitFor();

  const bytes = readFileSync(dump);
  bytes[bytes.length - 10_000] ^= 1;
  writeFileSync(dump, bytes);
  await fresh();
  await choose(dump);
  await field().fill(identity);
  await tab.getByRole("button", { name: "Decrypt" }).click();
  await tab.getByText(/Cannot read all of meta\.ndjson\.age: It is encrypted with age, and damaged or cut 131072 bytes of its content on/).waitFor();
});

test("a sample is a click away", async () => {
  await fresh();
  await tab.getByRole("button", { name: "Open a sample dump" }).click();
  await isRead();
  await tab.getByText("Nothing is wrong").waitFor();
  await tab.keyboard.press("2");
  await tab.getByText("acme").first().waitFor();
});

test("nothing was asked of any network, and nothing was wrong", () => {
  assert.deepEqual(requests.filter((url) => !/^(file|blob|data):/.test(url)), []);
  assert.deepEqual(complaints, []);
});
