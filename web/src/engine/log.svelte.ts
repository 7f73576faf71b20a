// The entries of the log that have a text: in a key, a name or a value that they write.

import type { Dump } from "./dump.svelte";
import type { Hits, LineView, Query } from "./generated";
import { Excerpt } from "./making.svelte";
import type { Cell, Table } from "./tables";
import { Cancelled } from "./workers";

/** How many entries are listed. */
const MOST_ENTRIES = 100_000;
/** How many are read at a time for a table. */
const READ_TOGETHER = 100;

export class LogFilter {
  text = $state("");
  /** The entries, in the order of the log; none when all are shown. */
  hits = $state.raw<Hits | null>(null);
  lines = $derived.by(() => this.hits?.kept.map(({ line }) => line) ?? null);
  searching = $state(false);
  failed = $state("");
  #cancel: (() => void) | null = null;

  /** A dump of the entries that are listed. */
  readonly excerpt: Excerpt;

  constructor(readonly dump: Dump) {
    this.excerpt = new Excerpt(dump);
  }

  clear(): void {
    this.excerpt.outdated();
    this.#cancel?.();
    this.#cancel = null;
    this.hits = null;
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
      const found = await job.hits;
      if (this.#cancel !== cancel) return;
      this.hits = { ...found, kept: found.kept.filter(({ kind }) => kind === "LogEntry" || kind === "Logs") };
    } catch (error) {
      if (this.#cancel !== cancel || error instanceof Cancelled) return;
      this.failed = error instanceof Error ? error.message : String(error);
    }
    this.searching = false;
    this.#cancel = null;
  }

  /** What is listed. */
  async table(): Promise<Table> {
    const lines = this.lines ?? [];
    const rows: Cell[][] = [];
    const row = (line: number, view: LineView | null): Cell[] => {
      const { log_id = null, time_ms = null, command = null, effects = [] } = view?.log ?? {};
      return [line, log_id, time_ms, command, effects.map(({ condition, verb, target }) => `${condition === null ? "" : `${condition} `}${verb} ${target}`).join("; ")];
    };
    for (let at = 0; at < lines.length; at += READ_TOGETHER) {
      const part = lines.slice(at, at + READ_TOGETHER);
      const views = await Promise.all(part.map((line) => this.dump.heading(line)));
      rows.push(...part.map((line, at) => row(line, views[at] ?? null)));
    }
    return { columns: ["line", "log_id", "time_ms", "command", "effects"], rows };
  }
}
