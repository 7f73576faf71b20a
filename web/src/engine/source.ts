// Where the bytes of a dump are: in a file of the user, or on the server that the page came from.

/** A dump that `databend-metactl view` hands out; it answers range requests. */
export interface Served {
  url: string;
  size: number;
}

export type Source = Blob | Served;

export async function read(source: Source, from: number, to: number): Promise<Uint8Array<ArrayBuffer>> {
  if (source instanceof Blob) return new Uint8Array(await source.slice(from, to).arrayBuffer());
  if (from >= to) return new Uint8Array();
  const response = await fetch(source.url, { headers: { Range: `bytes=${from}-${to - 1}` } });
  if (response.status !== 206) throw new Error(`The server answered ${response.status} to a range request.`);
  return new Uint8Array(await response.arrayBuffer());
}

export async function stream(source: Source, from = 0, to = source.size): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  if (source instanceof Blob) return source.slice(from, to).stream();
  const { body, status } = await fetch(source.url, { headers: { Range: `bytes=${from}-${to - 1}` } });
  if (!body || status !== 206) throw new Error(`The server answered ${status} to a range request.`);
  return body;
}

const PIECE_BYTES = 1 << 20;

/**
 * Reads a range in order. Each piece is there only until the next one is asked for: it lies in the
 * same memory, which makes reading two to three times as fast as slices do.
 */
export async function* pieces(source: Source, from = 0, to = source.size): AsyncGenerator<Uint8Array> {
  if (from >= to) return;
  const reader = byteReader(await stream(source, from, to));
  let buffer = new ArrayBuffer(PIECE_BYTES);
  try {
    for (;;) {
      const { value, done } = await reader.read(new Uint8Array(buffer));
      if (done) return;
      yield value;
      buffer = value.buffer;
    }
  } finally {
    await reader.cancel();
  }
}

interface ByteReader {
  read(into: Uint8Array<ArrayBuffer>): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>>;
  cancel(): Promise<void>;
}

/** Reads into the given memory, where the browser can. */
function byteReader(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): ByteReader {
  try {
    return bytes.getReader({ mode: "byob" });
  } catch {
    const reader = bytes.getReader();
    return { read: () => reader.read(), cancel: () => reader.cancel() };
  }
}

/** The source as a blob; what is served is copied to the browser's own storage. */
export async function blob(source: Source): Promise<Blob> {
  return source instanceof Blob ? source : (await fetch(source.url)).blob();
}

/** What the address of the page asks for. */
export const asked = new URLSearchParams(location.search);

/** An address that the page's own gives by a name; none for a page from a file. */
export function beside(name: string): URL | null {
  const path = asked.get(name);
  if (!path || !location.protocol.startsWith("http")) return null;
  const url = new URL(path, location.href);
  return url.origin === location.origin ? url : null;
}

/** Asks the page's own server how large a file is. */
export async function served(url: URL): Promise<Served> {
  const response = await fetch(url, { method: "HEAD" });
  const size = Number(response.headers.get("Content-Length"));
  if (!response.ok || !Number.isSafeInteger(size)) throw new Error(`The server answered ${response.status}.`);
  return { url: url.href, size };
}
