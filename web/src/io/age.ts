// Decrypts a dump that is encrypted with age.

import { Decrypter } from "age-encryption";

import { read, type Source, stream } from "./source";

/** A header has a line or two per recipient: it is looked for before anything of it is read. */
const LONGEST_HEADER_BYTES = 64 << 10;

const IDENTITY = /AGE-SECRET-KEY-1\w*/gi;

/** So much completes one chunk of age at most: a fault in the next one would take several with it. */
const FED_BYTES = 64 << 10;

const ENCRYPTED = "It is encrypted with age";

/** Identities, wherever they stand in a text, or else a passphrase. */
function decrypter(key: string): Decrypter {
  const decrypter = new Decrypter();
  const identities = key.match(IDENTITY) ?? [];
  try {
    for (const identity of identities) decrypter.addIdentity(identity.toUpperCase());
  } catch {
    throw new Error("What was given is no identity of age: one begins with AGE-SECRET-KEY-1, and all of it is needed.");
  }
  if (identities.length === 0) decrypter.addPassphrase(key.replace(/\r?\n$/, ""));
  return decrypter;
}

/** What it holds; `taken` hears how much was read. */
export async function* decrypted(source: Source, key: string, taken: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  if (key === "") throw new Error(`${ENCRYPTED}, and no identity was given.`);
  const beginning = new TextDecoder("latin1").decode(await read(source, 0, LONGEST_HEADER_BYTES));
  if (beginning.startsWith("-")) throw new Error(`${ENCRYPTED}, and then written as text: decrypt it first, with age --decrypt.`);
  if (!beginning.includes("\n--- ")) throw new Error(`${ENCRYPTED}, and its beginning is damaged: fetch it again.`);
  const reads = decrypter(key);
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, controller) {
      taken(piece.length);
      for (let at = 0; at < piece.length; at += FED_BYTES) controller.enqueue(piece.subarray(at, at + FED_BYTES));
    },
  });
  const opened = await reads.decrypt((await stream(source)).pipeThrough(counted)).catch((error: unknown) => {
    throw new Error(`${ENCRYPTED}, and what was given does not read it (${said(error)}).`);
  });
  const reader = opened.getReader();
  let bytes = 0;
  try {
    for (;;) {
      const { value, done } = await reader.read().catch((error: unknown) => {
        throw new Error(`It is encrypted with age, and damaged or cut ${bytes} bytes of its content on (${said(error)})`);
      });
      if (done) return;
      bytes += value.length;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

const said = (error: unknown) => (error instanceof Error ? error.message : String(error));
