// An opened dump: its report and index as they become known, and the jobs that read it again.

import { decodeBeginning, decodeHeading, decodeLine, isEncrypted, isPacked, valueBytes, valueJson, valueText } from "metadump-wasm";

import type { Directory } from "../io/directory";
import type { Job, Progress } from "../io/jobs";
import { blob, read, type Source } from "../io/source";
import { parseExact } from "./exact";
import { logId, plural, size } from "./format";
import type { Finding, Hits, Index, LineView, Query, Report, Splice } from "./generated";
import { Lines, MOST_LINE_BYTES } from "./lines";
import { engine, run, type Running } from "./workers";

const decoder = new TextDecoder();
/** As much of a very long line as a key needs. */
const MOST_BEGINNING_BYTES = 1 << 20;
const ranks = { error: 0, warning: 1, note: 2 } as const;

/** How much is shown around what is wrong, bytes. */
const SHOWN_AROUND = 60;

/** How many bytes of a file tell how it is stored. */
const BEGINNING_BYTES = 34;

/** What reads encrypted dumps, as the user gave it: it is kept in the memory of the page, and nowhere else. */
export const identity = { text: "" };

/** Whether a text holds an identity. */
export const isIdentity = (text: string): boolean => /AGE-SECRET-KEY-1/i.test(text);

/** A file with identities is no larger. */
export const MOST_IDENTITY_BYTES = 64 << 10;

async function storedAs(opened: Opened): Promise<Extract<Job, { type: "open" }>["stored"]> {
  if ("files" in opened) return { form: "directory", dump: opened };
  const beginning = await read(opened, 0, BEGINNING_BYTES);
  return { form: isEncrypted(beginning) ? "encrypted" : isPacked(beginning) ? "packed" : "plain", dump: opened };
}

/** Where in a line something is wrong: the byte in it, the byte in the dump, and what stands there. */
export interface Fault {
  code: string;
  at: number;
  offset: number;
  before: string;
  here: string;
  after: string;
}

/** What is opened: a dump, or a raft directory. */
export type Opened = Source | Directory;

