// The change of a dump: what is asked for, and what it comes to.

import { clusterError, memberError } from "metadump-wasm";

import type { Dump } from "./dump.svelte";
import { parseExact } from "./exact";
import type { Splice } from "./generated";
import { stem } from "./saving";
import { Cancelled, type Running } from "./workers";

/** A line that goes or comes; the text of one that goes is in the dump. */
export interface ChangedLine {
  line: number;
  text: string | null;
}

/** A node of a new cluster, as its fields have it. */
export interface Member {
  id: string;
  host: string;
  port: string;
}

/** A node as the command line takes it; empty when nothing is said of it: an id alone says nothing yet. */
function written(member: Member): string {
  const [id, host, port] = [member.id.trim(), member.host.trim(), member.port.trim()];
  return host + port === "" ? "" : `${id}=${host}${port === "" ? "" : `:${port}`}`;
}

export class Change {
  members = $state<Member[]>([{ id: "1", host: "", port: "" }]);
  repairExpire = $state(false);
  repairSnapshot = $state(false);
  plan = $state.raw<{ changes: string[]; splices: Splice[] } | null>(null);
  working = $state(false);
  readBytes = $state(0);
  failed = $state("");
  #chosenId = $state("");
  #running: Running | null = null;

  #written = $derived.by(() => this.members.map(written));
  given = $derived.by(() => this.#written.filter((text) => text !== ""));
  ids = $derived.by(() => this.given.map((member) => member.split("=")[0] ?? "").filter((id, at, ids) => ids.indexOf(id) === at));
  errors = $derived.by(() => this.#written.map((text) => (text === "" ? undefined : memberError(text))));
  sound = $derived.by(() => this.errors.every((error) => !error));
  error = $derived.by(() => (this.given.length > 0 && this.sound ? clusterError(this.ownId, this.given) : undefined));

  constructor(readonly dump: Dump) {}

  /** The node that the dump is restored as: the first, until another is chosen. */
  get ownId(): string {
    return this.ids.includes(this.#chosenId) ? this.#chosenId : (this.ids[0] ?? "");
  }

  set ownId(id: string) {
    this.#chosenId = id;
    this.outdated();
  }

  /** Adds a node with the next id. */
  add(): void {
    const ids = this.members.map(({ id }) => Number(id)).filter((id) => Number.isSafeInteger(id));
    this.members.push({ id: String(Math.max(0, ...ids) + 1), host: "", port: "" });
    this.outdated();
  }

  remove(at: number): void {
    this.members.splice(at, 1);
    this.outdated();
  }

  /** Takes nodes as the command line has them, `ID=HOST:PORT,…`, from a field on; says whether it is that. */
  take(at: number, text: string): boolean {
    if (!text.includes("=") || memberError(text.trim())) return false;
    const nodes = text.trim().split(",").filter((node) => node.includes("="));
    const members = nodes.map((node) => {
      const [id = "", address = ""] = node.split("=");
      const colon = address.lastIndexOf(":");
      return { id, host: address.slice(0, colon), port: address.slice(colon + 1) };
    });
    const has = (id: string) => members.some((member) => member.id === id);
    const others = this.members.filter((member, other) => other !== at && member.host !== "" && !has(member.id));
    this.members.splice(0, this.members.length, ...others, ...members);
    this.outdated();
    return true;
  }

  get ready(): boolean {
    return !this.dump.unfit && this.sound && !this.error && (this.given.length > 0 || this.repairExpire || this.repairSnapshot);
  }

  /** The form says something else than what the plan is for. */
  outdated(): void {
    this.#running?.cancel();
    this.plan = null;
    this.failed = "";
  }

  async #planAs(ownId: string): Promise<{ changes: string[]; splices: Splice[] }> {
    const members = $state.snapshot(this.given);
    const { repairExpire, repairSnapshot } = this;
    const job = { type: "rewrite", dump: this.dump.source, ownId, members, repairExpire, repairSnapshot } as const;
    this.#running = this.dump.run(job, (report) => (this.readBytes = report.bytes));
    const [changes = "[]", splices = "[]"] = await this.#running.results;
    return { changes: parseExact(changes) as string[], splices: parseExact(splices) as Splice[] };
  }

  /** Makes the dump of every node with its manifest, one after the other, and hands them out under their names. */
  async forAll(each: (name: string, content: Blob) => void): Promise<void> {
    for (const id of $state.snapshot(this.ids)) {
      const name = `${stem(this.dump.name)}.node${id}.ndjson`;
      const { splices } = await this.#planAs(id);
      const dump = await this.dump.rewritten(splices);
      this.#running = this.dump.run({ type: "seal", dump, name, of: this.dump.manifest }, (report) => (this.readBytes = report.bytes));
      const [manifest = ""] = await this.#running.results;
      each(name, dump);
      each(`${name}.manifest.json`, new Blob([manifest], { type: "application/json" }));
    }
  }

  async preview(): Promise<void> {
    this.outdated();
    this.working = true;
    this.readBytes = 0;
    try {
      this.plan = await this.#planAs(this.ownId);
    } catch (error) {
      if (!(error instanceof Cancelled)) this.failed = error instanceof Error ? error.message : String(error);
    }
    this.working = false;
  }
}

/** How many lines go and come. */
export function countChanged(splices: Splice[]): number {
  let lines = 0;
  for (const { lines_dropped, text } of splices) {
    lines += lines_dropped;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  }
  return lines;
}

/** The first lines that go and come, in the order of the dump. */
export function changedLines(splices: Splice[], most: number): ChangedLine[] {
  const lines: ChangedLine[] = [];
  for (const { line, lines_dropped, text } of splices) {
    for (let at = 0; at < lines_dropped && lines.length < most; at++) lines.push({ line: line + at, text: null });
    for (let at = 0, end = text.indexOf("\n"); end >= 0 && lines.length < most; end = text.indexOf("\n", at)) {
      lines.push({ line, text: text.slice(at, end) });
      at = end + 1;
    }
    if (lines.length >= most) break;
  }
  return lines;
}
