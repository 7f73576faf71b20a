// Where the bytes of a dump are: in a file of the user, or on the server that the page came from.

/** A dump that `databend-metactl view` hands out; it answers range requests. */
export interface Served {
  url: string;
  size: number;
}

export type Source = Blob | Served;

export async function read(source: Source, from: number, to: number): Promise<Uint8Array<ArrayBuffer>> {
  if (source instanceof Blob) return new Uint8Array(await source.slice(from, to).arrayBuffer().catch(gone));
  // What lies behind the end is no range, and an empty dump has none.
  const end = Math.min(to, source.size);
  if (from >= end) return new Uint8Array();
  const response = await range(source, from, end);
  return new Uint8Array(await response.arrayBuffer().catch((error: unknown) => brokenOff(source, error)));
}

/** Browsers say little of a file that is not any more what it was when it was chosen. */
function gone(error: unknown): never {
  // Chromium's streams fail with a TypeError, "network error", where its slices fail with a DOMException.
  if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
  throw new Error("The file cannot be read: it was changed, moved or deleted since it was opened, or it may not be read. Open it again.");
}

/** Asks the server that the page came from. Only the expected answer has what was asked for. */
async function answer(url: string, expected: number, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init).catch(() => {
    throw new Error("The server does not answer. Start it again with databend-metactl view, and open the address that it prints.");
  });
  if (response.status === expected) return response;
  const isText = response.headers.get("Content-Type")?.startsWith("text/plain") ?? false;
  const said = isText ? (await response.text().catch(() => "")).trim() : "";
  throw new Error(`The server answered ${response.status}${said ? `: ${said}` : ""}.`);
}

const range = (source: Served, from: number, to: number) =>
  answer(source.url, 206, { headers: { Range: `bytes=${from}-${to - 1}` } });

/** Fails with the reason why an answer broke off, which the server tells when it is asked again. */
async function brokenOff(source: Served, error: unknown): Promise<never> {
  await range(source, 0, 1);
  throw new Error(`The answer of the server broke off. ${String(error)}`);
}

export async function stream(source: Source, from = 0, to = source.size): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  if (source instanceof Blob) return source.slice(from, to).stream();
  const { body } = await range(source, from, to);
  if (!body) throw new Error("The server answered without a body.");
  return body;
}

/**
 * Reads a range in order, in pieces that the browser chooses.
 *
 * Not into memory of our own, which is a fifth faster: in Chromium, of several workers that do so, one waits
 * for ever now and then.
 */
export async function* pieces(source: Source, from = 0, to = source.size): AsyncGenerator<Uint8Array> {
  if (from >= to) return;
  const reader = (await stream(source, from, to)).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read().catch((error: unknown) => {
        return source instanceof Blob ? gone(error) : brokenOff(source, error);
      });
      if (done) return;
      yield value;
    }
  } finally {
    // One that has failed cannot be cancelled, and would say its own words for why.
    await reader.cancel().catch(() => undefined);
  }
}

/** The source as a blob; what is served is copied to the browser's own storage. */
export async function blob(source: Source): Promise<Blob> {
  if (source instanceof Blob) return source;
  const response = await answer(source.url, 200);
  const copy = await response.blob().catch((error: unknown) => brokenOff(source, error));
  if (copy.size !== source.size) throw new Error(`The server sent ${copy.size} bytes of ${source.size}.`);
  return copy;
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
  const { headers } = await answer(url.href, 200, { method: "HEAD" });
  const size = Number(headers.get("Content-Length") ?? NaN);
  if (!Number.isSafeInteger(size)) throw new Error("The server does not say how large the dump is.");
  return { url: url.href, size };
}

/** Ends the page's own server. */
export async function end(url: URL): Promise<void> {
  await answer(url.href, 204, { method: "POST" });
}
