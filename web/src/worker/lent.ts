// The files of a directory, as the binding asks for them: at once, and piece by piece.

import type { Directory } from "../io/directory";

/** What only workers have; the compiler knows the page. */
declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

const BLOCK_BYTES = 1 << 20;
const MOST_BLOCKS = 8;

export class Lent {
  readonly name: string;
  /** How many bytes were read. */
  bytesRead = 0;
  #files: Map<string, File>;
  #names = new Map<string, string[]>([["", []]]);
  /** What was read last, the oldest first: most reads are small, and near each other. */
  #blocks = new Map<string, Uint8Array>();
  #reader = new FileReaderSync();

  /** `take` gets the dump, piece by piece; a piece is there only during the call. */
  constructor(
    { name, files, folders }: Directory,
    readonly take: (piece: Uint8Array) => void,
  ) {
    this.name = name;
    this.#files = new Map(files);
    for (const folder of folders) this.#names.set(folder, []);
    for (const path of [...folders, ...this.#files.keys()]) {
      const at = path.lastIndexOf("/");
      this.#names.get(path.slice(0, Math.max(at, 0)))?.push(path.slice(at + 1));
    }
  }

  names(path: string): string[] | undefined {
    return this.#names.get(path);
  }

  size(path: string): number | undefined {
    return this.#files.get(path)?.size;
  }

  /** Says what is wrong when it cannot read. */
  read(path: string, from: number, out: Uint8Array): string | undefined {
    try {
      for (let done = 0; done < out.length; ) {
        const at = from + done;
        const part = this.#block(path, Math.floor(at / BLOCK_BYTES)).subarray(at % BLOCK_BYTES, (at % BLOCK_BYTES) + out.length - done);
        if (part.length === 0) return "the file is shorter than it was";
        out.set(part, done);
        done += part.length;
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      return "it was changed, moved or deleted since it was opened, or it may not be read";
    }
  }

  #block(path: string, number: number): Uint8Array {
    const name = `${number}/${path}`;
    let block = this.#blocks.get(name);
    if (!block) {
      const bytes = this.#files.get(path)?.slice(number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES);
      block = new Uint8Array(this.#reader.readAsArrayBuffer(bytes ?? new Blob()));
      this.bytesRead += block.length;
    }
    this.#blocks.delete(name);
    this.#blocks.set(name, block);
    const [oldest = ""] = this.#blocks.keys();
    if (this.#blocks.size > MOST_BLOCKS) this.#blocks.delete(oldest);
    return block;
  }
}
