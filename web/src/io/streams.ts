// The code of a WebAssembly module with all bytes of one sort together: operators, local variables,
// offsets … LZMA packs that a tenth smaller. One walk knows the layout; it goes either way.

/** Sorts of bytes, each with a stream of its own; what is around the code has the first and the last. */
export const [HEAD, LOCALS, OPS, BLOCKS, LABELS, TABLES, CALLS, RECENT, FRESH, GLOBALS, ALIGNS, OFFSETS, INTS, LONGS, VECTORS, OTHERS, TAIL] =
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16] as const;
const SORTS = TAIL + 1;
/** The alignment of each load and store, as it mostly is. */
const ALIGNED = [2, 3, 2, 3, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 2, 3, 2, 3, 0, 1, 0, 1, 2];
const CODE_SECTION = 10;

/** Moves what comes next between the code and the stream of its sort. */
export interface Mover {
  /** A byte; gives it. */
  byte(sort: number): number;
  /** A number in LEB128; gives its lowest bits. */
  number(sort: number): number;
  bytes(sort: number, count: number): void;
  /** A byte that is mostly the expected one. */
  near(sort: number, expected: number): void;
  /** A local variable, by how recently it was used. */
  local(recent: number[]): void;
}

/** Goes through a function, from its local variables to its end. */
export function walk(move: Mover): void {
  const recent: number[] = [];
  for (let groups = move.number(LOCALS); groups > 0; groups--) {
    move.number(LOCALS);
    move.byte(LOCALS);
  }
  for (let depth = 1; depth > 0; ) {
    const op = move.byte(OPS);
    if (op === 0x0b) depth--;
    else if (op >= 0x02 && op <= 0x04) {
      depth++;
      move.number(BLOCKS);
    } else if (op === 0x0c || op === 0x0d) move.number(LABELS);
    else if (op === 0x0e) for (let targets = move.number(TABLES); targets >= 0; targets--) move.number(TABLES);
    else if (op === 0x10) move.number(CALLS);
    else if (op === 0x11) {
      move.number(OTHERS);
      move.number(OTHERS);
    } else if (op === 0x1c) for (let types = move.number(OTHERS); types > 0; types--) move.byte(OTHERS);
    else if (op >= 0x20 && op <= 0x22) move.local(recent);
    else if (op === 0x23 || op === 0x24) move.number(GLOBALS);
    else if (op >= 0x28 && op <= 0x3e) {
      move.near(ALIGNS, ALIGNED[op - 0x28] ?? 0);
      move.number(OFFSETS);
    } else if (op === 0x41) move.number(INTS);
    else if (op === 0x42) move.number(LONGS);
    else if (op === 0x43) move.bytes(OTHERS, 4);
    else if (op === 0x44) move.bytes(OTHERS, 8);
    else if (op === 0x25 || op === 0x26 || op === 0x3f || op === 0x40 || op === 0xd0 || op === 0xd2) move.number(OTHERS);
    else if (op === 0xfc) {
      const more = move.number(OTHERS);
      const numbers = more < 8 ? 0 : more === 8 || more === 10 || more === 12 || more === 14 ? 2 : 1;
      for (let at = 0; at < numbers; at++) move.number(OTHERS);
    } else if (op === 0xfd) {
      const more = move.number(VECTORS);
      if (more <= 11 || (more >= 84 && more <= 93)) {
        move.number(VECTORS);
        move.number(VECTORS);
      }
      if (more === 12 || more === 13) move.bytes(VECTORS, 16);
      else if ((more >= 21 && more <= 34) || (more >= 84 && more <= 91)) move.byte(VECTORS);
    }
  }
}

/** Moves a variable to the front; gives where it was, or how many there were. */
function use(recent: number[], variable: number): number {
  const at = recent.indexOf(variable);
  if (at >= 0) recent.splice(at, 1);
  const was = at < 0 ? recent.length : at;
  recent.unshift(variable);
  return was;
}

/** Bytes that come one after the other. */
class Out {
  #bytes = new Uint8Array(1 << 16);
  size = 0;

  push(byte: number): void {
    if (this.size === this.#bytes.length) this.#grow(this.size * 2);
    this.#bytes[this.size++] = byte;
  }

  number(value: number): void {
    for (; value > 0x7f; value >>>= 7) this.push((value & 0x7f) | 0x80);
    this.push(value);
  }

  add(bytes: Uint8Array): void {
    if (this.size + bytes.length > this.#bytes.length) this.#grow((this.size + bytes.length) * 2);
    this.#bytes.set(bytes, this.size);
    this.size += bytes.length;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.size);
  }

  #grow(size: number): void {
    const grown = new Uint8Array(size);
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

class In {
  at = 0;

  constructor(readonly bytes: Uint8Array) {}

  next(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new Error("the module ends inside its code");
    return byte;
  }

  /** A number in LEB128, whose bytes `each` hears of. */
  number(each: (byte: number) => void = () => {}): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.next();
      each(byte);
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }
}

/** A module that was taken apart. */
export interface Split {
  /** How many functions it has. */
  functions: number;
  streams: Uint8Array[];
}

/** Takes a module apart. */
export function split(module: Uint8Array): Split {
  const code = new In(module);
  const streams = Array.from({ length: SORTS }, () => new Out());
  const of = (sort: number): Out => streams[sort] as Out;
  const move: Mover = {
    byte(sort) {
      const byte = code.next();
      of(sort).push(byte);
      return byte;
    },
    number: (sort) => code.number((byte) => of(sort).push(byte)),
    bytes(sort, count) {
      for (; count > 0; count--) of(sort).push(code.next());
    },
    near: (sort, expected) => of(sort).push((code.next() - expected) & 0xff),
    local(recent) {
      const variable = code.number();
      const known = recent.length;
      const was = use(recent, variable);
      of(RECENT).number(was);
      if (was === known) of(FRESH).number(variable);
    },
  };
  code.at = 8;
  for (;;) {
    const section = code.next();
    const size = code.number();
    if (section === CODE_SECTION) break;
    code.at += size;
  }
  const functions = code.number();
  of(HEAD).add(module.subarray(0, code.at));
  for (let at = 0; at < functions; at++) {
    code.number();
    walk(move);
  }
  of(TAIL).add(module.subarray(code.at));
  return { functions, streams: streams.map(({ bytes }) => bytes) };
}

/** Puts a module together again. */
export function join({ functions, streams }: Split): Uint8Array<ArrayBuffer> {
  const ins = streams.map((bytes) => new In(bytes));
  const of = (sort: number): In => ins[sort] as In;
  const code = new Out();
  const move: Mover = {
    byte(sort) {
      const byte = of(sort).next();
      code.push(byte);
      return byte;
    },
    number: (sort) => of(sort).number((byte) => code.push(byte)),
    bytes(sort, count) {
      for (; count > 0; count--) code.push(of(sort).next());
    },
    near: (sort, expected) => code.push((of(sort).next() + expected) & 0xff),
    local(recent) {
      const was = of(RECENT).number();
      const variable = was === recent.length ? of(FRESH).number() : (recent[was] ?? 0);
      use(recent, variable);
      code.number(variable);
    },
  };
  const module = new Out();
  module.add(of(HEAD).bytes);
  for (let at = 0; at < functions; at++) {
    code.size = 0;
    walk(move);
    module.number(code.size);
    module.add(code.bytes);
  }
  module.add(of(TAIL).bytes);
  return module.bytes;
}
