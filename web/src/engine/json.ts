// Cuts JSON text into coloured pieces; long arrays of numbers are folded.

import { count, visible } from "./format";

export interface Piece {
  text: string;
  kind: "plain" | "key" | "string" | "number" | "word" | "fold";
}

const FOLDED_FROM = 8;
const TOKEN = /"(?:[^"\\]|\\.)*"?|-?\d[\d.eE+-]*|[a-z]+|[^"a-z\d-]+|-/gy;

/** Pieces of the first `most` characters, each array of bytes counting as its fold only. */
export function pieces(text: string, most: number, fold: boolean): Piece[] {
  const out: Piece[] = [];
  let at = 0;
  let shown = 0;
  const push = ({ text, kind }: Piece) => {
    out.push({ text: visible(text, "block"), kind });
    shown += text.length;
  };
  while (at < text.length && shown < most) {
    if (fold && text[at] === "[") {
      const end = arrayEnd(text, at);
      if (end > 0) {
        const numbers = countNumbers(text, at, end);
        const whole = text[end - 1] === "]";
        push({ text: `[${whole ? "" : "more than "}${count(numbers)} bytes${whole ? "]" : " …"}`, kind: "fold" });
        at = end;
        continue;
      }
    }
    TOKEN.lastIndex = at;
    const stop = fold ? text.indexOf("[", at + 1) : -1;
    const found = TOKEN.exec(text.slice(0, at + 4096))?.[0] ?? text[at] ?? "";
    const first = found[0] ?? "";
    const cut = first !== '"' && stop > at && stop < at + found.length ? stop - at : found.length;
    const token = found.slice(0, cut);
    at += token.length;
    if (first === '"') push({ text: token, kind: text[at] === ":" ? "key" : "string" });
    else if (/[\d-]/.test(first)) push({ text: token, kind: "number" });
    else if (/[a-z]/.test(first)) push({ text: token, kind: "word" });
    else push({ text: token, kind: "plain" });
  }
  if (at < text.length) out.push({ text: "…", kind: "fold" });
  return out;
}

/** The end of a flat array of at least eight numbers, also of one that is cut; 0 when it is none. */
function arrayEnd(text: string, start: number): number {
  let commas = 0;
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 44) commas++;
    else if (code === 93) return commas + 1 >= FOLDED_FROM ? at + 1 : 0;
    else if (code < 48 || code > 57) return 0;
  }
  return commas + 1 >= FOLDED_FROM ? text.length : 0;
}

function countNumbers(text: string, start: number, end: number): number {
  let numbers = 1;
  for (let at = start; at < end; at++) if (text.charCodeAt(at) === 44) numbers++;
  return numbers;
}

/** JSON with a line for each member; numbers and strings stay as they are spelled. */
export function indented(json: string): string {
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  return json.replace(/"(?:[^"\\]|\\.)*"|\s+|[[{]\s*[\]}]|[[\]{},:]/g, (token) => {
    if (token === "{" || token === "[") {
      depth++;
      return token + line();
    }
    if (token === "}" || token === "]") {
      depth--;
      return line() + token;
    }
    if (token === ",") return token + line();
    if (token === ":") return ": ";
    return token.trim() === "" ? "" : token.startsWith('"') ? token : token.replace(/\s/g, "");
  });
}
