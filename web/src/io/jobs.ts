// What the page asks of a worker, and what it answers.

import type { Directory } from "./directory";
import type { Source } from "./source";

/** A part of a dump: whole lines, from the line that starts at `from`. */
export interface Part {
  from: number;
  to: number;
  firstLine: number;
}

/** A range of bytes; the lines that start in it are meant. */
export interface Bytes {
  from: number;
  to: number;
}

/** A state that is compared: its dump, its name, and the moment, as `--at` takes it. */
export interface Compared {
  dump: Source;
  name: string;
  at: string;
}

export type Job =
  | {
      type: "open";
      /** How it is stored; what is encrypted is packed or not inside. */
      stored: { form: "plain" | "packed" | "encrypted"; dump: Source } | { form: "directory"; dump: Directory };
      /** What reads it when it is encrypted. */
      identity: string;
      name: string;
      manifest: Uint8Array | null;
    }
  | { type: "scan"; dump: Source; part: Bytes }
  | { type: "search"; dump: Source; part: Part; query: string }
  | { type: "compare"; left: Compared; right: Compared }
  | { type: "rewrite"; dump: Source; ownId: string; members: string[]; repairExpire: boolean; repairSnapshot: boolean }
  | { type: "seal"; dump: Source; name: string; of: Uint8Array | null }
  | { type: "filter"; dump: Source; query: string; at: string }
  /** With a salt, names are replaced, too. */
  | { type: "redact"; dump: Source; salt: Uint8Array | null }
  /** Lines, counted from 1, as a dump of their own. */
  | { type: "excerpt"; dump: Source; lines: number[] }
  | { type: "browse"; dump: Source; at: string };

/** The jobs whose workers stay and are asked. */
export const STAYING: readonly Job["type"][] = ["browse", "compare", "filter", "redact", "excerpt"];

/** What is asked of a worker that stays: objects are named by where they stand. */
export type Question =
  /** Another moment, as `--at` takes it; no reply where the dump has to be read for it. */
  | { type: "step"; at: string }
  | { type: "list"; query: string }
  | { type: "rows"; from: number; to: number }
  | { type: "indexOf"; at: number }
  | { type: "detail"; at: number }
  | { type: "ofLine"; line: number; text: Uint8Array }
  | { type: "written"; at: number }
  | { type: "history"; at: number }
  | { type: "keysOf"; at: number; most: number }
  | { type: "printed"; of: "states" | "summary" | number }
  /** The new dump in parts, and its manifest, which names it; `of` is the manifest of the old one. */
  | { type: "write"; name: string; of: Uint8Array | null };

export interface Ask {
  type: "ask";
  id: number;
  question: Question;
}

export type Reply = string | number | Uint8Array | undefined;

export interface Replied {
  type: "replied";
  id: number;
  reply: Reply;
  /** Why there is no reply. */
  failed: string;
}

export interface Start {
  module: WebAssembly.Module;
  /** The worker's own code, for workers that it starts; a URL of the page's would be none of its own. */
  code: Blob;
  /** How many threads the machine runs at a time. */
  cores: number;
  job: Job;
}

/** Line and offset of block starts, flat, and how far the reading is. */
export interface Progress {
  type: "progress";
  bytes: number;
  lines: number;
  marks: Float64Array | null;
  index: string | null;
  /** The next part of what is unpacked or written. */
  part: Blob | null;
  /** How many workers died and were started again. */
  restarts: number;
}

/** The lines of a part without their values, for the worker that checks them. */
export interface Scanned {
  type: "scanned";
  /** Where the part ends. */
  to: number;
  packed: Uint8Array;
  hashes: Uint8Array;
}

export interface Done {
  type: "done";
  results: string[];
}

export interface Failed {
  type: "failed";
  message: string;
  /** Whether the worker is not to be used again. */
  died: boolean;
}

export type Answer = Progress | Scanned | Done | Failed | Replied;
