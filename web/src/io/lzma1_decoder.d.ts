// Two modules of the package lzma1, without its encoder. Its own types are its sources, which do not
// compile as strictly as this page.

declare module "lzma1/lib/decoder" {
  export class Decoder {
    decompress(input: import("lzma1/lib/streams").InputBuffer, output: import("lzma1/lib/streams").OutputBuffer): void;
  }
}

declare module "lzma1/lib/streams" {
  export class InputBuffer {
    constructor(bytes: Uint8Array);
    readonly remaining: number;
  }
  export class OutputBuffer {
    /** With room for so many bytes; it grows. */
    constructor(bytes: number);
    toArray(): Uint8Array<ArrayBuffer>;
  }
}
