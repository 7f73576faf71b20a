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

export async function stream(source: Source): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  if (source instanceof Blob) return source.stream();
  const { body, status } = await fetch(source.url);
  if (!body) throw new Error(`The server answered ${status} without a body.`);
  return body;
}

/** The source as a blob; what is served is copied to the browser's own storage. */
export async function blob(source: Source): Promise<Blob> {
  return source instanceof Blob ? source : (await fetch(source.url)).blob();
}

/** Asks the page's own server how large a file is. */
export async function served(url: URL): Promise<Served> {
  const response = await fetch(url, { method: "HEAD" });
  const size = Number(response.headers.get("Content-Length"));
  if (!response.ok || !Number.isSafeInteger(size)) throw new Error(`The server answered ${response.status}.`);
  return { url: url.href, size };
}
