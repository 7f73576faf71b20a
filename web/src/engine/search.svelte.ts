// Where the user is among the keys, and the search for some of them.

import type { Dump } from "./dump.svelte";
import type { Hits, Order, Pattern, Query } from "./generated";
import { Excerpt } from "./making.svelte";
import { Cancelled } from "./workers";

const MOST_HITS = 5000;
/** How long the user has to pause, milliseconds, and up to how many bytes of a dump are searched while he types. */
const PAUSE_MS = 250;
const MOST_LIVE_BYTES = 256 << 20;

export class KeySearch {
  /** The segments of the prefix that is shown. */
  path = $state.raw<string[]>([]);
  mode = $state<Pattern["type"]>("anywhere");
  text = $state("");
  bySize = $state(false);
  hits = $state.raw<Hits | null>(null);
  searching = $state(false);
  searchedBytes = $state(0);
  failed = $state("");
  cursor = $state(0);
  prefixCursor = $state(0);
  #cancel: (() => void) | null = null;
  #pause: ReturnType<typeof setTimeout> | undefined;

  /** A dump of the hits. */
  readonly excerpt: Excerpt;

  constructor(readonly dump: Dump) {
    this.excerpt = new Excerpt(dump);
  }

  open(path: string[]): void {
    this.path = path;
    this.prefixCursor = 0;
    this.clear();
  }

  clear(): void {
    clearTimeout(this.#pause);
    this.excerpt.outdated();
    this.#cancel?.();
    this.#cancel = null;
    this.searching = false;
    this.hits = null;
    this.failed = "";
    this.cursor = 0;
  }

  /** Whether keys of a sort are listed, of which a text is only the beginning. */
  isList = $derived.by(() => this.mode === "expiring" || this.mode === "credentials");

  /** Looks for another text; a list is no search. */
  begin(text = ""): void {
    if (this.isList) this.mode = "anywhere";
    if (text === "") return;
    this.text = text;
    void this.search();
  }

  /** Searches when nothing more is typed. */
  typed(): void {
    this.clear();
    if (this.text === "" || this.dump.phase !== "ready" || this.dump.bytesTotal > MOST_LIVE_BYTES) return;
    this.#pause = setTimeout(() => void this.search(), PAUSE_MS);
  }

  /** Lists all keys that expire, the next one first. */
  async expiring(): Promise<void> {
    this.mode = "expiring";
    this.text = "";
    await this.search();
  }

  /** Without a text, the largest keys of the prefix are looked for. */
  async search(): Promise<void> {
    this.clear();
    const isExpiry = this.mode === "expiring";
    const isList = this.isList;
    if (this.text === "" && !this.bySize && !isList) return;
    this.searching = true;
    this.searchedBytes = 0;
    const order: Order = this.bySize ? "size" : isExpiry ? "expiry" : "dump";
    const pattern: Pattern = this.text === "" && !isList ? { type: "prefix", text: this.path.join("") } : { type: this.mode, text: this.text };
    const query: Query = { pattern, order, most: MOST_HITS };
    const job = this.dump.search(query, (bytes) => (this.searchedBytes = bytes));
    this.#cancel = () => job.cancel();
    try {
      this.hits = await job.hits;
      this.cursor = 0;
    } catch (error) {
      // Whoever cancelled has put the rest in order.
      if (error instanceof Cancelled) return;
      this.failed = error instanceof Error ? error.message : String(error);
    }
    this.searching = false;
    this.#cancel = null;
  }
}
