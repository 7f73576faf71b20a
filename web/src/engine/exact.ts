// Reads the binding's JSON without rounding: `JSON.parse` would, beyond 2^53.

import { parse } from "lossless-json";

/** Whole numbers of up to 15 digits are exact, and so is a text that has no longer ones. */
const LONG_NUMBER = /\d{16}/;

const whole = (digits: string): number | bigint => {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : BigInt(digits);
};

/** Parses JSON whose numbers are whole; those that a number would round are bigints. */
export function parseExact(json: string): unknown {
  return LONG_NUMBER.test(json) ? parse(json, null, whole) : JSON.parse(json);
}
