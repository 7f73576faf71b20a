// Pictures of every view, light and dark, wide and narrow, for looking at: tests/build/screenshots.
// With --readme also the two of the README.
// Usage: node tests/web/screenshots.mjs [--readme] [DUMP]
import { join } from "node:path";

import { open, repo, shots, start } from "./browser.mjs";

const args = process.argv.slice(2);
const dump = args.find((arg) => !arg.startsWith("--")) ?? join(repo, "tests/fixtures/v004/v004-origin.export.ndjson");
const views = ["overview", "findings", "keys", "log", "lines", "change", "compare"];

async function pictures(colorScheme, viewport, take) {
  const { browser, tab } = await start({ colorScheme, viewport });
  await open(tab, dump);
  for (const [at, view] of views.entries()) {
    await tab.evaluate(() => document.activeElement?.blur());
    await tab.keyboard.press(String(at + 1));
    if (view === "keys") {
      await tab.getByRole("searchbox").fill("fruit");
      await tab.getByRole("button", { name: "Search", exact: true }).click();
      await tab.getByText(/\d+ hits/).waitFor();
    }
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
