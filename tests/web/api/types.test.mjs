// The page's types of what the binding gives, held against what it gives; and how the page reads it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { dump, lines, numbers } from "../large_numbers.mjs";

const repo = fileURLToPath(new URL("../../..", import.meta.url));
const require = createRequire(join(repo, "web/package.json"));
const binding = require(join(repo, "target/web/node/metadump_wasm.js"));
const fixtures = ["valid", "findings"].flatMap((folder) => {
  const path = join(repo, "tests/fixtures", folder);
  return readdirSync(path).filter((name) => /\.(txt|ndjson)$/.test(name)).map((name) => readFileSync(join(path, name)));
});
const dumps = [...fixtures, Buffer.from(dump)];

function open(bytes) {
  const opening = new binding.Opening(null);
  opening.feed(bytes);
  opening.end();
  return opening.finish();
}

function search(bytes) {
  const searching = new binding.Searching(JSON.stringify({ pattern: { type: "line", text: "" }, order: "size", most: 5 }), 1, 0);
  searching.feed(bytes);
  return searching.finish();
}

function compare(left, right) {
  const comparing = new binding.Comparing("left", "snapshot", "right", "snapshot", 1);
  const dumps = { left, right };
  const done = { left: false, right: false };
  for (let side = comparing.wants(); side; side = comparing.wants()) {
    if (!done[side] && comparing.feed(side, dumps[side])) {
      done[side] = true;
      continue;
    }
    done[side] = false;
    comparing.endReading(side);
  }
  const rows = comparing.rows(0, comparing.list('{"change":null}'));
  const lineOf = (bytes, place) => place && bytes.toString().split("\n")[place.line - 1];
  const [key] = JSON.parse(rows).filter(({ type }) => type === "key").map(({ value }) => value);
  const lines = key && [lineOf(left, key.before), lineOf(right, key.after)].map((line) => line && Buffer.from(line));
  return [["States", comparing.states()], ["DifferenceRow[]", rows], ...(key ? [["KeyView", binding.keyDifference(...lines, false)]] : [])];
}

function rewrite(bytes) {
  const rewriting = new binding.Rewriting("2", ["2=localhost:28103"], true, true);
  do rewriting.feed(bytes);
  while (rewriting.endReading());
  return rewriting.finish();
}

/** JSON as a literal of TypeScript, which has an `n` behind numbers that are bigints. */
const literal = (json) =>
  json.replace(/"(?:[^"\\]|\\.)*"|\d{16,}/g, (token) =>
    token.startsWith('"') || Number.isSafeInteger(Number(token)) ? token : `${token}n`);

/** What is wrong with samples, given as type and JSON. */
function complaints(samples) {
  const folder = join(repo, "target/web/types");
  mkdirSync(folder, { recursive: true });
  const consts = samples.map(([type, json], at) => `export const sample${at}: types.${type} = ${literal(json)};\n`);
  writeFileSync(join(folder, "samples.ts"), `import type * as types from "../../../web/src/engine/generated";\n${consts.join("")}`);
  const config = { extends: "../../../web/tsconfig.json", compilerOptions: { types: [] }, files: ["samples.ts"], include: [] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const ran = spawnSync(process.execPath, [require.resolve("typescript/bin/tsc"), "-p", folder], { encoding: "utf8" });
  return ran.stdout.slice(0, 4000);
}

test("what the binding gives has the types that the page reads it with", () => {
  const opened = dumps.map(open);
  const [first] = fixtures;
  const samples = [
    ...opened.map(({ report }) => ["Report", report]),
    ...opened.map(({ index }) => ["Index", index]),
    ...dumps.map((bytes) => ["Hits", search(bytes)]),
    ...dumps.flatMap((bytes) => {
      try {
        return compare(first, bytes);
      } catch (error) {
        // Of some broken ones there is no state.
        assert.match(error.message, /^there is no state machine|^a line of/);
        return [];
      }
    }),
    ...lines.map((line) => ["LineView", binding.decodeLine(Buffer.from(line), false)]),
    ["LineView", binding.decodeLine(Buffer.from("no record"), false)],
    ["Splice[]", rewrite(readFileSync(join(repo, "tests/fixtures/valid/v004.ndjson")))],
  ];
  assert.equal(complaints(samples), "");
  // A number that the types do not expect to be large, a member that they do not know, and one that is missing.
  const [[, report]] = samples;
  for (const [from, to, complaint] of [
    [/"keys":\d+/, '"keys":18446744073709551615', /'bigint' is not assignable to type 'number'/],
    ['"keys":', '"others":1,"keys":', /"others"' does not exist in type 'Summary'/],
    [/"why":"[^"]*",/, "", /Property 'why' is missing/],
  ]) assert.match(complaints([["Report", report.replace(from, to)]]), complaint);
});

const { build } = await import(pathToFileURL(require.resolve("vite")));
const [{ output: [{ code }] }] = await build({
  root: join(repo, "web"), configFile: false, logLevel: "error",
  build: { write: false, lib: { entry: "src/engine/exact.ts", formats: ["es"] } },
});
const { parseExact } = await import(`data:text/javascript,${encodeURIComponent(code)}`);

test("no number is rounded on its way to the page", () => {
  const { node, term, first, last, sequence, seq, expires, proposed, time } = numbers;
  const leader_id = { term, node_id: node };
  const { report, index } = open(Buffer.from(dump));
  const { summary } = parseExact(report);
  assert.deepEqual(
    [summary.node_id, summary.vote, summary.committed, summary.purged, summary.sequence, summary.last_membership.membership.configs],
    [node, { leader_id, committed: true }, { leader_id, index: last }, { leader_id, index: first - 1n }, sequence, [[node]]],
  );
  assert.deepEqual([summary.lines, summary.bytes], [lines.length, dump.length]);
  assert.equal(parseExact(index).log.moments[1].time_ms, time);
  const key = parseExact(binding.decodeLine(Buffer.from(lines.at(-1)), false));
  assert.deepEqual([key.seq, key.expire_ms, key.proposed_ms], [seq, expires, proposed]);
  assert.deepEqual(key.value.content.value.map(({ value }) => value), [2n ** 64n - 1n, 2n ** 64n - 1n]);
});

test("numbers are bigints only where they must be, and texts and names stay as they are", () => {
  assert.deepEqual(parseExact("[9007199254740991,9007199254740992,9007199254740993]"), [9007199254740991, 9007199254740992n, 9007199254740993n]);
  const json = '{"18446744073709551615":"18446744073709551615n","__proto__":{"\\"18446744073709551615,":null}}';
  assert.equal(JSON.stringify(parseExact(json)), json);
});