export class Dump {
  readonly name: string;
  readonly packed: Opened;
  /** What the reader of a raft directory says of it; none of a dump. */
  remarks = $state.raw<string[] | null>(null);
  lines = $state.raw<Lines>(new Lines(new Blob()));
  report = $state.raw<Report | null>(null);
  index = $state.raw<Index | null>(null);
  /** What the file is that is no dump. */
  foreign = $state("");
  /** The manifest that was given with it. */
  manifest: Uint8Array | null = null;
  phase = $state<"unpacking" | "reading" | "ready" | "failed" | "cancelled">("reading");
  error = $state("");
  bytesRead = $state(0);
  bytesTotal = $state(0);
  knownLines = $state(0);
  rate = $state(0);
  seconds = $state(0);
  /** How long it took until the first rows could be shown, milliseconds. */
  firstRowsMs = 0;
  /** Whether it is encrypted, and what was given does not read it. */
  locked = $state(false);
  /** Why a packed dump is not whole; what came before the fault is shown. */
  cut = $state("");
  /** How many workers died and were started again: those that scan, and others. */
  restarts = $derived.by(() => this.#scanners + this.#others);
  /** The findings, the worst first, those of one code together. */
  findings = $derived.by((): Finding[] => {
    const found = this.report?.findings ?? [];
    const codes = found.map(({ code }) => code);
    const order = (one: Finding) => codes.indexOf(one.code);
    return found.toSorted((a, b) => ranks[a.severity] - ranks[b.severity] || order(a) - order(b));
  });
  /** How many findings there are, also those that are only counted. */
  tally = $derived.by(() => {
    const tally = { error: 0, warning: 0, note: 0 };
    for (const [code, found] of Object.entries(this.report?.counts ?? {})) {
      tally[this.findings.find((finding) => finding.code === code)?.severity ?? "note"] += found;
    }
    return tally;
  });
  /** The same in words; of a file that could not be read to its end they say nothing of the rest. */
  tallied = $derived.by(() => (this.cut ? "In what was read: " : "") + Object.entries(this.tally).map(([severity, found]) => plural(found, severity)).join(", "));
  /** Where the entries of the log are, in stretches. */
  logRuns = $derived.by(() => this.index?.runs.filter((run) => run.kind === "LogEntry" || run.kind === "Logs") ?? []);
  logEntries = $derived.by(() => this.logRuns.reduce((sum, run) => sum + run.lines, 0));
  /** Which entry is the first that the snapshot does not hold, counted from 0; none when it holds all. */
  firstBeyond = $derived.by(() => {
    const beyond = this.report?.summary.log.entries_beyond_snapshot ?? 0;
    return beyond > 0 ? this.logEntries - beyond : null;
  });
  /** What is not in the snapshot, in words; empty when it holds all of the log. */
  beyond = $derived.by(() => {
    const entries = this.firstBeyond === null ? 0 : this.logEntries - this.firstBeyond;
    return entries === 0 ? "" : `as of ${logId(this.report?.summary.last_applied)}, ${plural(entries, "later log entry", "later log entries")} not applied`;
  });
  /** Why no dump is made of this one, which would look complete; empty when one can be. */
  unfit = $derived.by(() => {
    if (this.phase !== "ready") return "The dump has to be read to its end first.";
    return this.cut ? "Not all of the file could be read, and what is made of the rest would look complete: fetch it again." : "";
  });
  #scanners = $state(0);
  #others = $state(0);
  #running: Running | null = null;

  constructor(packed: Opened, name: string) {
    this.packed = packed;
    this.name = name;
  }

  /** The line of an entry of the log, counted from 0. */
  logLine(at: number): number {
    let left = at;
    for (const run of this.logRuns) {
      if (left < run.lines) return run.first_line + left;
      left -= run.lines;
    }
    return 1;
  }

  /** The first entry that was proposed at a time or later; the last one when none was. */
  async entryAt(timeMs: number): Promise<number> {
    let [from, to] = [0, this.logEntries];
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      // Entries without a time take that of the next one that has one.
      let at = middle;
      let time: number | null = null;
      while (at < to && time === null) {
        const ms = (await this.heading(this.logLine(at)))?.log?.time_ms;
        time = ms == null ? null : Number(ms);
        at++;
      }
      if (time === null || time >= timeMs) to = middle;
      else from = at;
    }
    return Math.min(from, Math.max(0, this.logEntries - 1));
  }

  get source(): Source {
    return this.lines.source;
  }

