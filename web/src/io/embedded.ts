// What the page holds packed beside itself.

export interface Embedded {
  worker: Uint8Array<ArrayBuffer>;
  wasm: Uint8Array<ArrayBuffer>;
}

declare global {
  /** Where the loader leaves it. */
  var metadumpEmbedded: Embedded | undefined;
}

/** What the loader has unpacked; it can be taken once. */
export function takeEmbedded(): Embedded {
  const { metadumpEmbedded: embedded } = globalThis;
  if (!embedded) throw new Error("The page is not whole: load it again.");
  globalThis.metadumpEmbedded = undefined;
  return embedded;
}
