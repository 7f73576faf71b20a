// The package's own types are its sources, which do not compile as strictly as this page.
export function decompress(packed: Uint8Array): Uint8Array;
