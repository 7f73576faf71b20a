// Runs one job and ends: reads dumps piece by piece and feeds them to the binding.

import { Comparing, Opening, Rewriting, Searching, Unpacking, initSync } from "metadump-wasm";

import { read, stream, type Source } from "../engine/source";
import type { Answer, Job, Start } from "./jobs";

// Small enough that pieces which wait for the garbage collector do not count.
const PIECE_BYTES = 2 << 20;
const FIRST_PIECE_BYTES = 256 << 10;
const REPORT_EVERY_MS = 100;

const send = (answer: Answer) => postMessage(answer);

/** Reads a source in order, one piece ahead of its use. */
async function* pieces(source: Source, from = 0, to = source.size): AsyncGenerator<Uint8Array> {
  let at = from;
  let size = Math.min(FIRST_PIECE_BYTES, to - from);
  let next = size > 0 ? read(source, at, at + size) : null;
  while (next) {
    const piece = await next;
    at += piece.length;
    size = Math.min(PIECE_BYTES, to - at);
    next = size > 0 ? read(source, at, at + size) : null;
    yield piece;
  }
}

let reported = -Infinity;
function progress(bytes: number, lines = 0, more?: () => Partial<Answer>): void {
  const now = performance.now();
  if (now - reported < REPORT_EVERY_MS) return;
  reported = now;
  send({ type: "progress", bytes, lines, marks: null, index: null, unpacked: null, ...more?.() } as Answer);
}

async function open(job: Extract<Job, { type: "open" }>): Promise<string[]> {
  const opening = new Opening(job.manifest);
  let bytes = 0;
  let marks = 0;
  let indexed = 0;
  const takeMarks = () => {
    const taken = opening.marks(marks);
    marks += taken.length / 2;
    return taken;
  };
  for await (const piece of pieces(job.dump)) {
    opening.feed(piece);
    bytes += piece.length;
    progress(bytes, opening.lines, () => {
      // The whole index is sent once a second only: it is text.
      const due = performance.now() - indexed > 1000;
      if (due) indexed = performance.now();
      return { marks: takeMarks(), index: due ? opening.preview() : null };
    });
  }
  opening.end();
  const lines = opening.lines;
  send({ type: "progress", bytes, lines, marks: takeMarks(), index: null, unpacked: null });
  const opened = opening.finish();
  return [opened.report, opened.index];
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

async function compare(job: Extract<Job, { type: "compare" }>): Promise<string[]> {
  const comparing = new Comparing();
  const left = pieces(job.left);
  const right = pieces(job.right);
  let bytes = 0;
  for (let side = comparing.wants(); side; side = comparing.wants()) {
    const next = await (side === "left" ? left : right).next();
    const piece = next.done ? new Uint8Array() : next.value;
    if (side === "left") comparing.feedLeft(piece);
    else comparing.feedRight(piece);
    bytes += piece.length;
    progress(bytes);
  }
  return [comparing.finish()];
}

async function rewrite(job: Extract<Job, { type: "rewrite" }>): Promise<string[]> {
  const rewriting = new Rewriting(job.ownId, job.members, job.repairExpire);
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

/** Hands out what is unpacked as blobs, which the browser keeps on disk when they are large. */
async function unpack(job: Extract<Job, { type: "unpack" }>): Promise<string[]> {
  const magic = await read(job.packed, 0, 4);
  let taken = 0;
  let held: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const flush = () => {
    const unpacked = new Blob(held);
    held = [];
    size = 0;
    send({ type: "progress", bytes: taken, lines: 0, marks: null, index: null, unpacked });
  };
  const add = (bytes: Uint8Array<ArrayBuffer>) => {
    held.push(bytes);
    size += bytes.length;
    if (size > 16 << 20) flush();
  };
  if (magic[0] === 0x1f && magic[1] === 0x8b) {
    const counted = new TransformStream<Uint8Array, BufferSource>({
      transform(piece, controller) {
        taken += piece.length;
        controller.enqueue(piece as Uint8Array<ArrayBuffer>);
      },
    });
    const plain = (await stream(job.packed)).pipeThrough(counted).pipeThrough(new DecompressionStream("gzip"));
    const reader = plain.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      add(next.value);
    }
  } else {
    const unpacking = new Unpacking();
    for await (const piece of pieces(job.packed)) {
      taken += piece.length;
      // A piece can unpack to gigabytes: they come a few megabytes at a time.
      for (let out = unpacking.feed(piece); out.length > 0; out = unpacking.feed(new Uint8Array())) {
        add(out as Uint8Array<ArrayBuffer>);
      }
    }
    add(unpacking.finish() as Uint8Array<ArrayBuffer>);
  }
  flush();
  return [];
}

function run(job: Job): Promise<string[]> {
  switch (job.type) {
    case "open":
      return open(job);
    case "search":
      return search(job);
    case "compare":
      return compare(job);
    case "rewrite":
      return rewrite(job);
    case "unpack":
      return unpack(job);
  }
}

onmessage = async ({ data }: MessageEvent<Start>) => {
  try {
    initSync({ module: data.module });
    send({ type: "done", results: await run(data.job) });
  } catch (error) {
    const trapped = error instanceof WebAssembly.RuntimeError;
    const message = error instanceof Error ? error.message : String(error);
    send({ type: "failed", message: trapped ? `The worker died, perhaps for lack of memory: ${message}` : message });
  }
};
