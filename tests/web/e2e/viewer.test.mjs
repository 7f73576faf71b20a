// The page in a real browser: what a user does, and what must never happen.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

import { axeSource, kv, open, page, repo, shots, sound, start } from "../browser.mjs";

const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const html = readFileSync(join(repo, "web/dist/metadump-viewer.html"), "utf8");
const scratch = mkdtempSync(join(tmpdir(), "metadump-e2e-"));
const body = Array.from({ length: 3000 }, (_, at) =>
  kv(`__fd_${at < 1000 ? "a" : "b"}/t/k${String(at).padStart(6, "0")}`, "49,50,51,52,53,54,55,56,57", at + 1)).join("");
const hostile = kv("zz/<img src=x onerror=alert(1)>", "60,105,109,103,32,115,114,99,61,120,62", 4000);
const dump = sound(body + hostile);
const paths = {};
for (const [name, content] of Object.entries({
  "good.ndjson": dump,
  "other.ndjson": sound(body.replace("k000001", "k0000005") + hostile),
  "broken.ndjson": dump.replace("49,50,51", "49,500,51") + "not a line\n",
  "packed.ndjson.gz": gzipSync(dump),
})) {
  paths[name] = join(scratch, name);
  writeFileSync(paths[name], content);
}

let browser, tab, requests, complaints;
// Without the dialog that only a user can answer, the browser downloads.
const init = "delete globalThis.showSaveFilePicker;";
before(async () => ({ browser, tab, requests, complaints } = await start({ init })));
after(() => browser.close());

const body1 = () => tab.evaluate(() => document.activeElement?.blur());
const view = async (number) => {
  await body1();
  await tab.keyboard.press(String(number));
};
const shot = (name) => tab.screenshot({ path: join(shots, `${name}.png`) });

async function accessible() {
  await tab.evaluate(readFileSync(axeSource, "utf8"));
  const { violations } = await tab.evaluate(() => globalThis.axe.run(document));
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html).slice(0, 3)]), []);
}

test("every view can be reached with the keyboard and is accessible", async () => {
  await accessible();
  await open(tab, paths["good.ndjson"]);
  for (const [number, text] of [[1, "What is big"], [2, "as of T1-N1.2"], [3, "help"], [4, "share"], [5, "3 entries"], [6, "Go to line"], [7, "A new cluster"], [8, "Open a second dump"]]) {
    await view(number);
    await tab.getByText(text).first().waitFor();
    await accessible();
    await shot(`view-${number}`);
  }
  await body1();
  await tab.keyboard.press("?");
  await tab.getByRole("heading", { name: "Keyboard" }).waitFor();
  await accessible();
  await tab.keyboard.press("Escape");
});

test("the grid of lines goes to the first and last line", async () => {
  await view(6);
  const lines = tab.getByRole("grid", { name: "Lines of the dump" });
  await lines.focus();
  await tab.keyboard.press("G");
  await tab.getByRole("heading", { name: "Line 3,013" }).waitFor();
  assert.equal(await lines.getAttribute("aria-rowcount"), "3013");
  await tab.keyboard.press("ArrowUp");
  await tab.getByRole("heading", { name: "Line 3,012" }).waitFor();
  await tab.keyboard.press("PageUp");
  await tab.keyboard.press("g");
  await tab.getByRole("heading", { name: "Line 1", exact: true }).waitFor();
});

test("keys are searched, and hostile ones stay text", async () => {
  await body1();
  await tab.keyboard.press("/");
  await tab.keyboard.type("<img");
  await tab.keyboard.press("Enter");
  await tab.getByText("1 hit").waitFor();
  await tab.getByRole("heading", { name: "Line 3,013" }).waitFor();
  assert.equal(await tab.locator("main img").count(), 0);
  await tab.getByRole("searchbox").fill("k00000[12]$");
  await tab.getByLabel("How to search").selectOption("regex");
  await tab.keyboard.press("Enter");
  await tab.getByRole("button", { name: "Search", exact: true }).click();
  await tab.getByText("2 hits").waitFor();
});

