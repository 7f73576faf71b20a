// Directories: a raft directory is read as the command line reads it, and a dump is found with its manifest.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";

import { anew, axeSource, repo, shots, start } from "../browser.mjs";
import { damagedDirectory, exported, fixtureDirectories, metactl, olderDirectory } from "../directories.mjs";

// Chromium gives no page a directory below /dev, where the temporary one can be.
mkdirSync(join(repo, "tests/build"), { recursive: true });
const folder = mkdtempSync(join(repo, "tests/build/directories-"));
const directories = fixtureDirectories(join(folder, "fixtures"));
let browser, tab, requests, complaints, protocol;
before(async () => {
  ({ browser, tab, requests, complaints } = await start());
  protocol = await tab.context().newCDPSession(tab);
});
after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

const fresh = () => anew(tab);
const wasRead = () => tab.getByText(/The dump has been read\./).waitFor({ state: "attached" });

/** Drops something from the disk, as a file manager does. */
async function dropped(...files) {
  const data = { items: [], files, dragOperationsMask: 1 };
  const send = (type) => protocol.send("Input.dispatchDragEvent", { type, x: 400, y: 400, data });
  await tab.evaluate(() => addEventListener("drop", () => (globalThis.wasDropped = true), { capture: true, once: true }));
  // The browser drops only where the page has said before that it takes what is dragged.
  while (!(await tab.evaluate(() => globalThis.wasDropped))) {
    for (const type of ["dragEnter", "dragOver"]) await send(type);
    await tab.locator(".over").waitFor();
    for (const type of ["dragOver", "drop"]) await send(type);
  }
}

async function chosen(path) {
  await tab.locator("input[webkitdirectory]").setInputFiles(path);
}

for (const [way, open] of Object.entries({ dropped, chosen })) {
  test(`a raft directory that is ${way} is shown as the dump that export makes of it`, async () => {
    for (const path of directories) {
      const { dump } = exported(path);
      const file = join(folder, "exported.ndjson");
      writeFileSync(file, dump);
      const ran = spawnSync(metactl, ["inspect", "--format", "json", file], { encoding: "utf8" });
      const { summary } = JSON.parse(ran.stdout);
      await fresh();
      await open(path);
      await wasRead();
      await tab.getByText(`Raft directory ${basename(path)}, data version V004`).waitFor();
      const grouped = (count) => new Intl.NumberFormat("en-US").format(count);
      await tab.getByText(`${grouped(summary.lines)} lines`).first().waitFor();
      await tab.getByText(summary.state_hash).first().waitFor();
    }
    await tab.screenshot({ path: `${shots}/raft-directory-${way}.png` });
    await tab.evaluate(readFileSync(axeSource, "utf8"));
    const { violations } = await tab.evaluate(() => globalThis.axe.run(document));
    assert.deepEqual(violations.map(({ id }) => id), []);
    await tab.keyboard.press("6");
    await tab.getByText("DataHeader").first().waitFor();
  });
}

test("a directory with a dump and its manifest is opened as that dump", async () => {
  const place = join(folder, "backup");
  mkdirSync(place);
  const ran = spawnSync(metactl, ["export", "--raft-dir", directories[0], "--db", join(place, "meta.ndjson")], { encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stderr);
  assert.deepEqual(readdirSync(place).sort(), ["meta.ndjson", "meta.ndjson.manifest.json"]);
  await fresh();
  await dropped(place);
  await wasRead();
  await tab.getByRole("heading", { name: "meta.ndjson" }).waitFor();
  await tab.getByText(/manifest/).first().waitFor();
  assert.equal(await tab.getByText(/^Raft directory/).count(), 0);
});

test("what the reader says of a directory is shown", async () => {
  const [path] = fixtureDirectories(join(folder, "without-version"));
  // As the service inside an engine leaves it: without the version, and without the sled that servers of its own open.
  for (const name of ["df_meta/VERSION", ...readdirSync(path).filter((name) => name !== "df_meta")]) rmSync(join(path, name), { recursive: true });
  const said = exported(path).said.split("\n").find((line) => line.startsWith("note: there is no df_meta/VERSION"));
  await fresh();
  await dropped(path);
  await wasRead();
  await tab.getByText(said).waitFor();
});

test("a damaged one is refused in the words of the command line", async () => {
  const path = damagedDirectory(folder);
  const cause = /^cause: (.*)$/m.exec(exported(path).said)[1];
  await fresh();
  await dropped(path);
  const alert = tab.getByRole("alert");
  await alert.getByText(cause).waitFor();
  await alert.getByText("a file of the log is damaged or missing; take a dump from another node").waitFor();
});

test("a directory that is none of these is refused with what to do", async () => {
  const empty = join(folder, "other");
  mkdirSync(empty);
  writeFileSync(join(empty, "readme.txt"), "nothing");
  for (const [path, said, help] of [
    [empty, "other is not the data directory of a meta service", "drop the directory that the server has as raft_dir"],
    [olderDirectory(folder), "older is a raft directory of V003 or older", "open the dump that `databend-metactl export --raft-dir` makes of it"],
  ]) {
    await fresh();
    await dropped(path);
    const alert = tab.getByRole("alert");
    await alert.getByText(`Cannot read ${basename(path)}. ${said}`).waitFor();
    await alert.getByText(help).waitFor();
  }
  await fresh();
  await dropped(empty, join(empty, "readme.txt"));
  await tab.getByRole("alert").getByText("More was dropped than a directory: drop it alone.").waitFor();
});

test("nothing was asked of the network, and nothing complained", () => {
  assert.deepEqual(requests.filter((url) => !/^(file|blob|data):/.test(url)), []);
  assert.deepEqual(complaints, []);
});
