// An opened dump: its report and index as they become known, and the jobs that read it again.

import { decodeLine } from "metadump-wasm";

import { Lines } from "./lines";
import type { Differences, Hits, Index, LineView, Report, Splice } from "./report";
import { blob, read, type Source } from "./source";
import { run, type Running } from "./workers";

const decoder = new TextDecoder();
const MOST_DECODED_BYTES = 8 << 20;

export class Dump {
  readonly name: string;
  readonly packed: Source;
  lines = $state.raw<Lines>(new Lines(new Blob()));
  report = $state.raw<Report | null>(null);
  index = $state.raw<Index | null>(null);
  phase = $state<"unpacking" | "reading" | "ready" | "failed" | "cancelled">("reading");
  error = $state("");
  bytesRead = $state(0);
  bytesTotal = $state(0);
  knownLines = $state(0);
  rate = $state(0);
  seconds = $state(0);
  /** How long it took until the first rows could be shown, milliseconds. */
  firstRowsMs = 0;
  restarts = $state(0);
  reportJson = "";
  #running: Running | null = null;

  constructor(packed: Source, name: string) {
    this.packed = packed;
    this.name = name;
  }

  get source(): Source {
    return this.lines.source;
  }

  async open(manifest: Uint8Array | null): Promise<void> {
    const started = performance.now();
    try {
      const plain = await this.#plain();
      this.phase = "reading";
      this.bytesTotal = plain.size;
      this.bytesRead = 0;
      this.lines = new Lines(plain);
      const reading = performance.now();
      this.#running = run({ type: "open", dump: plain, manifest }, (progress) => {
        if (progress.marks) {
          this.firstRowsMs ||= performance.now() - started;
          this.lines.add(progress.marks, progress.lines, progress.bytes);
          this.knownLines = progress.lines;
        }
        this.restarts = progress.restarts;
        if (progress.index) this.index = JSON.parse(progress.index) as Index;
        this.#advance(progress.bytes, reading);
      });
      const [report = "", index = ""] = await this.#running.results;
      this.reportJson = report;
      this.index = JSON.parse(index) as Index;
      this.report = JSON.parse(report) as Report;
      this.phase = "ready";
    } catch (error) {
      if (this.phase !== "cancelled") {
        this.phase = "failed";
        this.error = error instanceof Error ? error.message : String(error);
      }
    }
    this.seconds = (performance.now() - started) / 1000;
  }

  cancel(): void {
    if (this.phase === "unpacking" || this.phase === "reading") this.phase = "cancelled";
    this.#running?.cancel();
  }

  async #plain(): Promise<Source> {
    const magic = await read(this.packed, 0, 4);
    const gzip = magic[0] === 0x1f && magic[1] === 0x8b;
    const zstd = magic[0] === 0x28 && magic[1] === 0xb5 && magic[2] === 0x2f && magic[3] === 0xfd;
    if (!gzip && !zstd) return this.packed;
    this.phase = "unpacking";
    this.bytesTotal = this.packed.size;
    const parts: Blob[] = [];
    const started = performance.now();
    this.#running = run({ type: "unpack", packed: this.packed }, (progress) => {
      if (progress.unpacked) parts.push(progress.unpacked);
      this.#advance(progress.bytes, started);
    }, 0);
    await this.#running.results;
    return new Blob(parts);
  }

  #advance(bytes: number, since: number): void {
    this.bytesRead = bytes;
    this.rate = bytes / Math.max((performance.now() - since) / 1000, 0.001);
  }

  /** Decodes a line; none when there is no such line. */
  async decode(number: number): Promise<LineView | null> {
    const line = await this.lines.line(number);
    if (!line) return null;
    if (line.size > MOST_DECODED_BYTES) {
      return { ...brokenLine, error: `the line has ${line.size} bytes, more than is decoded here` };
    }
    return JSON.parse(decodeLine(line.bytes)) as LineView;
  }

  async text(number: number): Promise<string> {
    const line = await this.lines.line(number);
    return line ? decoder.decode(line.bytes) : "";
  }

  /** Searches with as many workers as there are cores, at most four, each over a part. */
  search(query: object, most: number, progress: (bytes: number) => void): { hits: Promise<Hits>; cancel(): void } {
    const parts = this.#parts(Math.min(4, navigator.hardwareConcurrency || 2));
    const readBytes = parts.map(() => 0);
    const bySize = "order" in query && query.order === "size";
    const running = parts.map((part, at) =>
      run({ type: "search", dump: this.source, part, query: JSON.stringify({ ...query, most }) }, (report) => {
        readBytes[at] = report.bytes;
        progress(readBytes.reduce((sum, bytes) => sum + bytes, 0));
      }),
    );
    const hits = Promise.all(running.map((job) => job.results)).then((results) => {
      const found = results.map(([json = "{}"]) => JSON.parse(json) as Hits);
      const kept = found.flatMap((part) => part.kept);
      if (bySize) kept.sort((a, b) => b.bytes - a.bytes || a.line - b.line);
      return {
        count: found.reduce((sum, part) => sum + part.count, 0),
        bytes: found.reduce((sum, part) => sum + part.bytes, 0),
        kept: kept.slice(0, most),
      };
    });
    return { hits, cancel: () => running.forEach((job) => job.cancel()) };
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

  async rewrite(ownId: string, members: string[], repairExpire: boolean, progress: (bytes: number) => void) {
    const job = run({ type: "rewrite", dump: this.source, ownId, members: [...members], repairExpire }, (report) =>
      progress(report.bytes),
    );
    const [changes = "[]", splices = "[]"] = await job.results;
    return { changes: JSON.parse(changes) as string[], splices: JSON.parse(splices) as Splice[] };
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

const brokenLine: LineView = {
  tree: "",
  kind: "line",
  error: null,
  key: null,
  segments: [],
  seq: null,
  expire_ms: null,
  proposed_ms: null,
  value: null,
  log: null,
};

/** Compares the keys of two dumps. */
export function compare(left: Dump, right: Dump, progress: (bytes: number) => void) {
  const job = run({ type: "compare", left: left.source, right: right.source }, (report) => progress(report.bytes));
  return {
    differences: job.results.then(([json = "{}"]) => JSON.parse(json) as Differences),
    cancel: () => job.cancel(),
  };
}
