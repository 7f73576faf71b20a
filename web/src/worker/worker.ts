// Runs one job and ends: reads dumps piece by piece and feeds them to the binding.

import { type AbridgedPart, Abridging, Browsing, Comparing, Excerpting, Merging, Opening, Redacting, Rewriting, Sealing, Searching, Selecting, Unpacking, exportDirectory, initSync, isPacked } from "metadump-wasm";

import { decrypted } from "../io/age";
import type { Answer, Ask, Job, Progress, Question, Reply, Start } from "../io/jobs";
import { pieces, read, type Source } from "../io/source";
import { Lent } from "./lent";
import { scanned, scannersFor } from "./pool";

const AFTER_PART_BYTES = 256 << 10;
const REPORT_EVERY_MS = 100;
/** Smaller dumps are read before a second worker has started. */
const FEWEST_SHARED_BYTES = 8 << 20;
/** How much of a new dump is held before it is handed out. */
const MOST_HELD_BYTES = 16 << 20;

const send = (answer: Answer, moved: Transferable[] = []) => postMessage(answer, { transfer: moved });

const nothing = { type: "progress", lines: 0, marks: null, index: null, part: null, restarts: 0 } as const;

let reported = -Infinity;
function progress(bytes: number, more?: () => Partial<Progress>): void {
  const now = performance.now();
  if (now - reported < REPORT_EVERY_MS) return;
  reported = now;
  send({ ...nothing, bytes, ...more?.() });
}

/** Holds bytes until they are handed out as a blob, which the browser keeps on disk when it is large. */
class Parts {
  size = 0;
  #held: Uint8Array<ArrayBuffer>[] = [];

  add(bytes: Uint8Array): void {
    this.#held.push(bytes as Uint8Array<ArrayBuffer>);
    this.size += bytes.length;
  }

  take(): Blob | null {
    if (this.size === 0) return null;
    const part = new Blob(this.#held);
    this.#held = [];
    this.size = 0;
    return part;
  }
}

/**
 * Reads a dump once. A dump with a manifest is not shared out: its SHA-256 knows no parts. A packed one
 * is read while it is unpacked, and what is unpacked handed out; so is the dump that a raft directory comes to.
 */
async function open(job: Extract<Job, { type: "open" }>, start: Start): Promise<string[]> {
  const opening = new Opening(job.manifest, job.name);
  const parts = new Parts();
  let bytes = 0;
  let marks = 0;
  let indexed = 0;
  const takeMarks = () => {
    const taken = opening.marks(marks);
    marks += taken.length / 2;
    return taken;
  };
  let restarts = 0;
  const tell = () => {
    progress(bytes, () => {
      // The whole index is sent once a second only: it is text.
      const due = performance.now() - indexed > 1000;
      if (due) indexed = performance.now();
      return { lines: opening.lines, marks: takeMarks(), index: due ? opening.preview() : null, part: parts.take(), restarts };
    });
  };
  /** Why a packed dump ends before its end. */
  let cut = "";
  let isAny = false;
  /** What is to be known of a directory. */
  let remarks: string[] = [];
  const { form, dump } = job.stored;
  if (form === "directory") {
    const lent = new Lent(dump, (piece) => {
      const out = piece.slice();
      parts.add(out);
      opening.feed(out);
      // The log is read twice.
      bytes = Math.min(lent.bytesRead, dump.size);
      tell();
    });
    remarks = exportDirectory(lent);
  } else if (form !== "plain") {
    const taken = (read: number) => (bytes += read);
    const stored = form === "encrypted" ? decrypted(dump, job.identity, taken) : counted(dump, taken);
    try {
      for await (const out of unpacked(stored)) {
        isAny = true;
        parts.add(out);
        opening.feed(out);
        tell();
      }
    } catch (error) {
      if (!(error instanceof Error) || error instanceof WebAssembly.RuntimeError || !isAny) throw error;
      // What came before a fault can be looked at.
      cut = error.message;
    }
  } else if (job.manifest || dump.size < FEWEST_SHARED_BYTES || scannersFor(start.cores) < 2) {
    for await (const piece of pieces(dump)) {
      opening.feed(piece);
      bytes += piece.length;
      tell();
    }
  } else {
    for await (const part of scanned(dump, start, () => restarts++)) {
      opening.feedAbridged(part.packed, part.hashes);
      bytes = part.bytes;
      tell();
    }
  }
  opening.end();
  send({ ...nothing, bytes, lines: opening.lines, marks: takeMarks(), part: parts.take(), restarts });
  const opened = opening.finish();
  return [opened.report, opened.index, opened.foreign ?? "", cut, ...remarks];
}

/** The bytes of a dump; `taken` hears how many were read. */
async function* counted(dump: Source, taken: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces(dump)) {
    taken(piece.length);
    yield piece;
  }
}

