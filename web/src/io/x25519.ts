// What age asks of a library where the browser has no X25519 of its own; all that the page runs in have it,
// and the library would be as large as all else that decrypting takes.

function missing(): never {
  throw new Error("this browser has no X25519: use a newer one, or decrypt the dump first, with age --decrypt");
}

export const x25519 = { GuBytes: Uint8Array.from({ length: 32 }, (_, at) => (at === 0 ? 9 : 0)), scalarMult: missing, scalarMultBase: missing };
