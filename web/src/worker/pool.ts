// The workers of a worker: they scan the parts of a dump side by side, and hand them on in order.

import type { Answer, Bytes, Start } from "../io/jobs";
import type { Source } from "../io/source";

const FIRST_PART_BYTES = 256 << 10;
const PART_BYTES = 8 << 20;
const MOST_WORKERS = 8;

/** What was scanned of a dump: the lines of its next part without their values. */
export interface Scanned {
  packed: Uint8Array;
  /** What is hashed of their values. */
  hashes: Uint8Array;
  /** Up to which byte the dump has been scanned. */
  bytes: number;
}

interface Waiting {
  part: Bytes;
  again: boolean;
  resolve(scanned: Scanned): void;
  reject(error: Error): void;
}

/** One worker; when it dies it is started once more with the part that it died of. */
class Scanner {
  #worker: Worker;
  #waiting: Waiting[] = [];
  #restarts = 0;

  constructor(
    readonly start: Omit<Start, "job">,
    readonly url: string,
    readonly dump: Source,
    readonly restarted: () => void,
  ) {
    this.#worker = this.#started();
  }

  scan(part: Bytes): Promise<Scanned> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ part, again: false, resolve, reject });
      this.#post(part);
    });
  }

  end(): void {
    this.#worker.terminate();
  }

  #post(part: Bytes): void {
    this.#worker.postMessage({ ...this.start, job: { type: "scan", dump: this.dump, part } } satisfies Start);
  }

  #fail(error: Error): void {
    this.#waiting.forEach((waiting) => waiting.reject(error));
  }

  #started(): Worker {
    const worker = new Worker(this.url, { name: `scanner ${this.#restarts}` });
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if (worker !== this.#worker) return;
      if (data.type === "scanned") {
        const at = this.#waiting.findIndex(({ part }) => part.to === data.to);
        const [done] = this.#waiting.splice(at, 1);
        done?.resolve({ packed: data.packed, hashes: data.hashes, bytes: data.to });
      } else if (data.type === "failed") {
        // A file that cannot be read any more is no reason to try again.
        if (data.died) this.#restart(data.message);
        else this.#fail(new Error(data.message));
      }
    };
    worker.onerror = (event) => {
      // Nor must what one says that is dead already reach the page as an error of this worker.
      event.preventDefault();
      if (worker === this.#worker) this.#restart(event.message || "perhaps for lack of memory");
    };
    return worker;
  }

  #restart(reason: string): void {
    this.#worker.terminate();
    const [first] = this.#waiting;
    if (!first || first.again) {
      this.#fail(new Error(`A worker died twice at byte ${first?.part.from ?? 0} of the dump: ${reason}.`));
      return;
    }
    first.again = true;
    this.#restarts++;
    this.restarted();
    this.#worker = this.#started();
    this.#waiting.forEach((waiting) => this.#post(waiting.part));
  }
}

/** The parts of a dump: small ones first, so that the first rows are there at once. */
function* parts(size: number): Generator<Bytes> {
  let bytes = FIRST_PART_BYTES;
  for (let from = 0; from < size; bytes = Math.min(2 * bytes, PART_BYTES)) {
    const to = Math.min(from + bytes, size);
    yield { from, to };
    from = to;
  }
}

/** How many workers scan. The one that checks has little to do, and of two that scan one waits for the file. */
export const scannersFor = (cores: number) => (cores < 2 ? 1 : Math.min(Math.max(cores - 1, 2), MOST_WORKERS));

/** Scans a dump with several workers; memory is bounded by what two parts for each are packed to. */
export async function* scanned(
  dump: Source,
  start: Omit<Start, "job">,
  restarted: () => void,
): AsyncGenerator<Scanned> {
  const count = scannersFor(start.cores);
  const url = URL.createObjectURL(start.code);
  const scanners = Array.from({ length: count }, () => new Scanner(start, url, dump, restarted));
  const ahead: Promise<Scanned>[] = [];
  let turn = 0;
  try {
    for (const part of parts(dump.size)) {
      const next = scanners[turn++ % count]?.scan(part);
      // A failure is met when its turn comes.
      next?.catch(() => {});
      if (next) ahead.push(next);
      const first = ahead.length === 2 * count ? ahead.shift() : null;
      if (first) yield await first;
    }
    for (const rest of ahead) yield await rest;
  } finally {
    scanners.forEach((scanner) => scanner.end());
    URL.revokeObjectURL(url);
  }
}
