// Puts the functions of a WebAssembly module into an order in which each stands behind one like it: LZMA packs
// that a twentieth smaller, since what it repeats is near.

/** How many operators in a row two functions have to share. */
const RUN = 5;
/** What more functions than this have says nothing about which are alike. */
const COMMON = 1500;
const [IMPORTS, FUNCTIONS, EXPORTS, START, ELEMENTS, CODE] = [2, 3, 7, 8, 9, 10];

/** The same module with its functions in that order; `walk` goes through a function. */
export function ordered(module, walk) {
  const sections = sectionsOf(module);
  const section = new Map(sections);
  const imported = importedFunctions(section.get(IMPORTS));
  const functions = functionsOf(section.get(CODE), walk);
  const order = chain(functions.map(({ operators }) => runs(operators)));
  const places = new Map(order.map((from, to) => [from + imported, to + imported]));
  const place = (index) => places.get(index) ?? index;
  const types = numbers(section.get(FUNCTIONS));
  const renamed = new Map([
    [FUNCTIONS, [...leb(order.length), ...order.flatMap((from) => leb(types[from]))]],
    [EXPORTS, exportsTo(section.get(EXPORTS), place)],
    [ELEMENTS, elementsTo(section.get(ELEMENTS), place)],
    [CODE, [...leb(order.length), ...order.flatMap((from) => called(functions[from], place))]],
  ]);
  if (section.has(START)) throw new Error("the module has a function to start with");
  const out = [...module.subarray(0, 8)];
  for (const [id, bytes] of sections) {
    const content = renamed.get(id) ?? [...bytes];
    out.push(id, ...leb(content.length));
    for (const byte of content) out.push(byte);
  }
  const made = Buffer.from(out);
  if (!WebAssembly.validate(made)) throw new Error("the module is not valid in another order");
  return made;
}

/** A place in bytes. */
class In {
  at = 0;

  constructor(bytes) {
    this.bytes = bytes;
  }

  byte() {
    if (this.at >= this.bytes.length) throw new Error("the module ends too early");
    return this.bytes[this.at++];
  }

  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  take(count) {
    const from = this.at;
    this.at += count;
    return this.bytes.subarray(from, this.at);
  }
}

function leb(value) {
  const bytes = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

function sectionsOf(module) {
  const input = new In(module);
  input.at = 8;
  const sections = [];
  while (input.at < module.length) {
    sections.push([input.byte(), input.take(input.number())]);
  }
  return sections;
}

function importedFunctions(section) {
  const input = new In(section);
  let count = 0;
  for (let left = input.number(); left > 0; left--) {
    input.take(input.number());
    input.take(input.number());
    if (input.byte() !== 0) throw new Error("the module imports more than functions");
    input.number();
    count++;
  }
  return count;
}

function numbers(section) {
  const input = new In(section);
  return Array.from({ length: input.number() }, () => input.number());
}

/** The functions: their bytes, operators, and where they name others. */
function functionsOf(section, walk) {
  const input = new In(section);
  return Array.from({ length: input.number() }, () => {
    const body = new In(input.take(input.number()));
    const operators = [];
    const names = [];
    const number = (sort) => {
      const from = body.at;
      const value = body.number();
      if (sort === walk.CALLS) names.push({ from, to: body.at, value });
      return value;
    };
    walk.walk({
      byte(sort) {
        const byte = body.byte();
        if (sort === walk.OPS) operators.push(byte);
        return byte;
      },
      number,
      bytes: (_, count) => void body.take(count),
      near: () => void body.byte(),
      local: () => void body.number(),
    });
    if (body.at !== body.bytes.length) throw new Error("a function ends too early");
    return { bytes: body.bytes, operators, names };
  });
}

/** A function with its size before it, which names others by their new places. */
function called({ bytes, names }, place) {
  const out = [];
  let at = 0;
  for (const { from, to, value } of names) {
    out.push(...bytes.subarray(at, from), ...leb(place(value)));
    at = to;
  }
  out.push(...bytes.subarray(at));
  return [...leb(out.length), ...out];
}

function exportsTo(section, place) {
  const input = new In(section);
  const count = input.number();
  const out = leb(count);
  for (let left = count; left > 0; left--) {
    const name = input.take(input.number());
    const kind = input.byte();
    const index = input.number();
    out.push(...leb(name.length), ...name, kind, ...leb(kind === 0 ? place(index) : index));
  }
  return out;
}

function elementsTo(section, place) {
  const input = new In(section);
  const count = input.number();
  const out = leb(count);
  for (let left = count; left > 0; left--) {
    const flags = input.number();
    const [op, offset, end] = [input.byte(), input.number(), input.byte()];
    if (flags !== 0 || op !== 0x41 || end !== 0x0b) throw new Error("the module has a table of another form");
    const functions = Array.from({ length: input.number() }, () => input.number());
    out.push(flags, op, ...leb(offset), end, ...leb(functions.length), ...functions.flatMap((index) => leb(place(index))));
  }
  return out;
}

/** The runs of operators in a function. */
function runs(operators) {
  const found = new Set();
  for (let at = 0; at + RUN <= operators.length; at++) found.add(String.fromCharCode(...operators.slice(at, at + RUN)));
  return found;
}

/** Goes from each function to the one most like it of those that are left. */
function chain(functions) {
  const having = new Map();
  functions.forEach((found, index) => found.forEach((run) => having.set(run, [...(having.get(run) ?? []), index])));
  const left = new Set(functions.keys());
  const order = [];
  for (let current = 0; left.delete(current); ) {
    order.push(current);
    const shared = new Map();
    for (const run of functions[current]) {
      const others = having.get(run);
      if (others.length > COMMON) continue;
      for (const other of others) if (left.has(other)) shared.set(other, (shared.get(other) ?? 0) + 1);
    }
    let [next] = left;
    let most = 0;
    for (const [other, count] of shared) {
      const alike = count / (functions[other].size + functions[current].size - count);
      if (alike > most) [next, most] = [other, alike];
    }
    current = next;
  }
  return order;
}
