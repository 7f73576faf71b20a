// Reads lines of a dump by their numbers: finds the block, slices it, cuts it.

import { read, type Source } from "../io/source";

export interface RawLine {
  number: number;
  offset: number;
  bytes: Uint8Array;
  /** How many bytes the line has, also when not all of them were read. */
  size: number;
}

/** What is read of a block: the lines in front of a huge one, and its beginning. */
const MOST_BLOCK_BYTES = 128 << 10;
/** What is read of a line. */
export const MOST_LINE_BYTES = 8 << 20;
const MOST_CACHED = 64;

/** Where blocks of lines start, in columns that grow. */
export class Lines {
  #lines = new Float64Array(1024);
  #offsets = new Float64Array(1024);
  #count = 0;
  #cache = new Map<number, Promise<RawLine[]>>();
  /** How many lines are known. */
  known = 0;

  /** A source that is still unpacked grows: what was read of it stays. */
  constructor(public source: Source) {}

  add(marks: Float64Array, known: number): void {
    const more = marks.length / 2;
    while (this.#count + more > this.#lines.length) {
      const grow = (old: Float64Array) => {
        const grown = new Float64Array(old.length * 2);
        grown.set(old);
        return grown;
      };
      this.#lines = grow(this.#lines);
      this.#offsets = grow(this.#offsets);
    }
    // The last block was open: what was cached of it may be short.
    this.#cache.delete(this.#count - 1);
    for (let at = 0; at < more; at++) {
      this.#lines[this.#count] = marks[2 * at] ?? 0;
      this.#offsets[this.#count] = marks[2 * at + 1] ?? 0;
      this.#count++;
    }
    this.known = known;
  }

  /** The block that holds a line. */
  #block(line: number): number {
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#lines[middle] ?? Infinity) <= line) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Where the block starts that holds a line: its first line and offset. */
  blockOf(line: number): { line: number; offset: number } {
    const block = this.#block(line);
    return { line: this.#lines[block] ?? 1, offset: this.#offsets[block] ?? 0 };
  }

  /** Where the first block starts behind an offset. */
  blockAfter(offset: number): { line: number; offset: number } | null {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#offsets[middle] ?? Infinity) < offset) low = middle + 1;
      else high = middle;
    }
    if (low >= this.#count) return null;
    return { line: this.#lines[low] ?? 1, offset: this.#offsets[low] ?? 0 };
  }

  /** A line; of a huge one the first eight megabytes. */
  async line(number: number): Promise<RawLine | null> {
    const line = await this.beginning(number);
    const most = line && Math.min(line.size, MOST_LINE_BYTES);
    if (!most || line.bytes.length >= most) return line;
    const bytes = await read(this.source, line.offset, line.offset + most);
    // While reading goes on the last block has no end yet, and so the line.
    const end = bytes.indexOf(10);
    return end < 0 ? { ...line, bytes } : { ...line, bytes: bytes.subarray(0, end), size: end };
  }

  /** A line, of a long one only the beginning: enough for a row. */
  async beginning(number: number): Promise<RawLine | null> {
    if (number < 1 || number > this.known || this.#count === 0) return null;
    const block = this.#block(number);
    let cached = this.#cache.get(block);
    if (!cached) {
      cached = this.#read(block);
      this.#cache.set(block, cached);
      cached.catch(() => this.#cache.delete(block));
      const oldest = this.#cache.keys().next().value;
      if (this.#cache.size > MOST_CACHED && oldest !== undefined) this.#cache.delete(oldest);
    }
    const lines = await cached;
    return lines[number - (this.#lines[block] ?? 1)] ?? null;
  }

  async #read(block: number): Promise<RawLine[]> {
    const from = this.#offsets[block] ?? 0;
    const next = block + 1 < this.#count;
    const to = next ? (this.#offsets[block + 1] ?? 0) : this.source.size;
    const bytes = await read(this.source, from, Math.min(to, from + MOST_BLOCK_BYTES));
    const lines: RawLine[] = [];
    let number = this.#lines[block] ?? 1;
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(10, at);
      const stop = end < 0 ? bytes.length : end;
      // The last line of a dump may have no line end.
      const size = end >= 0 || from + stop === to ? stop - at : to - from - at - 1;
      lines.push({ number: number++, offset: from + at, bytes: bytes.subarray(at, stop), size });
      at = stop + 1;
    }
    return lines;
  }
}
