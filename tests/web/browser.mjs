// Starts Chromium with the built page from its file, and watches what it asks of the network.
import { existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");

export const repo = fileURLToPath(new URL("../..", import.meta.url));
export const page = pathToFileURL(`${repo}/web/dist/metadump-viewer.html`).href;
export const shots = `${repo}/tests/build/screenshots`;
export const corpus = existsSync(`${repo}/../shared/corpus`) ? `${repo}/../shared/corpus` : null;
export const axeSource = require.resolve("axe-core/axe.min.js");

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

/** Opens files and waits until the first has been read. */
export async function open(tab, files) {
  await tab.locator("input[type=file]").first().setInputFiles(files);
  await tab.getByText(/The dump has been read\./).waitFor({ state: "attached", timeout: 60_000 });
}
