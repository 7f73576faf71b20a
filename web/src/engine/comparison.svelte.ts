// Two states side by side, of two dumps or of two moments of one, and how they differ.

import { decodeLine, keyDifference, printedKey } from "metadump-wasm";

import type { Question, Reply } from "../io/jobs";
import { Dump, type Opened } from "./dump.svelte";
import { parseExact } from "./exact";
import type { Change, DifferenceQuery, DifferenceRow, DifferingKey, KeyPlace, KeyView, LineView, States } from "./generated";
import { Parted } from "./parted";
import { Cancelled, type Running } from "./workers";

/** One of the two states: its dump and the moment, as `--at` takes it. */
export interface Side {
  dump: Dump;
  at: string;
}

export class Comparison {
  sides = $state.raw<[Side, Side] | null>(null);
  states = $state.raw<States | null>(null);
  working = $state(false);
  comparedBytes = $state(0);
  failed = $state("");
  only = $state<Change | "all">("all");
  /** What the keys or objects have that are listed, in whichever case. */
  text = $state("");
  /** How many rows are listed; a new list is another object. */
  list = $state.raw({ total: 0 });
  cursor = $state(0);
  selected = $state.raw<DifferenceRow | null>(null);
  #running: Running | null = null;
  #rows = this.#noRows();
  #searches = 0;

  constructor(readonly dump: Dump) {}

  /** The dump that is not the one that is open. */
  other = $derived.by(() => this.sides?.map(({ dump }) => dump).find((dump) => dump !== this.dump) ?? null);

  cancel(): void {
    this.other?.cancel();
    this.#stop();
  }

  /** What somebody does who does not want to wait. */
  giveUp(): void {
    const { working } = this;
    this.cancel();
    if (working) this.failed = "Comparing was cancelled.";
  }

  #stop(): void {
    this.#running?.cancel();
    this.#running = null;
    this.#rows = this.#noRows();
    this.states = null;
    this.selected = null;
    this.list = { total: 0 };
    this.failed = "";
    this.working = false;
  }

  /** Opens a second dump and compares; the first one has been read. */
  async open(source: Opened, name: string): Promise<void> {
    this.cancel();
    const other = new Dump(source, name);
    this.sides = [{ dump: this.dump, at: "end" }, { dump: other, at: "end" }];
    await other.open(null);
    if (this.other !== other) return;
    if (other.phase === "ready") await this.compare();
    else this.failed = other.phase === "cancelled" ? "Reading was cancelled." : other.error;
  }

  /** Compares what the log made of the snapshot with the snapshot. */
  async moments(): Promise<void> {
    this.cancel();
    this.sides = [{ dump: this.dump, at: "snapshot" }, { dump: this.dump, at: "end" }];
    await this.compare();
  }

  async swap(): Promise<void> {
    if (!this.sides) return;
    const [before, after] = this.sides;
    this.sides = [after, before];
    await this.compare();
  }

  /** Compares other moments. */
  async at(before: string, after: string): Promise<void> {
    if (!this.sides) return;
    const [left, right] = this.sides;
    this.sides = [{ ...left, at: before }, { ...right, at: after }];
    await this.compare();
  }

  async compare(): Promise<void> {
    this.#stop();
    if (!this.sides) return;
    const [left, right] = this.sides.map(({ dump, at }) => ({ dump: dump.source, name: dump.name, at }));
    if (!left || !right) return;
    // What it lacks would be taken for what the other has more.
    const unfit = this.sides.map(({ dump }) => dump).find(({ foreign, cut }) => foreign || cut);
    if (unfit) {
      this.failed = `${unfit.name} is not compared: ${unfit.foreign || unfit.cut}`;
      return;
    }
    this.comparedBytes = 0;
    this.working = true;
    const running = this.dump.run({ type: "compare", left, right }, (report) => (this.comparedBytes = report.bytes));
    this.#running = running;
    try {
      const [json = "{}"] = await running.results;
      if (this.#running !== running) return;
      this.states = parseExact(json) as States;
      this.only = "all";
      await this.search();
    } catch (error) {
      if (this.#running !== running || error instanceof Cancelled) return;
      this.failed = error instanceof Error ? error.message : String(error);
    }
    this.working = false;
  }

  async show(only: Change | "all"): Promise<void> {
    this.only = only;
    await this.search();
  }

  #noRows(): Parted<DifferenceRow> {
    return new Parted(async (from, to) => (await this.#json<DifferenceRow[]>({ type: "rows", from, to })) ?? []);
  }

  async #ask(question: Question): Promise<Reply> {
    return this.#running ? this.#running.ask(question) : undefined;
  }

  async #json<T>(question: Question): Promise<T | null> {
    const reply = await this.#ask(question);
    return typeof reply === "string" ? (parseExact(reply) as T) : null;
  }

  /** Lists what is asked for, and looks at the first row. */
  async search(): Promise<void> {
    const query: DifferenceQuery = { text: this.text, change: this.only === "all" ? null : this.only };
    const mine = ++this.#searches;
    const total = Number((await this.#ask({ type: "list", query: JSON.stringify(query) })) ?? 0);
    // A later one is under way, or has been answered.
    if (mine !== this.#searches) return;
    this.#rows = this.#noRows();
    this.list = { total };
    await this.move(0);
  }

  /** The row of the list at an index. */
  row = (index: number): Promise<DifferenceRow | null> => this.#rows.row(index);

  async move(index: number): Promise<void> {
    this.cursor = index;
    const row = await this.row(index);
    if (this.cursor === index) this.selected = row;
  }

  /** The first keys of an object that differ. */
  keysOf = async (at: number, most: number): Promise<DifferingKey[]> => (await this.#json<DifferingKey[]>({ type: "keysOf", at, most })) ?? [];

  /** The line of a record of one of the states. */
  async #line(side: 0 | 1, place: KeyPlace | null): Promise<Uint8Array | undefined> {
    if (!place) return undefined;
    if (place.written !== null) {
      const text = await this.#ask({ type: "written", at: place.written });
      return text instanceof Uint8Array ? text : undefined;
    }
    const line = await this.sides?.[side].dump.lines.line(place.line ?? 0);
    if (line && line.size > line.bytes.length) throw new Error(`Line ${line.number} is too long to be decoded here.`);
    return line?.bytes;
  }

  /** What differs under a key, in words. */
  async difference({ before, after }: DifferingKey, withSecrets: boolean): Promise<KeyView | null> {
    const json = keyDifference(await this.#line(0, before), await this.#line(1, after), withSecrets);
    return json === undefined ? null : (parseExact(json) as KeyView);
  }

  /** The record of a key in one of the states. */
  async decode(side: 0 | 1, key: DifferingKey, withSecrets: boolean): Promise<LineView | null> {
    const line = await this.#line(side, side === 0 ? key.before : key.after);
    return line ? (parseExact(decodeLine(line, withSecrets)) as LineView) : null;
  }

  /** What is listed, as `diff --format json` prints it; credentials are masked. */
  async printed(): Promise<Blob> {
    const lines: string[] = [];
    const print = (line: Reply) => {
      if (typeof line === "string") lines.push(line, "\n");
    };
    print(await this.#ask({ type: "printed", of: "states" }));
    for (let at = 0; at < this.list.total; at++) {
      const row = await this.row(at);
      if (row?.type === "object") print(await this.#ask({ type: "printed", of: row.value.at }));
      else if (row) print(printedKey(await this.#line(0, row.value.before), await this.#line(1, row.value.after), false));
    }
    print(await this.#ask({ type: "printed", of: "summary" }));
    return new Blob(lines, { type: "application/x-ndjson" });
  }
}
