// A second dump beside the first, and how their keys differ.

import type { Source } from "../io/source";
import { Dump } from "./dump.svelte";
import { parseExact } from "./exact";
import type { Change, Differences } from "./generated";
import { Cancelled, type Running } from "./workers";

export class Comparison {
  other = $state.raw<Dump | null>(null);
  found = $state.raw<Differences | null>(null);
  comparedBytes = $state(0);
  failed = $state("");
  only = $state<Change | "all">("all");
  /** What the keys have that are listed, in whichever case. */
  text = $state("");
  cursor = $state(0);
  #running: Running | null = null;

  constructor(readonly dump: Dump) {}

  /** What is kept of the sort that is asked for. */
  shown = $derived.by(() => {
    const text = this.text.toLowerCase();
    return (this.found?.kept ?? []).filter(({ change, key }) =>
      (this.only === "all" || change === this.only) && key.toLowerCase().includes(text));
  });

  show(only: Change | "all"): void {
    this.only = only;
    this.cursor = 0;
  }

  cancel(): void {
    this.other?.cancel();
    this.#running?.cancel();
  }

  /** Opens a second dump and compares; the first one has been read. */
  async open(source: Source, name: string): Promise<void> {
    this.cancel();
    this.failed = "";
    this.found = null;
    this.show("all");
    this.comparedBytes = 0;
    const other = new Dump(source, name);
    this.other = other;
    await other.open(null);
    if (this.other !== other) return;
    this.failed = other.phase === "cancelled" ? "Reading was cancelled." : other.error;
    if (other.phase !== "ready") return;
    const job = { type: "compare", left: this.dump.source, right: other.source } as const;
    const running = this.dump.run(job, (report) => (this.comparedBytes = report.bytes));
    this.#running = running;
    try {
      const [json = "{}"] = await running.results;
      if (this.other === other) this.found = parseExact(json) as Differences;
    } catch (error) {
      if (this.other !== other) return;
      const said = error instanceof Error ? error.message : String(error);
      this.failed = error instanceof Cancelled ? "Comparing was cancelled." : said;
    }
  }
}
