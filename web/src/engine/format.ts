// Numbers, sizes and times for people.

const grouped = new Intl.NumberFormat("en-US");

export const count = (value: number): string => grouped.format(value);

export const plural = (value: number, noun: string): string =>
  `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

export function size(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${count(bytes)} ${bytes === 1 ? "byte" : "bytes"}` : `${value.toPrecision(3)} ${units[unit]}`;
}

/** A point in time in UTC, to the millisecond when it has any. */
export function date(ms: number): string {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return `${ms} ms`;
  return at.toISOString().replace("T", " ").replace(".000Z", "Z").replace("Z", " UTC");
}

export const percent = (part: number, whole: number): string =>
  whole > 0 ? `${((part / whole) * 100).toFixed(part / whole < 0.1 ? 1 : 0)} %` : "0 %";
