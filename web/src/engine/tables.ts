// Lists as files: JSON for programs, CSV for spreadsheets.

import type { Integer } from "./generated";

export type Cell = string | Integer | null;

/** What a list has: the names of its columns, and its rows. */
export interface Table {
  columns: readonly string[];
  rows: readonly (readonly Cell[])[];
}

/** A number to the last digit, whatever it is. */
const written = (cell: Cell): string => (typeof cell === "bigint" ? String(cell) : JSON.stringify(cell));

/** A list of objects, one in a line. */
export function json({ columns, rows }: Table): Blob {
  const names = columns.map((column) => JSON.stringify(column));
  const lines = rows.map((row) => `{${row.map((cell, at) => `${names[at]}:${written(cell)}`).join(",")}}`);
  return new Blob([`[${lines.join(",\n")}]\n`], { type: "application/json" });
}

/** As RFC 4180 has it. A text that a spreadsheet would run as a formula has an apostrophe in front. */
export function csv({ columns, rows }: Table): Blob {
  const field = (cell: Cell): string => {
    if (cell === null) return "";
    if (typeof cell !== "string") return String(cell);
    const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns, ...rows].map((row) => row.map(field).join(","));
  return new Blob(lines.map((line) => `${line}\r\n`), { type: "text/csv" });
}
