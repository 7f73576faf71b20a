// An opened dump and what the user does with it, whichever view is shown.

import { Catalogue } from "./catalogue.svelte";
import { Change } from "./change.svelte";
import { Comparison } from "./comparison.svelte";
import { Dump, type Opened } from "./dump.svelte";
import { LogFilter } from "./log.svelte";
import { Filter, Redaction } from "./making.svelte";
import { KeySearch } from "./search.svelte";

export class Session {
  readonly dump: Dump;
  readonly catalogue: Catalogue;
  readonly keys: KeySearch;
  readonly log: LogFilter;
  readonly change: Change;
  readonly filter: Filter;
  readonly redaction: Redaction;
  readonly comparison: Comparison;

  /** Which new dump the form is for. */
  making = $state<"cluster" | "filter" | "redact">("cluster");

  constructor(source: Opened, name: string) {
    this.dump = new Dump(source, name);
    this.catalogue = new Catalogue(this.dump);
    this.keys = new KeySearch(this.dump);
    this.log = new LogFilter(this.dump);
    this.change = new Change(this.dump);
    this.filter = new Filter(this.dump);
    this.redaction = new Redaction(this.dump);
    this.comparison = new Comparison(this.dump);
  }

  /** Ends all that reads. */
  close(): void {
    this.dump.cancel();
    this.catalogue.close();
    this.keys.clear();
    this.log.clear();
    this.change.outdated();
    this.filter.outdated();
    this.redaction.outdated();
    this.comparison.cancel();
  }
}
