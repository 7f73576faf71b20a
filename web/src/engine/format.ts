// Numbers, sizes, times and texts for people.

import type { Integer, LogId } from "./generated";

const grouped = new Intl.NumberFormat("en-US");

export const count = (value: Integer): string => grouped.format(value);

export const plural = (value: number, noun: string, nouns = `${noun}s`): string =>
  `${count(value)} ${value === 1 ? noun : nouns}`;

export function size(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${count(bytes)} ${bytes === 1 ? "byte" : "bytes"}` : `${figures(value)} ${units[unit]}`;
}

/** Three digits, never with an exponent. */
const figures = (value: number): string => (value >= 999.5 ? value.toFixed(0) : value.toPrecision(3));

/** How long it is from one point in time to another: `in 20 min`, `3 h ago`. */
export function span(from: Integer, to: Integer): string {
  const ms = Number(to) - Number(from);
  const units = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000]] as const;
  const [name, length] = units.find(([, length]) => Math.abs(ms) >= length) ?? ["s", 1000];
  const long = `${count(Math.round(Math.abs(ms) / length))} ${name}`;
  return ms < 0 ? `${long} ago` : `in ${long}`;
}

/** A point in time in UTC, to the millisecond when it has any. */
export function date(ms: Integer): string {
  const at = new Date(Number(ms));
  if (Number.isNaN(at.getTime())) return `${ms} ms`;
  return at.toISOString().replace("T", " ").replace(".000Z", "Z").replace("Z", " UTC");
}

export function percent(part: number, whole: number): string {
  const share = whole > 0 ? (part / whole) * 100 : 0;
  if (share > 0 && share < 0.1) return "< 0.1 %";
  return `${share.toFixed(share > 0 && share < 10 ? 1 : 0)} %`;
}

/** An id of the log, as the command line writes it. */
export const logId = (id: LogId | null | undefined): string =>
  id ? `T${id.leader_id.term}-N${id.leader_id.node_id}.${id.index}` : "none";

/** Characters that are not seen, or that change how their neighbours are: controls, marks of direction, tags. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\u115f\u1160\u3164\uffa0]/gu;
const LAYOUT = new Set("\n\r\t");

/** A text for the eye: what cannot be seen is written as an escape; in a block, lines and tabs stay. */
export const visible = (text: string, among: "line" | "block" = "line"): string =>
  text.replace(UNSEEN, (char) =>
    among === "block" && LAYOUT.has(char) ? char : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
