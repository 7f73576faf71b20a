// Rows that are asked for a part at a time, and the last parts kept.

const PART_ROWS = 100;
const MOST_PARTS = 20;

export class Parted<T> {
  #parts = new Map<number, Promise<T[]>>();

  /** `load` gives the rows of a range. */
  constructor(private readonly load: (from: number, to: number) => Promise<T[]>) {}

  /** The row at an index; none when there are not as many. */
  async row(index: number): Promise<T | null> {
    const part = Math.floor(index / PART_ROWS);
    let rows = this.#parts.get(part);
    if (!rows) {
      rows = this.load(part * PART_ROWS, (part + 1) * PART_ROWS);
      rows.catch(() => this.#parts.delete(part));
      this.#parts.set(part, rows);
      const oldest = this.#parts.keys().next().value;
      if (this.#parts.size > MOST_PARTS && oldest !== undefined) this.#parts.delete(oldest);
    }
    return (await rows)[index % PART_ROWS] ?? null;
  }
}