test("a value is shown by name, and its credentials on request", async () => {
  const search = async (key) => {
    await body1();
    await tab.keyboard.press("/");
    await tab.getByRole("searchbox").fill(key);
    await tab.getByLabel("How to search").selectOption("substring");
    await tab.keyboard.press("Enter");
    await tab.getByRole("definition").filter({ hasText: key }).first().waitFor();
  };
  await open(tab, join(repo, "tests/fixtures/engine/e895.server-export.ndjson.gz"));
  const panel = tab.getByRole("region", { name: /^Line/ });
  await search("__fd_table_by_id/84");
  await panel.getByRole("columnheader", { name: "type" }).waitFor();
  await panel.getByRole("cell", { name: "Nullable(Map(String, Nullable(Int32)))" }).waitFor();
  await panel.getByText("snapshot_location").waitFor();
  const sizes = await panel.locator(".shown :is(.name, .mono, th)").evaluateAll((all) => all.map((one) => getComputedStyle(one).fontSize));
  assert.ok(sizes.length > 50);
  assert.deepEqual([...new Set(sizes)], [sizes[0]]);
  await accessible();
  await shot("value-table");

  await search("__fd_stages/python_binding/st_ext");
  await panel.getByText("StageInfo", { exact: true }).waitFor();
  await panel.getByText("2 credentials are masked.").waitFor();
  assert.equal(await panel.getByText("***").count(), 2);
  assert.equal(await panel.getByRole("button", { name: "hex" }).count(), 0);
  assert.equal(await panel.getByLabel("The line as it stands in the dump").count(), 0);
  await accessible();
  await shot("value-masked");
  await panel.getByRole("button", { name: "Show credentials" }).click();
  await panel.getByLabel("The line as it stands in the dump").waitFor();
  assert.equal(await panel.getByText("***").count(), 0);
  assert.equal(await tab.evaluate(() => document.activeElement?.textContent), "Mask credentials");
  await search("__fd_connection/python_binding/conn_s3");
  await panel.getByText("2 credentials are masked.").waitFor();
  await search("__fd_stages/python_binding/st_ext");
  await panel.getByText("2 credentials are masked.").waitFor();
  await open(tab, paths["good.ndjson"]);
});

test("names in a value stay text, and a credential in a key is listed nowhere", async () => {
  const named = { id: "<img src=x onerror=alert(1)>", "<b>bold</b>\u202e": { "<img src=y onerror=alert(2)>": 1 } };
  const value = [...Buffer.from(JSON.stringify(named))].join();
  const withToken = (token) => sound(kv("__fd_clusters_v6/t/online_nodes/n", value, 1) + kv(`__fd_token/t/${token}`, "49", 2));
  const [first, second] = ["TOKENA", "TOKENB"].map((token) => join(scratch, `${token}.ndjson`));
  writeFileSync(first, withToken("TOKENA"));
  writeFileSync(second, withToken("TOKENB"));
  await open(tab, first);
  const panel = tab.getByRole("region", { name: /^Line/ });
  const search = async (key) => {
    await body1();
    await tab.keyboard.press("/");
    await tab.getByRole("searchbox").fill(key);
    await tab.getByLabel("How to search").selectOption("substring");
    await tab.keyboard.press("Enter");
    await tab.getByText("1 hit").waitFor();
  };
  await search("online_nodes");
  await panel.getByText("<b>bold</b>\\u{202e}", { exact: true }).waitFor();
  await panel.getByText("<img src=y onerror=alert(2)>", { exact: true }).waitFor();
  await panel.getByText("<img src=x onerror=alert(1)>", { exact: true }).waitFor();
  await panel.getByText("name of a node", { exact: true }).waitFor();
  assert.equal(await tab.locator("main :is(img, b)").count(), 0);
  await accessible();
  await shot("value-hostile");

  await search("__fd_token/t/TOKENA");
  await tab.getByRole("grid", { name: "Keys" }).getByText("__fd_token/t/***", { exact: true }).waitFor();
  await panel.getByText("token hash", { exact: true }).waitFor();
  assert.doesNotMatch(await tab.locator("main").innerText(), /TOKENA/);
  await view(8);
  await tab.locator("main input[type=file]").setInputFiles(second);
  await tab.getByRole("row").getByText("__fd_token/t/***", { exact: true }).first().waitFor();
  assert.doesNotMatch(await tab.locator("main").innerText(), /TOKEN[AB](?!\.ndjson)/);
  await accessible();
  await shot("compare-token");
  await view(1);
  await open(tab, paths["good.ndjson"]);
});

