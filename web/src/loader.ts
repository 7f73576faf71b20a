// Unpacks the page: what runs in it, its worker and the binding, which are packed as one.

import { Decoder } from "lzma1/lib/decoder";
import { InputBuffer, OutputBuffer } from "lzma1/lib/streams";

import "./io/embedded";
import { join } from "./io/streams";

const packed = document.getElementById("metadump-packed");
const unpacked = new OutputBuffer(4 << 20);
new Decoder().decompress(new InputBuffer(Uint8Array.from(atob(packed?.textContent ?? ""), (char) => char.charCodeAt(0))), unpacked);
const bytes = unpacked.toArray();
packed?.remove();
const [functions = 0, ...sizes] = (packed?.dataset["sizes"] ?? "").split(" ").map(Number);
let at = 0;
const [page = bytes, worker = bytes, ...streams] = sizes.map((size) => bytes.slice(at, (at += size)));
globalThis.metadumpEmbedded = { worker, wasm: join({ functions, streams }) };
const script = document.createElement("script");
script.textContent = new TextDecoder().decode(page);
document.body.append(script);
