// Starts Chromium with the built page from its file, and watches what it asks of the network.
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

export const repo = fileURLToPath(new URL("../..", import.meta.url));
export const page = pathToFileURL(`${repo}/web/dist/metadump-viewer.html`).href;
export const shots = `${repo}/tests/build/screenshots`;
export const axeSource = require.resolve("axe-core/axe.min.js");

/** How long a test waits for what has to come: longer than anything takes on whatever machine. */
const PATIENCE_MS = 300_000;

mkdirSync(shots, { recursive: true });

/** A browser without a tab. */
export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--enable-precise-memory-info",
    ],
  });

/** A browser with one tab, where `init` has run before the page; `requests` and `complaints` have what it asked for and complained of. */
export async function start({ init, ...options } = {}) {
  const browser = await launch();
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  if (init) await context.addInitScript(init);
  const tab = await context.newPage();
  const requests = [];
  const complaints = [];
  tab.on("request", (request) => requests.push(request.url()));
  tab.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  tab.on("pageerror", (error) => complaints.push(String(error)));
  await tab.goto(page);
  await tab.getByRole("heading", { name: "metadump viewer" }).waitFor();
  return { browser, context, tab, requests, complaints };
}

/** The page as it is first, whatever its address says now: what differs behind `#` alone is the same document. */
export const anew = (tab) => tab.goto("about:blank").then(() => tab.goto(page));

/** Opens files and waits until the first has been read. */
export async function open(tab, files) {
  await tab.locator("input[type=file]").first().setInputFiles(files);
  await tab.getByText(/The dump has been read\./).waitFor({ state: "attached" });
}

/** Drops files that are made in the page: names and their texts. */
export const drop = (tab, files) =>
  tab.evaluate((files) => {
    const dataTransfer = new DataTransfer();
    for (const [name, text] of files) dataTransfer.items.add(new File([text], name));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
  }, Object.entries(files));

/** For `init`: runs `code` in each worker before the worker's own. */
export const inWorkers = (code) => `globalThis.Blob = new Proxy(Blob, {
  construct: (Plain, [parts, options]) =>
    new Plain(options?.type === "text/javascript" ? [${JSON.stringify(code)}, ...parts] : parts, options),
});`;

/** For `inWorkers`: workers of these names die of their first job. */
export const dieIn = (names) => `addEventListener("message", () => {
  if (!${names}.test(self.name)) return;
  setTimeout(() => { throw new Error("killed by the test"); });
});
if (${names}.test(self.name)) self.postMessage = () => {};`;

const head = [
  '["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]',
  '["raft_log",{"NodeId":1}]',
  '["raft_log",{"Vote":{"leader_id":{"term":1,"node_id":1},"committed":true}}]',
  '["raft_log",{"Committed":{"leader_id":{"term":1,"node_id":1},"index":2}}]',
  '["raft_log",{"Purged":null}]',
  '["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":0,"node_id":0},"index":0},"payload":{"Membership":{"configs":[[1]],"nodes":{"1":{}}}}}}]',
  '["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":1},"payload":"Blank"}}]',
  '["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":2},"payload":{"Normal":{"time_ms":1700000000000,"cmd":{"UpsertKV":{"key":"k","seq":"Any","value":{"Update":[49]},"value_meta":null}}}}}}]',
  '["state_machine/0",{"Sequences":{"key":"generic-kv","value":900000}}]',
  '["state_machine/0",{"StateMachineMeta":{"key":"LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":1},"index":2}}}}]',
  '["state_machine/0",{"StateMachineMeta":{"key":"LastMembership","value":{"Membership":{"log_id":{"leader_id":{"term":0,"node_id":0},"index":0},"membership":{"configs":[[1]],"nodes":{"1":{}}}}}}}]',
  '["state_machine/0",{"Nodes":{"key":1,"value":{"name":"1","endpoint":{"addr":"localhost","port":28103},"grpc_api_advertise_address":null}}}]',
];

/** A line of the key space. */
export const kv = (key, data, seq) =>
  `["state_machine/0",{"GenericKV":{"key":${JSON.stringify(key)},"value":{"seq":${seq},"meta":null,"data":[${data}]}}}]\n`;

/** A sound dump: twelve lines of head, three log entries among them, and the lines of its keys. */
export const sound = (body) => `${head.join("\n")}\n${body}`;