/** What a packed dump unpacks to, a few megabytes at a time; what is not packed passes. */
async function* unpacked(packed: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let unpacking: Unpacking | null = null;
  let isFirst = true;
  for await (const piece of packed) {
    if (isFirst && isPacked(piece)) unpacking = new Unpacking(piece.subarray(0, 4));
    isFirst = false;
    if (!unpacking) {
      yield piece;
      continue;
    }
    // A piece can unpack to gigabytes.
    for (let out = unpacking.feed(piece); out.length > 0; out = unpacking.feed(new Uint8Array())) yield out;
  }
  if (unpacking) for (let out = unpacking.finish(); out.length > 0; out = unpacking.finish()) yield out;
}

/** Scans a part; its last line may end behind it. */
async function scan({ dump, part: { from, to } }: Extract<Job, { type: "scan" }>): Promise<AbridgedPart> {
  const abridging = new Abridging(from, to);
  let wanted = true;
  for await (const piece of pieces(dump, abridging.readsFrom, to)) wanted = abridging.feed(piece);
  for (let at = to; wanted && at < dump.size; at += AFTER_PART_BYTES) {
    wanted = abridging.feed(await read(dump, at, at + AFTER_PART_BYTES));
  }
  return abridging.finish();
}

async function search(job: Extract<Job, { type: "search" }>): Promise<string[]> {
  const { from, to, firstLine } = job.part;
  const searching = new Searching(job.query, firstLine, from);
  let bytes = 0;
  for await (const piece of pieces(job.dump, from, to)) {
    searching.feed(piece);
    bytes += piece.length;
    progress(bytes);
  }
  return [searching.finish()];
}

async function compare({ left, right }: Extract<Job, { type: "compare" }>): Promise<string[]> {
  const comparing = new Comparing(left.name, left.at, right.name, right.at, Date.now());
  const sources = { left: left.dump, right: right.dump };
  const readings = { left: pieces(left.dump), right: pieces(right.dump) };
  let bytes = 0;
  for (let side = comparing.wants(); side === "left" || side === "right"; side = comparing.wants()) {
    const next = await readings[side].next();
    const more = !next.done && comparing.feed(side, next.value);
    if (!next.done) bytes += next.value.length;
    progress(bytes);
    if (more) continue;
    await readings[side].return(undefined);
    readings[side] = pieces(sources[side]);
    comparing.endReading(side);
  }
  compared = comparing;
  return [comparing.states() ?? ""];
}

async function rewrite(job: Extract<Job, { type: "rewrite" }>): Promise<string[]> {
  const rewriting = new Rewriting(job.ownId, job.members, job.repairExpire, job.repairSnapshot);
  let bytes = 0;
  do {
    for await (const piece of pieces(job.dump)) {
      rewriting.feed(piece);
      bytes += piece.length;
      progress(bytes);
    }
  } while (rewriting.endReading());
  const changes = rewriting.changes;
  return [changes, rewriting.finish()];
}

/** The manifest of a dump. */
async function seal(job: Extract<Job, { type: "seal" }>): Promise<string[]> {
  const sealing = new Sealing();
  let bytes = 0;
  for await (const piece of pieces(job.dump)) {
    sealing.feed(piece);
    bytes += piece.length;
    progress(bytes);
  }
  return [sealing.finish(job.name, Date.now(), job.of, false)];
}

/** A new dump that a worker holds the plan of, as long as the page may ask for it. */
type Plan = Selecting | Redacting | Excerpting;
let making: { plan: Plan; dump: Source } | null = null;

async function plan(plan: Plan, dump: Source): Promise<string[]> {
  let bytes = 0;
  do {
    for await (const piece of pieces(dump)) {
      const more = plan.feed(piece);
      bytes += piece.length;
      progress(bytes);
      if (!more) break;
    }
  } while (plan.endReading());
  making = { plan, dump };
  return [plan.preview() ?? ""];
}

/** How much of a run is read at a time. */
const RUN_PIECE_BYTES = 256 << 10;

/** What a plan makes of a dump. */
async function* made(plan: Plan, dump: Source, taken: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  plan.startWriting();
  for await (const piece of pieces(dump)) {
    taken(piece.length);
    yield plan.write(piece);
  }
  yield plan.endWriting();
}

/** The same where keys get another order: the browser keeps their runs, on disk when they are large. */
async function* ordered(plan: Redacting, dump: Source, taken: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  const sections: (Blob | Blob[])[] = [];
  const keep = () => {
    for (let section = plan.takeSection(); section; section = plan.takeSection()) {
      const content = new Blob([section.take() as Uint8Array<ArrayBuffer>]);
      const last = sections.at(-1);
      if (!section.isRun) sections.push(content);
      else if (Array.isArray(last)) last.push(content);
      else sections.push([content]);
      section.free();
    }
  };
  for await (const rest of made(plan, dump, taken)) {
    keep();
    yield rest;
  }
  keep();
  for (const [at, section] of sections.entries()) {
    if (!Array.isArray(section)) {
      yield* pieces(section);
      continue;
    }
    yield* merged(section);
    if (at + 1 < sections.length || plan.endsLine) yield new Uint8Array([10]);
  }
}

