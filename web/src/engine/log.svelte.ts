// The entries of the log that have a text: in a key, a name or a value that they write.

import type { Dump } from "./dump.svelte";
import type { Query } from "./generated";
import { Cancelled } from "./workers";

/** How many entries are listed. */
const MOST_ENTRIES = 100_000;

export class LogFilter {
  text = $state("");
  /** The lines of the entries, in the order of the log; none when all are shown. */
  lines = $state.raw<number[] | null>(null);
  searching = $state(false);
  failed = $state("");
  #cancel: (() => void) | null = null;

  constructor(readonly dump: Dump) {}

  clear(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.lines = null;
    this.searching = false;
    this.failed = "";
  }

  async search(): Promise<void> {
    this.clear();
    const text = this.text.trim();
    const [first, last] = [this.dump.logRuns[0], this.dump.logRuns.at(-1)];
    if (text === "" || !first || !last) return;
    this.searching = true;
    const query: Query = { pattern: { type: "anywhere", text }, order: "dump", most: MOST_ENTRIES };
    const job = this.dump.search(query, () => {}, [first.first_line, last.first_line + last.lines - 1]);
    const cancel = () => job.cancel();
    this.#cancel = cancel;
    try {
      const { kept } = await job.hits;
      if (this.#cancel !== cancel) return;
      this.lines = kept.filter(({ kind }) => kind === "LogEntry" || kind === "Logs").map(({ line }) => line);
    } catch (error) {
      if (this.#cancel !== cancel || error instanceof Cancelled) return;
      this.failed = error instanceof Error ? error.message : String(error);
    }
    this.searching = false;
    this.#cancel = null;
  }
}