test("a new cluster is judged while it is typed, and downloaded as the command line writes it", async () => {
  await view(7);
  await tab.getByLabel("Node 1, id").fill("7");
  await tab.getByLabel("Node 1, host").fill("localhost");
  await tab.getByText("expected `:` and the port").waitFor();
  await tab.getByLabel("Node 1, Raft port").fill("28103");
  await tab.getByRole("button", { name: "Show what changes" }).click();
  await accessible();
  const [download] = await Promise.all([
    tab.waitForEvent("download"),
    tab.getByRole("button", { name: "Download the new dump" }).click(),
  ]);
  const expected = join(scratch, "expected.ndjson");
  const args = ["rewrite", "--db", paths["good.ndjson"], "--output", expected, "--id", "7", "--initial-cluster", "7=localhost:28103"];
  const ran = spawnSync(metactl, args, { encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stderr);
  assert.ok(readFileSync(await download.path()).equals(readFileSync(expected)));
});

test("two dumps are compared", async () => {
  await view(8);
  await tab.locator("main input[type=file]").setInputFiles(paths["other.ndjson"]);
  await tab.getByRole("button", { name: "+ 1 added" }).waitFor();
  await tab.getByRole("button", { name: "− 1 removed" }).waitFor();
  await accessible();
});

test("a broken dump says what the command line says, and n goes to the places", async () => {
  await view(1);
  await open(tab, paths["broken.ndjson"]);
  await view(3);
  const ran = spawnSync(metactl, ["validate", "--format", "json", paths["broken.ndjson"]], { encoding: "utf8" });
  const { findings } = JSON.parse(ran.stdout);
  assert.ok(findings.length > 1);
  for (const { message } of findings) await tab.getByText(message, { exact: true }).first().waitFor();
  await body1();
  await tab.keyboard.press("n");
  await tab.getByRole("heading", { name: `Line ${findings[0].line.toLocaleString("en-US")}` }).waitFor();
});

test("a packed dump is unpacked", async () => {
  await open(tab, paths["packed.ndjson.gz"]);
  await view(1);
  await tab.getByText("3,013").first().waitFor();
});

for (const [name, options] of Object.entries({
  "in the dark": { colorScheme: "dark", viewport: { width: 1360, height: 860 } },
  // Twice as large, the window has half the pixels of style sheets.
  "at 200 % zoom": { viewport: { width: 680, height: 430 } },
  "in a narrow window": { viewport: { width: 380, height: 700 } },
})) {
  test(`every view can be read ${name}`, async () => {
    const context = await browser.newContext({ ...options, reducedMotion: "reduce" });
    const small = await context.newPage();
    await small.goto(page);
    await open(small, paths["broken.ndjson"]);
    await small.evaluate(readFileSync(axeSource, "utf8"));
    for (let number = 1; number <= 7; number++) {
      await small.evaluate(() => document.activeElement?.blur());
      await small.keyboard.press(String(number));
      await small.locator(`nav [aria-current=page] >> nth=0`).waitFor();
      const wide = await small.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `view ${number} is ${wide} pixels too wide`);
      const { violations } = await small.evaluate(() => globalThis.axe.run(document));
      assert.deepEqual(violations.map(({ id, nodes }) => [number, id, nodes[0].html]), []);
    }
    await context.close();
  });
}

test("the page asked nothing of the network and complained of nothing", () => {
  assert.deepEqual(requests.filter((url) => !url.startsWith("blob:")).length, 1);
  assert.deepEqual(complaints, []);
  assert.ok(existsSync(shots));
});

test("a zstd stream of several frames is unpacked", async (context) => {
  const packed = ["-19", "-1"].map((level) => spawnSync("zstd", ["-q", "-c", level, paths["good.ndjson"]], { maxBuffer: 1 << 26 }));
  if (packed.some(({ error }) => error)) {
    context.diagnostic("skipped: zstd not found");
    return;
  }
  const path = join(scratch, "twice.ndjson.zst");
  writeFileSync(path, Buffer.concat(packed.map(({ stdout }) => stdout)));
  await open(tab, path);
  await view(1);
  await tab.getByText("6,026").first().waitFor();
});

test("the page takes less than 600 kB compressed", () => {
  assert.ok(gzipSync(html, { level: 9 }).length < 600_000);
});

test("a page that is served with a dump opens it by ranges", async () => {
  const asked = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname !== "/dump") {
      response.setHeader("Content-Type", "text/html");
      response.end(html.replace("connect-src 'none'", "connect-src 'self'"));
      return;
    }
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    asked.push(request.method === "HEAD" ? "HEAD" : range?.[0]);
    const body = range ? Buffer.from(dump).subarray(Number(range[1]), Number(range[2]) + 1) : Buffer.from(dump);
    response.writeHead(range ? 206 : 200, { "Content-Length": body.length });
    response.end(request.method === "HEAD" ? undefined : body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const served = await browser.newPage();
  await served.goto(`http://127.0.0.1:${server.address().port}/?dump=/dump#lines:3013`);
  await served.getByRole("heading", { name: "Line 3,013" }).waitFor();
  await served.getByText("V004").first().waitFor();
  assert.equal(asked[0], "HEAD");
  assert.ok(asked.slice(1).every((range) => range?.startsWith("bytes=")));
  await served.close();
  server.closeAllConnections();
  server.close();
});
