// What goes wrong: input that is no dump, files that vanish, workers that die, keys that deceive.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

import { anew, dieIn, drop, inWorkers, kv, open, repo, sound, start } from "../browser.mjs";

const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const scratch = mkdtempSync(join(tmpdir(), "metadump-faults-"));
const file = (name, content) => {
  const path = join(scratch, name);
  writeFileSync(path, content);
  return path;
};
const keys = Array.from({ length: 9000 }, (_, at) => kv(`__fd_a/${String(at).padStart(6, "0")}`, "49,50,51,52,53,54,55,56,57", at + 1));
const good = sound(keys.join(""));
let browser, tab, complaints;
before(async () => ({ browser, tab, complaints } = await start()));
after(() => browser.close());
const fresh = () => anew(tab);
const view = async (key) => {
  await tab.evaluate(() => document.activeElement?.blur());
  await tab.keyboard.press(key);
};

for (const [name, content] of Object.entries({
  "empty.ndjson": "",
  "bytes.bin": Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7919) % 256)),
  "other.json": '{"a":1}',
  "array.json": "[1,2,3]\n",
  "empty.ndjson.gz": gzipSync(""),
  "members.ndjson.gz": Buffer.concat([gzipSync(good.slice(0, 5000)), gzipSync(good.slice(5000))]),
})) {
  test(`${name} gets the findings of the command line`, async () => {
    const path = file(name, content);
    const ran = spawnSync(metactl, ["validate", "--format", "json", path], { encoding: "utf8" });
    const { findings } = JSON.parse(ran.stdout);
    await fresh();
    await open(tab, path);
    await view("3");
    assert.ok(findings.length > 0);
    for (const { message, help } of findings) {
      await tab.getByText(message, { exact: true }).first().waitFor();
      await tab.getByText(help).first().waitFor();
    }
  });
}

for (const [name, content] of Object.entries({
  "picture.ndjson": Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(500, 10)]),
  "list.ndjson": "id,name\n1,one\n".repeat(300),
  "packed.ndjson": Buffer.from("\xfd7zXZ\0 packed", "latin1"),
  "packed-2.ndjson": "BZh91AY packed",
  "archive.ndjson": "PK\x03\x04 an archive",
  "wide.ndjson": Buffer.from(`\ufeff${good.slice(0, 3000)}`, "utf16le"),
  "a.snap": "rotbl\0\0\0 a table",
  "a.wal": Buffer.from([0, 0, 0, 5, 1, 0, 0, 0]),
})) {
  test(`${name} is said in one sentence to be no dump`, async () => {
    const path = file(name, content);
    const { findings } = JSON.parse(spawnSync(metactl, ["validate", "--format", "json", path], { encoding: "utf8" }).stdout);
    const said = findings.find(({ severity }) => severity === "error");
    await fresh();
    await open(tab, path);
    await view("1");
    await tab.getByRole("heading", { name: "This is not a dump" }).waitFor();
    await tab.getByText(said.message, { exact: true }).waitFor();
    assert.equal(await tab.getByRole("heading", { name: "Node and log" }).count(), 0);
  });
}

