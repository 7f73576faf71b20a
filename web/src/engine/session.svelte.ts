// An opened dump and what the user does with it, whichever view is shown.

import type { Source } from "../io/source";
import { Catalogue } from "./catalogue.svelte";
import { Change } from "./change.svelte";
import { Comparison } from "./comparison.svelte";
import { Dump } from "./dump.svelte";
import { KeySearch } from "./search.svelte";

export class Session {
  readonly dump: Dump;
  readonly catalogue: Catalogue;
  readonly keys: KeySearch;
  readonly change: Change;
  readonly comparison: Comparison;

  constructor(source: Source, name: string) {
    this.dump = new Dump(source, name);
    this.catalogue = new Catalogue(this.dump);
    this.keys = new KeySearch(this.dump);
    this.change = new Change(this.dump);
    this.comparison = new Comparison(this.dump);
  }

  /** Ends all that reads. */
  close(): void {
    this.dump.cancel();
    this.catalogue.close();
    this.keys.clear();
    this.change.outdated();
    this.comparison.cancel();
  }
}
