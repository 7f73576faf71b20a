// The viewer as the command line serves it: opened by its address, read by ranges, ended by a button.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, copyFileSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

import { launch, repo } from "../browser.mjs";

const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const scratch = mkdtempSync(join(tmpdir(), "metadump-view-"));
const dump = join(scratch, "a dump & co.ndjson");
copyFileSync(join(repo, "tests/fixtures/v004/v004-origin.export.ndjson"), dump);

test("a dump is looked at in the browser, and the page ends the server", async () => {
  const server = spawn(metactl, ["view", dump], { stdio: ["ignore", "pipe", "ignore"] });
  const exited = once(server, "exit");
  const [url] = await once(createInterface({ input: server.stdout }), "line");
  const browser = await launch();
  try {
    const tab = await browser.newPage();
    const requests = [];
    const complaints = [];
    tab.on("request", (request) => requests.push([request.method(), new URL(request.url())]));
    tab.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    tab.on("pageerror", (error) => complaints.push(String(error)));
    await tab.goto(url);
    await tab.getByText(/The dump has been read\./).waitFor({ state: "attached" });
    await tab.getByRole("heading", { name: "a dump & co.ndjson" }).waitFor();
    await tab.getByText("Nothing is wrong").waitFor();
    const { summary } = JSON.parse(spawnSync(metactl, ["validate", "--format", "json", dump]).stdout);
    await tab.getByText(`V004, 162 KiB, ${summary.lines} lines`).waitFor();
    await tab.keyboard.press("6");
    await tab.getByRole("grid", { name: "Lines of the dump" }).focus();
    await tab.keyboard.press("G");
    await tab.getByRole("heading", { name: `Line ${summary.lines}` }).waitFor();

    const { host, pathname } = new URL(url);
    assert.deepEqual([...new Set(requests.map(([, { host }]) => host))].filter(Boolean), [host]);
    const asked = requests.filter(([, { protocol }]) => protocol === "http:").slice(1);
    assert.ok(asked.length > 1 && asked.every(([, url]) => url.pathname === `${pathname}dump`));

    await tab.getByRole("button", { name: "End server" }).click();
    await tab.getByText("The server has ended").waitFor();
    const [code] = await exited;
    assert.equal(code, 0);
    assert.equal(await tab.getByText("Reading was cancelled").count(), 0);
    assert.deepEqual(complaints, []);
    // What needs the server says so from now on; the rest of the page stays.
    await tab.keyboard.press("1");
    await tab.getByText("Nothing is wrong").waitFor();
  } finally {
    await browser.close();
    server.kill();
  }
});

test("a new dump is written into the file that the user chooses", async () => {
  const server = spawn(metactl, ["view", dump], { stdio: ["ignore", "pipe", "ignore"] });
  const [url] = await once(createInterface({ input: server.stdout }), "line");
  const browser = await launch();
  try {
    const tab = await browser.newPage();
    // The answer to the dialog: a file of the browser's own storage, or none.
    await tab.addInitScript(() => {
      globalThis.showSaveFilePicker = async ({ suggestedName }) => {
        if (globalThis.refusing) throw new DOMException("not here", globalThis.refusing);
        return (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true });
      };
    });
    await tab.goto(url);
    await tab.getByText(/The dump has been read\./).waitFor({ state: "attached" });
    await tab.keyboard.press("7");
    await tab.getByLabel("Node 1, host").fill("7=localhost:28103");
    await tab.getByRole("button", { name: "Show what changes" }).click();
    const save = tab.getByRole("button", { name: "Download the new dump" });
    await tab.evaluate(() => (globalThis.refusing = "NotAllowedError"));
    await save.click();
    await tab.getByText("Nothing was saved. not here").waitFor();
    await tab.evaluate(() => (globalThis.refusing = "AbortError"));
    await save.click();
    await tab.evaluate(() => (globalThis.refusing = null));
    await save.click();
    const name = "a dump & co.node7.ndjson";
    await tab.getByText(new RegExp(`${name}, .* is written`)).waitFor();
    const written = await tab.evaluate(async (name) => {
      const root = await navigator.storage.getDirectory();
      return (await (await root.getFileHandle(name)).getFile()).text();
    }, name);
    const args = ["rewrite", "--db", dump, "--id", "7", "--initial-cluster", "7=localhost:28103"];
    assert.ok(written === spawnSync(metactl, args, { encoding: "utf8" }).stdout);
  } finally {
    await browser.close();
    server.kill();
  }
});

