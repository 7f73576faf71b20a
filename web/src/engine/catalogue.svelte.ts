// The objects of a state in the words of Databend: which are listed, and which one is looked at.

import { decodeHeading, decodeLine } from "metadump-wasm";

import type { Question, Reply } from "../io/jobs";
import type { Dump } from "./dump.svelte";
import { parseExact } from "./exact";
import type {
  LineView, ObjectDetail, ObjectHistory, ObjectKey, ObjectQuery, ObjectRow, SortBy, StateOverview, Tenant,
} from "./generated";
import { Parted } from "./parted";
import type { Cell, Table } from "./tables";
import { Cancelled, type Running } from "./workers";

/** How many rows are asked for at a time. */
const MOST_ASKED = 1000;

export class Catalogue {
  /** The moment that is asked for, as `--at` takes it. */
  at = $state("end");
  overview = $state.raw<StateOverview | null>(null);
  /** That of the end of the log, whichever moment is shown; the first one where the log cannot be applied. */
  ended = $state.raw<StateOverview | null>(null);
  working = $state(false);
  readBytes = $state(0);
  failed = $state("");
  /** The tenant whose objects are listed; without one all tenants are, or what is searched in all. */
  tenant = $state.raw<Tenant | null>(null);
  /** The database whose tables are listed. */
  parent = $state.raw<ObjectRow | null>(null);
  kind = $state("");
  text = $state("");
  sort = $state<SortBy>("name");
  /** How many objects are listed; a new list is another object. */
  list = $state.raw({ total: 0 });
  cursor = $state(0);
  tenantCursor = $state(0);
  selected = $state.raw<ObjectDetail | null>(null);
  /** The line that was looked for last: the place of the object that is selected. */
  sought = 1;
  #running: Running | null = null;
  #rows = this.#noRows();
  #searches = 0;
  #steps = 0;
  /** How often an object was gone to: an answer for an earlier one comes too late. */
  #looks = 0;

  constructor(readonly dump: Dump) {}

  /** The tenants of all moments that were looked at. */
  names = $state.raw<string[]>([]);

  /** Whether tenants are listed, and not objects. */
  ofTenants = $derived.by(() => this.tenant === null && this.text === "");

  tenants = $derived.by(() => {
    const tenants = this.overview?.tenants ?? [];
    const { sort } = this;
    return sort === "name" ? tenants : tenants.toSorted((a, b) => b[sort] - a[sort]);
  });

