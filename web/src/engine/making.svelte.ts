// A new dump that is planned, then written: a part of the state, all of it without credentials, lines of a list.

import type { Job } from "../io/jobs";
import type { Dump } from "./dump.svelte";
import { parseExact } from "./exact";
import type { FilterPreview, FilterQuery, RedactPreview, Unknown } from "./generated";
import { offer, stem } from "./saving";
import { Cancelled, type Running } from "./workers";

abstract class Making<Preview> {
  preview = $state.raw<Preview | null>(null);
  working = $state(false);
  writing = $state(false);
  readBytes = $state(0);
  failed = $state("");
  saved = $state("");
  #running: Running | null = null;
  #parts: Blob[] = [];

  constructor(
    readonly dump: Dump,
    /** What the name of the new dump says of it. */
    readonly made: string,
  ) {}

  protected abstract job(): Job;

  /** The form says something else than what the preview is of. */
  outdated(): void {
    this.#running?.cancel();
    this.#running = null;
    this.preview = null;
    this.working = this.writing = false;
    this.failed = this.saved = "";
  }

  async plan(): Promise<void> {
    this.outdated();
    this.working = true;
    this.readBytes = 0;
    const running = this.dump.run(this.job(), (report) => {
      this.readBytes = report.bytes;
      if (report.part) this.#parts.push(report.part);
    });
    this.#running = running;
    try {
      const [json = "null"] = await running.results;
      if (this.#running === running) this.preview = parseExact(json) as Preview;
    } catch (error) {
      this.#fail(running, error);
    }
    if (this.#running === running) this.working = false;
  }

  /** Has the new dump written, and its manifest, and the browser save both. */
  async save(): Promise<void> {
    const running = this.#running;
    if (!running || this.writing) return;
    this.writing = true;
    this.readBytes = 0;
    this.failed = this.saved = "";
    this.#parts = [];
    const name = `${stem(this.dump.name)}.${this.made}.ndjson`;
    try {
      const manifest = await running.ask({ type: "write", name, of: this.dump.manifest });
      offer(name, new Blob(this.#parts, { type: "application/x-ndjson" }));
      offer(`${name}.manifest.json`, new Blob([String(manifest)], { type: "application/json" }));
      this.saved = `2 files: ${name}, ${name}.manifest.json. The browser may ask whether it should save several.`;
    } catch (error) {
      this.#fail(running, error);
    }
    this.#parts = [];
    if (this.#running === running) this.writing = false;
  }

  #fail(running: Running, error: unknown): void {
    if (this.#running !== running || error instanceof Cancelled) return;
    this.failed = error instanceof Error ? error.message : String(error);
  }
}

/** What is written one in a line. */
const listed = (text: string): string[] => text.split("\n").map((line) => line.trim()).filter((line) => line !== "");

/** A part of the state, as `filter` chooses it. */
export class Filter extends Making<FilterPreview> {
  tenants = $state<string[]>([]);
  objects = $state("");
  prefixes = $state("");
  drop = $state(false);
  unknown = $state<Unknown>("refuse");
  at = $state("end");

  constructor(dump: Dump) {
    super(dump, "filtered");
  }

  get ready(): boolean {
    return !this.dump.unfit && this.tenants.length + listed(this.objects).length + listed(this.prefixes).length > 0;
  }

  protected job(): Job {
    const query: FilterQuery = {
      tenants: $state.snapshot(this.tenants),
      objects: listed(this.objects),
      // A space may be part of a key.
      prefixes: this.prefixes.split("\n").filter((line) => line.trim() !== ""),
      drop: this.drop,
      unknown: this.unknown,
    };
    return { type: "filter", dump: this.dump.source, query: JSON.stringify(query), at: this.at.trim() };
  }
}

/** All of the dump without its credentials, as `redact` makes it. */
export class Redaction extends Making<RedactPreview> {
  /** Whether names are replaced, too. */
  names = $state(false);
  /** Whether copies of credentials may stay in lines that have none of their own. */
  acceptsCopies = $state(false);

  constructor(dump: Dump) {
    super(dump, "redacted");
  }

  get ready(): boolean {
    return !this.dump.unfit;
  }

  override outdated(): void {
    super.outdated();
    this.acceptsCopies = false;
  }

  protected job(): Job {
    // The salt stays with the worker: nobody can make the same pseudonyms again.
    const salt = this.names ? crypto.getRandomValues(new Uint8Array(32)) : null;
    return { type: "redact", dump: this.dump.source, salt };
  }
}

/** Lines of a list, with as much around them as makes them a dump. */
export class Excerpt extends Making<string[]> {
  #lines: number[] = [];

  constructor(dump: Dump) {
    super(dump, "excerpt");
  }

  async saveLines(lines: number[]): Promise<void> {
    this.#lines = lines;
    await this.plan();
    if (this.preview) await this.save();
  }

  protected job(): Job {
    return { type: "excerpt", dump: this.dump.source, lines: this.#lines };
  }
}
