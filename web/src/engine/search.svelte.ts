// Where the user is among the keys, and the search for some of them.

import type { Dump } from "./dump.svelte";
import type { Hits, Pattern, Query } from "./generated";
import { Cancelled } from "./workers";

const MOST_HITS = 5000;

export class KeySearch {
  /** The segments of the prefix that is shown. */
  path = $state.raw<string[]>([]);
  mode = $state<Pattern["type"]>("substring");
  text = $state("");
  bySize = $state(false);
  hits = $state.raw<Hits | null>(null);
  searching = $state(false);
  searchedBytes = $state(0);
  failed = $state("");
  cursor = $state(0);
  prefixCursor = $state(0);
  #cancel: (() => void) | null = null;

  constructor(readonly dump: Dump) {}

  open(path: string[]): void {
    this.path = path;
    this.prefixCursor = 0;
    this.clear();
  }

  clear(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.searching = false;
    this.hits = null;
    this.failed = "";
    this.cursor = 0;
  }

  /** Without a text, the largest keys of the prefix are looked for. */
  async search(): Promise<void> {
    this.clear();
    if (this.text === "" && !this.bySize) return;
    this.searching = true;
    this.searchedBytes = 0;
    const pattern: Pattern = this.text === "" ? { type: "prefix", text: this.path.join("") } : { type: this.mode, text: this.text };
    const query: Query = { pattern, order: this.bySize ? "size" : "dump", most: MOST_HITS };
    const job = this.dump.search(query, (bytes) => (this.searchedBytes = bytes));
    this.#cancel = () => job.cancel();
    try {
      this.hits = await job.hits;
    } catch (error) {
      // Whoever cancelled has put the rest in order.
      if (error instanceof Cancelled) return;
      this.failed = error instanceof Error ? error.message : String(error);
    }
    this.searching = false;
    this.#cancel = null;
  }
}