  /** Reads the objects, if that was not done. */
  open(): void {
    if (!this.#running && this.dump.phase === "ready") void this.read(this.at);
  }

  /** Reads the objects of a moment. */
  async read(at: string): Promise<void> {
    if (await this.#step(at)) return;
    this.close();
    this.at = at;
    this.working = true;
    this.readBytes = 0;
    this.failed = "";
    const job = { type: "browse", dump: this.dump.source, at } as const;
    const running = this.dump.run(job, (report) => (this.readBytes = report.bytes));
    this.#running = running;
    try {
      const [overview = ""] = await running.results;
      const parent = await this.#parentNow();
      if (this.#running !== running) return;
      await this.#show(overview, parent);
    } catch (error) {
      if (this.#running !== running || error instanceof Cancelled) return;
      this.overview = null;
      this.failed = error instanceof Error ? error.message : String(error);
    }
    this.working = false;
  }

  /** Goes to another moment of what was read; false where that is not enough. */
  async #step(at: string): Promise<boolean> {
    const running = this.#running;
    if (!running || this.working || !this.overview) return false;
    const mine = ++this.#steps;
    // Why there is no such moment, a reading says.
    const overview = await running.ask({ type: "step", at }).catch(() => undefined);
    if (typeof overview !== "string") return false;
    const parent = await this.#parentNow().catch(() => null);
    // Something else is shown by now, or was asked for since.
    if (this.#running !== running || mine !== this.#steps) return true;
    this.at = at;
    this.selected = null;
    await this.#show(overview, parent);
    return true;
  }

  /** The database whose tables are listed: at another moment it stands elsewhere among all, or is not there. */
  async #parentNow(): Promise<ObjectRow | null> {
    const at = await this.#ofLine(this.parent?.line ?? 1);
    const detail = at === null ? null : await this.#json<ObjectDetail>({ type: "detail", at });
    return detail?.row.object.id === this.parent?.object.id ? (detail?.row ?? null) : null;
  }

  async #show(overview: string, parent: ObjectRow | null): Promise<void> {
    this.parent = parent;
    this.overview = parseExact(overview) as StateOverview;
    if (this.at === "end" || !this.ended) this.ended = this.overview;
    const unknown = this.overview.tenants.flatMap(({ tenant }) => (tenant === null || this.names.includes(tenant) ? [] : [tenant]));
    this.names = [...this.names, ...unknown].toSorted();
    this.tenant = this.overview.tenants.find(({ tenant }) => this.tenant && tenant === this.tenant.tenant) ?? null;
    this.sought = 1;
    await this.search();
  }

  close(): void {
    this.#running?.cancel();
    this.#running = null;
    this.#rows = this.#noRows();
    this.selected = null;
    this.list = { total: 0 };
  }

  #noRows(): Parted<ObjectRow> {
    return new Parted(async (from, to) => (await this.#json<ObjectRow[]>({ type: "rows", from, to })) ?? []);
  }

  async #ask(question: Question): Promise<Reply> {
    return this.#running ? this.#running.ask(question) : undefined;
  }

  async #json<T>(question: Question): Promise<T | null> {
    const reply = await this.#ask(question);
    return typeof reply === "string" ? (parseExact(reply) as T) : null;
  }

  /** Lists what is asked for. */
  async search(): Promise<void> {
    const { tenant, parent, kind, text, sort } = this;
    const query: ObjectQuery = {
      tenants: tenant ? [tenant.tenant] : [],
      kind: kind === "" ? null : kind,
      parent: parent?.at ?? null,
      text,
      sort,
    };
    const mine = ++this.#searches;
    const total = Number((await this.#ask({ type: "list", query: JSON.stringify(query) })) ?? 0);
    // A later one is under way, or has been answered.
    if (mine !== this.#searches) return;
    this.#rows = this.#noRows();
    this.cursor = 0;
    this.list = { total };
  }

  /** The row of the list at an index. */
  row = (index: number): Promise<ObjectRow | null> => this.#rows.row(index);

  /** What is listed. */
  async table(): Promise<Table> {
    if (this.ofTenants) {
      return { columns: ["tenant", "keys", "bytes"], rows: this.tenants.map(({ tenant, keys, bytes }) => [tenant, keys, bytes]) };
    }
    const { total } = this.list;
    const rows: Cell[][] = [];
    for (let from = 0; from < total; from += MOST_ASKED) {
      const part = (await this.#json<ObjectRow[]>({ type: "rows", from, to: Math.min(total, from + MOST_ASKED) })) ?? [];
      for (const { object, full_name, line } of part) {
        rows.push([object.tenant, object.kind, object.id, full_name, object.engine, object.owner, object.created_on, object.dropped_on, object.keys, object.bytes, line]);
      }
    }
    return { columns: ["tenant", "kind", "id", "name", "engine", "owner", "created_on", "dropped_on", "keys", "bytes", "line"], rows };
  }

  /** Shows a tenant or all of them, a database in it, objects of a kind. */
  async show(tenant: Tenant | null, parent: ObjectRow | null = null, kind = ""): Promise<void> {
    this.tenant = tenant;
    this.parent = parent;
    this.kind = kind;
    this.text = "";
    // Rows of another list are none of this one, however quickly somebody goes to one.
    this.list = { total: 0 };
    await this.search();
  }

  /** Looks at the object that stands at a place among all. */
  async select(at: number): Promise<ObjectDetail | null> {
    const mine = ++this.#looks;
    const detail = await this.#json<ObjectDetail>({ type: "detail", at });
    if (!detail || mine !== this.#looks) return null;
    this.selected = detail;
    this.sought = detail.row.line ?? 1;
    return detail;
  }

  /** Looks at an object where it stands in the list, or in that of its tenant. */
  async reveal(at: number): Promise<ObjectDetail | null> {
    const detail = await this.select(at);
    if (!detail) return null;
    const mine = this.#looks;
    let index = await this.#ask({ type: "indexOf", at });
    if (mine !== this.#looks) return null;
    if (index === undefined || this.ofTenants) {
      const { tenant, kind } = detail.row.object;
      const of = this.overview?.tenants.find((one) => one.tenant === tenant) ?? null;
      await this.show(of, null, kind);
      index = await this.#ask({ type: "indexOf", at });
      if (mine !== this.#looks) return null;
    }
    this.cursor = Number(index ?? 0);
    return detail;
  }

  /** Looks at the object that a line belongs to, if it belongs to one. */
  async seek(line: number): Promise<void> {
    this.sought = line;
    const mine = ++this.#looks;
    const at = await this.#ofLine(line);
    if (mine !== this.#looks || at === null) return;
    if (await this.reveal(at)) this.sought = line;
  }

  /** Where the object stands that a line belongs to; none does the first. */
  async #ofLine(line: number): Promise<number | null> {
    const raw = line > 1 && (await this.dump.lines.line(line));
    const at = raw && (await this.#ask({ type: "ofLine", line, text: raw.bytes.slice() }));
    return typeof at === "number" ? at : null;
  }

  /** The key of an object but for its value. */
  async heading(key: ObjectKey): Promise<LineView | null> {
    if (key.written === null) return this.dump.heading(key.line);
    const text = await this.#ask({ type: "written", at: key.written });
    return text instanceof Uint8Array ? (parseExact(decodeHeading(text)) as LineView) : null;
  }

  /** A key of an object with its value. */
  async decode(key: ObjectKey, withSecrets: boolean): Promise<LineView | null> {
    if (key.written === null) return this.dump.decode(key.line, withSecrets);
    const text = await this.#ask({ type: "written", at: key.written });
    return text instanceof Uint8Array ? (parseExact(decodeLine(text, withSecrets)) as LineView) : null;
  }

  /** What the log did to an object. */
  history = (at: number): Promise<ObjectHistory | null> => this.#json<ObjectHistory>({ type: "history", at });
}
