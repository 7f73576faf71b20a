// What the page asks of a worker, and what it answers.

import type { Source } from "../engine/source";

/** A part of a dump: whole lines, from the line that starts at `from`. */
export interface Part {
  from: number;
  to: number;
  firstLine: number;
}

export type Job =
  | { type: "open"; dump: Source; manifest: Uint8Array | null }
  | { type: "search"; dump: Source; part: Part; query: string }
  | { type: "compare"; left: Source; right: Source }
  | { type: "rewrite"; dump: Source; ownId: string; members: string[]; repairExpire: boolean }
  | { type: "unpack"; packed: Source };

export interface Start {
  module: WebAssembly.Module;
  job: Job;
}

/** Line and offset of block starts, flat, and how far the reading is. */
export interface Progress {
  type: "progress";
  bytes: number;
  lines: number;
  marks: Float64Array | null;
  index: string | null;
  unpacked: Blob | null;
}

export interface Done {
  type: "done";
  results: string[];
}

export interface Failed {
  type: "failed";
  message: string;
}

export type Answer = Progress | Done | Failed;