test("a dump that is not its manifest's is told, as by validate", async () => {
  const other = join(scratch, "other.ndjson");
  spawnSync(metactl, ["rewrite", "--db", dump, "--output", other, "--id", "1", "--initial-cluster", "1=localhost:28103"]);
  copyFileSync(dump, other);
  const server = spawn(metactl, ["view", other], { stdio: ["ignore", "pipe", "ignore"] });
  const [url] = await once(createInterface({ input: server.stdout }), "line");
  const browser = await launch();
  try {
    const tab = await browser.newPage();
    await tab.goto(url);
    await tab.getByText(/The dump has been read\./).waitFor({ state: "attached" });
    await tab.keyboard.press("3");
    const { findings } = JSON.parse(spawnSync(metactl, ["validate", "--format", "json", other]).stdout);
    assert.ok(findings.some(({ code }) => code === "manifest-mismatch"));
    for (const { message } of findings) await tab.getByText(message).first().waitFor();
  } finally {
    await browser.close();
    server.kill();
  }
});

/** Views a file in a tab of its own until `use` is done with it. */
async function view(file, use) {
  const server = spawn(metactl, ["view", file], { stdio: ["ignore", "pipe", "ignore"] });
  const exited = once(server, "exit");
  const [url] = await once(createInterface({ input: server.stdout }), "line");
  const browser = await launch();
  try {
    const tab = await browser.newPage();
    const complaints = [];
    tab.on("pageerror", (error) => complaints.push(String(error)));
    await tab.goto(url);
    await tab.getByText(/The dump has been read\./).waitFor({ state: "attached" });
    await use(tab, server, exited);
    assert.deepEqual(complaints, []);
  } finally {
    await browser.close();
    server.kill();
  }
}

test("a line that cannot be read any more is not shown as another one", async () => {
  const many = join(scratch, "many.ndjson");
  const key = (at) => `["state_machine/0",{"GenericKV":{"key":"k${at}","value":{"seq":${at},"meta":null,"data":[${"49,50,".repeat(300)}51]}}}]\n`;
  writeFileSync(many, Array.from({ length: 3000 }, (_, at) => key(at + 100001)).join(""));
  await view(many, async (tab, server, exited) => {
    await tab.keyboard.press("6");
    await tab.getByRole("heading", { name: "Line 1", exact: true }).waitFor();
    server.kill("SIGINT");
    assert.deepEqual(await exited, [0, null]);
    await tab.getByLabel("Go to line").fill("2500");
    await tab.keyboard.press("Enter");
    await tab.getByText("Line 2,500 cannot be read. The server does not answer.").waitFor();
    assert.equal(await tab.locator(".panel").getByText("k100001").count(), 0);
    await tab.getByRole("button", { name: "End server" }).click();
    await tab.getByText("The server cannot be ended. The server does not answer.").waitFor();
  });
});

test("a dump that was changed meanwhile is not made into a new one", async () => {
  const changing = join(scratch, "changing.ndjson");
  copyFileSync(dump, changing);
  await view(changing, async (tab) => {
    await tab.keyboard.press("7");
    await tab.getByLabel("Node 1, host").fill("7=localhost:28103");
    await tab.getByRole("button", { name: "Show what changes" }).click();
    const download = tab.getByRole("button", { name: "Download the new dump" });
    await download.waitFor();
    await tab.evaluate(() => delete globalThis.showSaveFilePicker);
    const downloads = [];
    tab.on("download", (begun) => downloads.push(begun.suggestedFilename()));
    appendFileSync(changing, "more\n");
    await download.click();
    await tab.getByText("Nothing was saved. The server answered 409: the dump was changed while it was looked at").waitFor();
    assert.deepEqual(downloads, []);
  });
});

test("an empty dump is told as by validate", async () => {
  const empty = join(scratch, "empty.ndjson");
  writeFileSync(empty, "");
  await view(empty, async (tab) => {
    await tab.keyboard.press("3");
    const { findings } = JSON.parse(spawnSync(metactl, ["validate", "--format", "json", empty]).stdout);
    assert.ok(findings.length > 0);
    for (const { message } of findings) await tab.getByText(message).first().waitFor();
  });
});