test("a manifest that comes later proves the dump that is open, or does not", async () => {
  await fresh();
  const dump = file("proven.ndjson", good);
  const out = join(scratch, "out.ndjson");
  const ran = spawnSync(metactl, ["rewrite", "--db", dump, "--output", out, "--id", "1", "--initial-cluster", "1=localhost:28103"], { encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stderr);
  await open(tab, out);
  await view("1");
  await tab.getByText("Completeness is not proven: there is no manifest.").waitFor();
  await drop(tab, { "out.ndjson.manifest.json": readFileSync(`${out}.manifest.json`, "utf8") });
  await tab.getByText("Complete: lines, size and SHA-256 are those of the manifest.").waitFor();
  await tab.getByRole("heading", { name: "out.ndjson" }).waitFor();
});

test("findings are told by severity, and n goes through them in this order", async () => {
  const late = sound(keys.slice(0, 50).join("") + "no record\n").replace('"Purged":null', '"Purged":null ');
  const path = file("late.ndjson", late);
  const args = ["rewrite", "--db", path, "--id", "7", "--initial-cluster", "7=localhost:28103"];
  const [, refusal] = spawnSync(metactl, args, { encoding: "utf8" }).stderr.match(/^error: .*, (line 63, byte \d+: .*)$/m);
  await fresh();
  await open(tab, path);
  await view("3");
  const severities = await tab.locator(".finding strong").allInnerTexts();
  const ranks = severities.map((severity) => ["error", "warning", "note"].indexOf(severity));
  assert.ok(ranks.length > 1 && ranks.every((rank, at) => at === 0 || rank >= ranks[at - 1]), severities.join());
  await view("n");
  await tab.getByRole("heading", { name: "Line 63" }).waitFor();
  await view("7");
  await tab.getByLabel("Node 1, host").fill("7=localhost:28103");
  await tab.getByRole("button", { name: "Show what changes" }).click();
  await tab.getByRole("alert").getByText(refusal).waitFor();
  await tab.getByRole("button", { name: "Show all that is wrong" }).click();
  await tab.locator(".finding").first().waitFor();
});

test("of a dump that was cut while packed, what came before can be looked at", async () => {
  const packed = gzipSync(good);
  await fresh();
  await open(tab, file("cut.ndjson.gz", packed.subarray(0, packed.length / 2)));
  const alert = tab.getByRole("alert");
  await alert.getByText(/^Cannot read all of cut.ndjson.gz: the gzip stream ends inside a member, after [\d,]+ bytes: it was cut\.$/).waitFor();
  await alert.getByText("fetch it again").waitFor();
  await view("6");
  await tab.getByText('"V004"').first().waitFor();
  // All lines may be there, and what follows be damaged: that is no sound dump.
  const damaged = Buffer.from(packed);
  damaged[packed.length - 5] ^= 1;
  await fresh();
  await open(tab, file("damaged.ndjson.gz", damaged));
  await view("1");
  await tab.getByRole("heading", { name: "✕ Not all of it could be read" }).waitFor();
  for (const key of ["1", "3"]) {
    await view(key);
    await tab.getByText("In what was read: 0 errors, 0 warnings, 1 note").waitFor();
  }
  // What is made of it would come with a manifest that calls it complete.
  await view("7");
  for (const [form, make] of [["A new cluster", "Show what changes"], ["A part of it", "Show what stays"], ["Without credentials", "Show what is replaced"]]) {
    await tab.getByRole("button", { name: form }).click();
    await tab.getByText(/^Not all of the file could be read, and what is made of the rest would look complete/).waitFor();
    assert.ok(await tab.getByRole("button", { name: make }).isDisabled());
  }
  await view("8");
  await tab.locator("main input[type=file]").setInputFiles(file("good.ndjson", good));
  await tab.getByRole("alert").getByText("damaged.ndjson.gz is not compared: the gzip stream is broken").waitFor();
});

test("a dump is not compared with what is none", async () => {
  await fresh();
  await tab.locator("input[type=file]").first().setInputFiles([file("one.ndjson", good), file("notes.csv", "id,name\n1,a\n")]);
  await tab.getByRole("alert").getByText("notes.csv is not compared: the file is a text that starts with").waitFor();
});

test("a file that changes while it is open is told, and can be opened again", async () => {
  const path = file("changing.ndjson", good);
  await fresh();
  await open(tab, path);
  await view("6");
  appendFileSync(path, kv("z", "1", 900));
  await tab.getByRole("grid").focus();
  await tab.keyboard.press("G");
  await tab.getByRole("alert").getByText(/Line 9,012 cannot be read\. .*changed, moved or deleted.* Open it again\./).waitFor();
  await view("/");
  await tab.keyboard.type("000007");
  await tab.keyboard.press("Enter");
  await tab.locator(".status").getByText(/^The file cannot be read: it was changed, moved or deleted/).waitFor();
  await open(tab, path);
  await tab.getByText("9,013 lines").first().waitFor();
});

test("what cannot be seen in a key is shown as an escape, and very long keys and lines are cut", async () => {
  const trick = "safe/\u202Eexe.gpj\u202C\u200B\u0007<img src=x onerror=alert(1)>";
  const long = `y/${"k".repeat(1 << 20)}`;
  const hostile = sound(kv(trick, "1", 5) + kv(long, "1", 6) + kv("z", `${"250,".repeat(13 << 20)}1`, 7));
  await fresh();
  await open(tab, file("hostile.ndjson", hostile));
  await view("4");
  const shown = "safe/\\u{202e}exe.gpj\\u{202c}\\u{200b}\\u{7}<img src=x onerror=alert(1)>";
  await tab.getByRole("grid", { name: "Keys" }).getByText(shown, { exact: true }).waitFor();
  await tab.getByRole("definition").getByText(shown, { exact: true }).first().waitFor();
  assert.equal(await tab.locator("img").count(), 0);
  await tab.getByRole("grid", { name: "Keys" }).focus();
  await tab.keyboard.press("j");
  await tab.getByText("… 1,048,578 characters").waitFor();
  await tab.keyboard.press("j");
  await tab.getByText("The line has 52.0 MiB; what is longer than 8.00 MiB is shown in part: save the line to see all of it.").first().waitFor();
  // Its key is known all the same, and all of it can be taken out.
  await tab.locator(".panel").getByRole("definition").getByText("z", { exact: true }).first().waitFor();
  await tab.locator(".panel").getByRole("definition").getByText("7", { exact: true }).waitFor();
  await tab.evaluate(() => delete window.showSaveFilePicker);
  const [download] = await Promise.all([tab.waitForEvent("download"), tab.getByRole("button", { name: "Save line" }).click()]);
  assert.ok(readFileSync(await download.path()).equals(Buffer.from(hostile.trimEnd().split("\n").at(-1) + "\n")));
  await view("6");
  await tab.getByRole("row", { selected: true }).getByText(/more than [\d,]+ bytes …/).waitFor();
  assert.ok((await tab.locator("main").innerText()).length < 200_000);
});

test("the page complained of nothing", () => assert.deepEqual(complaints, []));

/** A page of its own, in whose workers `names` die. */
async function dying(names, check) {
  const own = await start({ init: inWorkers(dieIn(names)) });
  try {
    await open(own.tab, file("good.ndjson", good));
    await check(own.tab);
  } finally {
    await own.browser.close();
  }
}
const search = async (page) => {
  await page.keyboard.press("/");
  await page.keyboard.type("000042");
  await page.keyboard.press("Enter");
};
const change = async (page) => {
  await page.keyboard.press("7");
  await page.getByLabel("Node 1, host").fill("7=localhost:28103");
  await page.getByRole("button", { name: "Show what changes" }).click();
};
const compare = async (page) => {
  await page.keyboard.press("8");
  await page.locator("main input[type=file]").setInputFiles(file("second.ndjson", good));
};

for (const [job, act, done] of [["search", search, "1 hit"], ["rewrite", change, "node id: 1 -> 7"], ["compare", compare, "9,000 are the same"]]) {
  test(`a worker that dies of a ${job} is replaced, and that is said`, () =>
    dying(`/^${job}$/`, async (page) => {
      await act(page);
      await page.getByText(done).first().waitFor();
      await page.getByText(/worker(s)? died and had to be replaced/).waitFor();
    }));
  test(`a ${job} that kills every worker is told`, () =>
    dying(`/^${job}/`, async (page) => {
      await act(page);
      await page.getByText(/The worker died twice: .*killed by the test/).first().waitFor();
    }));
}
