// Pictures of every view, light and dark, wide and narrow, for looking at: tests/build/screenshots.
// With --readme also the two of the README.
// Usage: node tests/web/screenshots.mjs [--readme] [DUMP]
import { join } from "node:path";

import { open, repo, shots, start } from "./browser.mjs";

const args = process.argv.slice(2);
const dump = args.find((arg) => !arg.startsWith("--")) ?? join(repo, "tests/fixtures/v004/v004-origin.export.ndjson");
const search = async (tab) => {
  await tab.getByRole("searchbox").fill("a");
  await tab.keyboard.press("Enter");
  await tab.getByText(/\d+ hits?/).waitFor();
};
const catalogue = async (tab) => {
  // The largest has objects.
  await tab.getByRole("group", { name: "Sort by" }).getByRole("button", { name: "bytes" }).click();
  await tab.getByRole("grid", { name: "Tenants" }).focus();
  await tab.keyboard.press("Enter");
  await tab.getByRole("grid", { name: "Objects" }).press("G");
  await tab.getByRole("heading", { name: "In the log" }).waitFor();
};
const change = async (tab) => {
  await tab.getByLabel("Node 1, host").fill("7=meta-7.example:28103");
  await tab.getByRole("button", { name: "Show what changes" }).click();
  await tab.getByRole("heading", { name: "What changes" }).waitFor();
};
const part = async (tab) => {
  await tab.getByRole("button", { name: "A part of it" }).click();
  const tenant = tab.getByRole("checkbox").first();
  if ((await tenant.count()) > 0) await tenant.check();
  else await tab.getByLabel("Beginnings of keys, one in a line").fill("__fd");
  await tab.getByLabel("Keys that cannot be judged").selectOption("keep");
  await tab.getByRole("button", { name: "Show what stays" }).click();
  await tab.getByRole("heading", { name: "What stays, and what goes" }).waitFor();
};
const redact = async (tab) => {
  await tab.getByRole("button", { name: "Without credentials" }).click();
  await tab.getByRole("button", { name: "Show what is replaced" }).click();
  await tab.getByRole("heading", { name: "What is replaced" }).waitFor();
};
/** Names of pictures, the keys that show the views, and what is done there. */
const views = [
  ["overview", "1"], ["catalogue", "2", catalogue], ["findings", "3"], ["keys", "4"], ["search", "4", search], ["log", "5"], ["lines", "6"], ["change", "7", change], ["part", "7", part], ["redact", "7", redact],
  ["compare", "8"],
];

async function pictures(colorScheme, viewport, take) {
  const { browser, tab } = await start({ colorScheme, viewport });
  await open(tab, dump);
  for (const [view, key, act] of views) {
    await tab.evaluate(() => document.activeElement?.blur());
    await tab.keyboard.press(key);
    await act?.(tab);
    await tab.waitForTimeout(300);
    await take(tab, view);
  }
  await browser.close();
}

for (const scheme of ["light", "dark"]) {
  for (const [size, viewport] of Object.entries({ wide: { width: 1360, height: 860 }, narrow: { width: 420, height: 800 } })) {
    await pictures(scheme, viewport, (tab, view) => tab.screenshot({ path: join(shots, `${view}-${scheme}-${size}.png`) }));
  }
}
if (args.includes("--readme")) {
  const small = { width: 1000, height: 640 };
  const into = (view) => join(repo, `docs/viewer-${view}.png`);
  await pictures("light", small, (tab, view) => (view === "overview" ? tab.screenshot({ path: into(view) }) : null));
  await pictures("dark", small, (tab, view) => (view === "keys" ? tab.screenshot({ path: into(view) }) : null));
}