/** The lines of runs in the order of their keys, without the end of the last one. */
async function* merged(runs: Blob[]): AsyncGenerator<Uint8Array> {
  const merging = new Merging(runs.length);
  const given = runs.map(() => 0);
  for (let run = merging.wants(); run !== undefined; run = merging.wants()) {
    const from = given[run] ?? 0;
    const piece = await runs[run]?.slice(from, from + RUN_PIECE_BYTES).arrayBuffer();
    given[run] = from + (piece?.byteLength ?? 0);
    merging.feed(run, new Uint8Array(piece ?? new ArrayBuffer(0)));
    yield merging.take();
  }
  merging.free();
}

/** Hands out the new dump in parts; gives its manifest. */
async function write(name: string, of: Uint8Array | null): Promise<Reply> {
  if (!making) return undefined;
  const { plan, dump } = making;
  const sealing = new Sealing();
  const parts = new Parts();
  let bytes = 0;
  const taken = (more: number) => {
    bytes += more;
    progress(bytes);
  };
  const sorts = plan instanceof Redacting && plan.hasNames;
  for await (const out of sorts ? ordered(plan, dump, taken) : made(plan, dump, taken)) {
    sealing.feed(out);
    parts.add(out);
    if (parts.size > MOST_HELD_BYTES) send({ ...nothing, bytes, part: parts.take() });
  }
  send({ ...nothing, bytes, part: parts.take() });
  return sealing.finish(name, Date.now(), of, sorts);
}

/** The objects that a worker holds as long as the page asks about them. */
let browsed: { browsing: Browsing; dump: Source; log: Promise<void> | null } | null = null;

async function readObjects(browsing: Browsing, dump: Source): Promise<void> {
  do {
    let bytes = 0;
    for await (const piece of pieces(dump)) {
      const more = browsing.feed(piece);
      bytes += piece.length;
      progress(bytes);
      if (!more) break;
    }
  } while (browsing.endReading());
}

async function browse(job: Extract<Job, { type: "browse" }>): Promise<string[]> {
  const browsing = new Browsing(job.at, Date.now());
  await readObjects(browsing, job.dump);
  browsed = { browsing, dump: job.dump, log: null };
  return [browsing.overview() ?? ""];
}

/** What differs, held likewise. */
let compared: Comparing | null = null;

function replyOf(compared: Comparing, question: Question): Reply {
  switch (question.type) {
    case "list":
      return compared.list(question.query);
    case "rows":
      return compared.rows(question.from, question.to);
    case "written":
      return compared.written(question.at);
    case "keysOf":
      return compared.keysOf(question.at, question.most);
    case "printed":
      if (question.of === "states") return compared.printedStates();
      return question.of === "summary" ? compared.printedSummary() : compared.printedObject(question.of);
    default:
      return undefined;
  }
}

async function reply(question: Question): Promise<Reply> {
  if (question.type === "write") return write(question.name, question.of);
  if (compared) return replyOf(compared, question);
  if (!browsed) return undefined;
  const { browsing, dump } = browsed;
  switch (question.type) {
    case "step":
      return browsing.step(question.at, Date.now()) ? browsing.overview() : undefined;
    case "list":
      return browsing.list(question.query);
    case "rows":
      return browsing.rows(question.from, question.to);
    case "indexOf":
      return browsing.indexOf(question.at);
    case "detail":
      return browsing.detail(question.at);
    case "ofLine":
      return browsing.ofLine(question.line, question.text);
    case "written":
      return browsing.written(question.at);
    case "history":
      // The log is gone through when it is asked for first.
      if (!browsed.log) {
        browsing.readLog(Date.now());
        browsed.log = readObjects(browsing, dump);
      }
      await browsed.log;
      return browsing.history(question.at);
    default:
      return undefined;
  }
}

async function answer({ id, question }: Ask): Promise<void> {
  try {
    send({ type: "replied", id, reply: await reply(question), failed: "" });
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) throw error;
    send({ type: "replied", id, reply: undefined, failed: error instanceof Error ? error.message : String(error) });
  }
}

function run(start: Start, job: Exclude<Job, { type: "scan" }>): Promise<string[]> {
  switch (job.type) {
    case "open":
      return open(job, start);
    case "search":
      return search(job);
    case "compare":
      return compare(job);
    case "rewrite":
      return rewrite(job);
    case "seal":
      return seal(job);
    case "browse":
      return browse(job);
    case "filter":
      return plan(new Selecting(job.query, job.at, Date.now()), job.dump);
    case "redact":
      return plan(new Redacting(job.salt), job.dump);
    case "excerpt":
      return plan(new Excerpting(Float64Array.from(job.lines)), job.dump);
  }
}

onmessage = async ({ data }: MessageEvent<Start | Ask>) => {
  try {
    if ("question" in data) {
      await answer(data);
      return;
    }
    initSync({ module: data.module });
    if (data.job.type === "scan") {
      const part = await scan(data.job);
      const packed = part.takeLines();
      send({ type: "scanned", to: data.job.part.to, packed, hashes: part.hashes }, [packed.buffer]);
      part.free();
    } else send({ type: "done", results: await run(data, data.job) });
  } catch (error) {
    const died = error instanceof WebAssembly.RuntimeError;
    send({ type: "failed", message: error instanceof Error ? error.message : String(error), died });
  }
};