  async open(manifest: Uint8Array | null): Promise<void> {
    const started = performance.now();
    this.manifest = manifest;
    try {
      await engine;
      const stored = await storedAs(this.packed);
      this.locked = stored.form === "encrypted";
      this.phase = stored.form === "packed" || this.locked ? "unpacking" : "reading";
      this.bytesTotal = this.packed.size;
      this.bytesRead = 0;
      // What is unpacked is the dump, as far as it has come.
      const parts: Blob[] = [];
      const begin = () => {
        parts.length = 0;
        this.lines = new Lines(stored.form === "plain" ? stored.dump : new Blob());
      };
      begin();
      const reading = performance.now();
      const job = { type: "open", stored, identity: identity.text, name: this.name, manifest } as const;
      this.#running = this.run(job, (progress) => {
        if (progress.part) {
          parts.push(progress.part);
          this.lines.source = new Blob(parts);
        }
        if (progress.marks) {
          this.firstRowsMs ||= performance.now() - started;
          this.lines.add(progress.marks, progress.lines);
          this.knownLines = progress.lines;
        }
        this.#scanners = progress.restarts;
        if (progress.index) this.index = parseExact(progress.index) as Index;
        this.#advance(progress.bytes, reading);
      }, begin);
      const [report = "", index = "", foreign = "", cut = "", ...remarks] = await this.#running.results;
      if (stored.form === "directory") this.remarks = remarks;
      this.cut = cut;
      this.locked = false;
      this.foreign = foreign;
      this.index = parseExact(index) as Index;
      this.report = parseExact(report) as Report;
      this.bytesTotal = this.source.size;
      this.#advance(this.bytesTotal, reading);
      this.phase = "ready";
    } catch (error) {
      if (this.phase !== "cancelled") {
        this.phase = "failed";
        this.error = error instanceof Error ? error.message : String(error);
      }
    }
    this.seconds = (performance.now() - started) / 1000;
  }

  /** Runs a job; that its worker died and was started again is told with the dump. */
  run(job: Job, progress: (report: Progress) => void, restarted = () => {}): Running {
    return run(job, progress, () => {
      this.#others++;
      restarted();
    });
  }

  cancel(): void {
    if (this.phase === "unpacking" || this.phase === "reading") this.phase = "cancelled";
    this.#running?.cancel();
  }

  #advance(bytes: number, since: number): void {
    this.bytesRead = bytes;
    this.rate = bytes / Math.max((performance.now() - since) / 1000, 0.001);
  }

  /** Decodes a line, its credentials masked or shown; none when there is no such line. */
  decode = (number: number, withSecrets: boolean) =>
    this.#decoded(number, (line) => decodeLine(line, withSecrets));

  /** Decodes a line but for its values. */
  heading = (number: number) => this.#decoded(number, decodeHeading);

  /** The value of a line as JSON, its credentials masked or shown; none of other lines than those of the key space. */
  async valueJson(number: number, withSecrets: boolean): Promise<string | undefined> {
    const line = await this.lines.line(number);
    return line && line.size <= line.bytes.length ? valueJson(line.bytes, withSecrets) : undefined;
  }

  /** The value of a line as text; none for lines that have none, or are too long. */
  async valueText(number: number, withSecrets: boolean): Promise<string | undefined> {
    const line = await this.lines.line(number);
    return line && line.size <= line.bytes.length ? valueText(line.bytes, withSecrets) : undefined;
  }

  /** The value of a line as it is stored. */
  async valueBytes(number: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const line = await this.lines.line(number);
    return line && line.size <= line.bytes.length ? (valueBytes(line.bytes) as Uint8Array<ArrayBuffer> | undefined) : undefined;
  }

  async #decoded(number: number, decode: (line: Uint8Array) => string): Promise<LineView | null> {
    const line = await this.lines.line(number);
    if (!line) return null;
    if (line.size > line.bytes.length) {
      const beginning = parseExact(decodeBeginning(line.bytes.subarray(0, MOST_BEGINNING_BYTES))) as LineView;
      return { ...beginning, error: `The line has ${size(line.size)}; what is longer than ${size(MOST_LINE_BYTES)} is shown in part: save the line to see all of it.` };
    }
    return parseExact(decode(line.bytes)) as LineView;
  }

  /** The text of a line, of a huge one its first part, and how many bytes the whole line has. */
  async text(number: number): Promise<{ text: string; size: number }> {
    const line = await this.lines.line(number);
    return { text: line ? decoder.decode(line.bytes) : "", size: line?.size ?? 0 };
  }

  /** The places of findings in a line, with what stands there. */
  async faultsIn(number: number): Promise<Fault[]> {
    const findings = this.findings.filter(({ line }) => line === number);
    const line = findings.length > 0 ? await this.lines.line(number) : null;
    if (!line) return [];
    return findings.flatMap(({ code, offset_bytes }) => {
      const at = (offset_bytes ?? 0) - line.offset;
      // What is said of the whole line is said of its first byte.
      if (at <= 0 || at > line.bytes.length) return [];
      const part = (from: number, to: number) => decoder.decode(line.bytes.subarray(Math.max(0, from), to));
      return { code, at, offset: line.offset + at, before: part(at - SHOWN_AROUND, at), here: part(at, at + 1), after: part(at + 1, at + SHOWN_AROUND) };
    });
  }

  /** A line as it stands in the dump, of whatever length. */
  async lineBlob(number: number): Promise<Blob> {
    const line = await this.lines.beginning(number);
    const plain = await blob(this.source);
    return plain.slice(line?.offset ?? 0, line ? line.offset + line.size + 1 : 0, "application/x-ndjson");
  }

  /** The beginning of a line, as much as a row can show. */
  async beginning(number: number): Promise<string> {
    const line = await this.lines.beginning(number);
    return line ? decoder.decode(line.bytes) : "";
  }

  /**
   * Searches with as many workers as there are cores, at most four, each over a part; some lines alone
   * with one worker.
   */
  search(query: Query, progress: (bytes: number) => void, lines?: [number, number]): { hits: Promise<Hits>; cancel(): void } {
    const parts = lines ? [this.#partOf(...lines)] : this.#parts(Math.min(4, navigator.hardwareConcurrency || 2));
    const readBytes = parts.map(() => 0);
    const running = parts.map((part, at) =>
      this.run({ type: "search", dump: this.source, part, query: JSON.stringify(query) }, (report) => {
        readBytes[at] = report.bytes;
        progress(readBytes.reduce((sum, bytes) => sum + bytes, 0));
      }),
    );
    const hits = Promise.all(running.map((job) => job.results)).then((results) => {
      const found = results.map(([json = "{}"]) => parseExact(json) as Hits);
      const kept = found.flatMap((part) => part.kept);
      if (query.order === "size") kept.sort((a, b) => b.bytes - a.bytes || a.line - b.line);
      if (query.order === "expiry") kept.sort((a, b) => Number(a.expire_ms ?? Infinity) - Number(b.expire_ms ?? Infinity) || a.line - b.line);
      return {
        count: found.reduce((sum, part) => sum + part.count, 0),
        bytes: found.reduce((sum, part) => sum + part.bytes, 0),
        kept: kept.slice(0, query.most),
      };
    });
    return { hits, cancel: () => running.forEach((job) => job.cancel()) };
  }

  /** The lines of hits as they stand in the dump. */
  async linesOf(hits: Hits): Promise<Blob> {
    const plain = await blob(this.source);
    const lines = hits.kept.map(({ offset_bytes, bytes }) => plain.slice(offset_bytes, offset_bytes + bytes));
    return new Blob(lines, { type: "application/x-ndjson" });
  }

  /** The blocks that hold some lines. */
  #partOf(first: number, last: number) {
    const from = this.lines.blockOf(first);
    const end = this.lines.blockAfter(this.lines.blockOf(last).offset + 1);
    return { from: from.offset, to: end?.offset ?? this.source.size, firstLine: from.line };
  }

  #parts(count: number) {
    const size = this.source.size;
    const starts = [{ line: 1, offset: 0 }];
    for (let at = 1; at < count; at++) {
      const start = this.lines.blockAfter((size / count) * at);
      if (start && start.offset > (starts.at(-1)?.offset ?? 0)) starts.push(start);
    }
    return starts.map((start, at) => ({
      from: start.offset,
      to: starts[at + 1]?.offset ?? size,
      firstLine: start.line,
    }));
  }

  /** The rewritten dump: slices of this one and what the splices put between them. */
  async rewritten(splices: Splice[]): Promise<Blob> {
    const plain = await blob(this.source);
    const parts: (Blob | string)[] = [];
    let at = 0;
    for (const splice of splices) {
      if (splice.from_bytes > at) parts.push(plain.slice(at, splice.from_bytes));
      parts.push(splice.text);
      at = splice.to_bytes;
    }
    parts.push(plain.slice(at));
    return new Blob(parts, { type: "application/x-ndjson" });
  }
}
