// The binding in node: what it imports, and that it says what the command line says.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";

const repo = fileURLToPath(new URL("../../..", import.meta.url));
const built = join(repo, "target/web/node");
const binding = createRequire(import.meta.url)(join(built, "metadump_wasm.js"));
const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");

const readable = (name) => /\.(txt|ndjson)$/.test(name) && !/status|keys-layout|wal|manifest/.test(name);
const dumpsIn = (folder) => readdirSync(folder).filter(readable).map((name) => join(folder, name));
const fixtures = ["", "valid", "findings", "v004"].flatMap((name) => dumpsIn(join(repo, "tests/fixtures", name)));
const corpus = process.env.METADUMP_CORPUS ?? join(repo, "../shared/corpus");
const hasCorpus = existsSync(corpus);
const real = hasCorpus ? ["made/small", "made/large", "upstream/dumps"].flatMap((name) => dumpsIn(join(corpus, name))) : [];

function open(bytes, pieceBytes = 1 << 20, manifest = null, name = undefined) {
  const opening = new binding.Opening(manifest, name);
  for (let at = 0; at < bytes.length; at += pieceBytes) opening.feed(bytes.subarray(at, at + pieceBytes));
  opening.end();
  const marks = opening.marks(0);
  const opened = opening.finish();
  return { report: opened.report, index: JSON.parse(opened.index), marks };
}

/** Reports are long: only the place where they part is shown. */
function same(actual, expected) {
  let at = 0;
  while (at < expected.length && actual[at] === expected[at]) at++;
  assert.equal(actual.slice(Math.max(0, at - 80), at + 200), expected.slice(Math.max(0, at - 80), at + 200));
  assert.equal(actual.length, expected.length);
}

/** The report of `inspect`, which says besides whose it is, what each tenant has, and as of when. */
function inspected(path) {
  const ran = spawnSync(metactl, ["inspect", "--format", "json", path], { encoding: "utf8", maxBuffer: 1 << 26 });
  const own = ran.stdout.trimEnd().replace(`{"file":${JSON.stringify(path)},`, "{");
  return own.replace(/,"tenants":\[.*\],"as_of":(null|"[^"]*")}$/, "}");
}

function rewrite(bytes, ownId, members, repair) {
  const rewriting = new binding.Rewriting(ownId, members, repair, false);
  do rewriting.feed(bytes);
  while (rewriting.endReading());
  const parts = [];
  let at = 0;
  for (const splice of JSON.parse(rewriting.finish())) {
    parts.push(bytes.subarray(at, splice.from_bytes), Buffer.from(splice.text));
    at = splice.to_bytes;
  }
  return Buffer.concat([...parts, bytes.subarray(at)]);
}

test("the binding imports nothing but the names of wasm-bindgen", async () => {
  const module = await WebAssembly.compile(readFileSync(join(built, "metadump_wasm_bg.wasm")));
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    assert.equal(from, "./metadump_wasm_bg.js");
    assert.match(name, /^__wb(indgen|g)_/);
  }
});

test("there are real dumps to compare with", { skip: hasCorpus ? false : "needs METADUMP_CORPUS" }, () => {
  assert.ok(real.length > 20);
});

for (const path of [...fixtures, ...real]) {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const bytes = readFileSync(path);

  test(`the report of ${name} is that of the command line, whatever the pieces`, () => {
    const expected = inspected(path);
    same(open(bytes).report, expected);
    same(open(bytes, 777).report, expected);
  });

  test(`the rewritten bytes of ${name} are those of the command line`, () => {
    const scratch = mkdtempSync(join(tmpdir(), "metadump-"));
    const output = join(scratch, "out.ndjson");
    const members = ["1=localhost:28103", "2=localhost:28203"];
    const args = ["rewrite", "--db", path, "--output", output, "--repair", "expire", "--id", "2"];
    args.push(...members.flatMap((member) => ["--initial-cluster", member]));
    const ran = spawnSync(metactl, args, { encoding: "utf8" });
    if (ran.status === 0) assert.ok(readFileSync(output).equals(rewrite(bytes, "2", members, true)));
    else {
      const [, reason] = ran.stderr.match(/^error: .*?(line \d+, byte \d+: .*)$/m) ?? [];
      const refused = (error) => reason === undefined || error.message === reason;
      assert.throws(() => rewrite(bytes, "2", members, true), refused);
    }
    rmSync(scratch, { recursive: true });
  });
}

test("what a manifest says of a dump is that of the command line, also under another name", () => {
  const scratch = mkdtempSync(join(tmpdir(), "metadump-"));
  const [written, renamed] = ["written.ndjson", "renamed.ndjson"].map((name) => join(scratch, name));
  const manifestOf = (path) => `${path}.manifest.json`;
  const dump = join(repo, "tests/fixtures/valid/v004.ndjson");
  assert.equal(spawnSync(metactl, ["rewrite", "--db", dump, "--output", written]).status, 0);
  copyFileSync(written, renamed);
  copyFileSync(manifestOf(written), manifestOf(renamed));
  for (const [path, codes] of [[written, []], [renamed, ["manifest-of-other-name"]]]) {
    const expected = inspected(path);
    const { report } = open(readFileSync(path), 777, readFileSync(manifestOf(path)), basename(path));
    same(report, expected);
    assert.deepEqual(JSON.parse(report).findings.map((finding) => finding.code), codes);
  }
  rmSync(scratch, { recursive: true });
});

const kv = (key, data) =>
  `["state_machine/0",{"GenericKV":{"key":"${key}","value":{"seq":1,"meta":null,"data":${JSON.stringify(data)}}}}]\n`;

test("a line is decoded", () => {
  const line = Buffer.from(kv("__fd_users/t/%27a%27", [...Buffer.from('{"a":1}')]).trimEnd() + "\n").subarray(0, -1);
  const view = JSON.parse(binding.decodeLine(line, false));
  assert.equal(view.segments[2].decoded, "'a'");
  assert.deepEqual(view.segments.map(({ meaning }) => meaning), [null, "tenant", "name of a user"]);
  assert.equal(view.value.form, "UserInfo (JSON)");
  assert.deepEqual(view.value.content, { type: "named", value: { type: "parts", value: [{ name: "a", type: "text", value: "1" }] } });
});

test("a value is taken out as the JSON of keys, and as its bytes", () => {
  const dump = join(repo, "tests/fixtures/engine/e895.server-export.ndjson.gz");
  const lines = gunzipSync(readFileSync(dump)).toString("utf8").split("\n").filter((line) => line.includes('"GenericKV"'));
  for (const secrets of [false, true]) {
    const args = ["keys", "--format", "json", "--at", "snapshot", ...(secrets ? ["--show-secrets"] : []), dump];
    const ran = spawnSync(metactl, args, { encoding: "utf8", maxBuffer: 1 << 26 });
    assert.equal(ran.status, 0, ran.stderr);
    const expected = ran.stdout.split("\n").filter(Boolean);
    assert.equal(lines.length, expected.length);
    for (const [at, line] of lines.entries()) {
      // As it is spelled, which no number is rounded in.
      const json = binding.valueJson(Buffer.from(line), secrets);
      assert.ok(expected[at].endsWith(`"value":${json}}`), expected[at]);
    }
  }
  const [, { GenericKV }] = JSON.parse(lines[0]);
  assert.deepEqual([...binding.valueBytes(Buffer.from(lines[0]))], GenericKV.value.data);
  assert.deepEqual([binding.valueJson(Buffer.from("{}"), true), binding.valueBytes(Buffer.from("{}"))], [undefined, undefined]);
});

test("credentials are masked unless they are asked for", () => {
  const line = Buffer.from(kv("__fd_token/t/abc", []).trimEnd());
  const masked = JSON.parse(binding.decodeLine(line, false));
  assert.deepEqual([masked.key, masked.masked], ["__fd_token/t/***", 1]);
  const shown = JSON.parse(binding.decodeLine(line, true));
  assert.deepEqual([shown.key, shown.masked], ["__fd_token/t/abc", 0]);
});

test("a search over a part numbers its lines from the start of the dump", () => {
  const searching = new binding.Searching(
    JSON.stringify({ pattern: { type: "regex", text: "^b" }, order: "size", most: 1 }), 5_000_000_000, 6_000_000_000,
  );
  searching.feed(Buffer.from(kv("a", [1]) + kv("b/1", [1]) + kv("b/2", [1, 2])));
  const hits = JSON.parse(searching.finish());
  const offset_bytes = 6_000_000_000 + kv("a", [1]).length + kv("b/1", [1]).length;
  assert.deepEqual(hits.kept, [{ line: 5_000_000_002, offset_bytes, bytes: kv("b/2", [1, 2]).length, key: "b/2", kind: "GenericKV", object: null, expire_ms: null }]);
  assert.equal(hits.count, 2);
  assert.throws(() => new binding.Searching('{"pattern":{"type":"regex","text":"("},"most":1}', 1, 0), /not a regular expression/);
});

test("members are judged as on the command line", () => {
  assert.equal(binding.memberError("1=a:1"), undefined);
  assert.equal(binding.memberError("2=localhost"), "expected `:` and the port\n  2=localhost\n             ^");
  assert.match(binding.clusterError("3", ["1=a:1"]), /node 3 is not in the new cluster/);
});

/** Hands two dumps over as they are asked for, a few bytes at a time. */
function compare(left, right, [leftAt, rightAt] = ["end", "end"]) {
  const comparing = new binding.Comparing("left", leftAt, "right", rightAt, 1_800_000_000_000);
  const dumps = { left: Buffer.from(left), right: Buffer.from(right) };
  const at = { left: 0, right: 0 };
  for (let side = comparing.wants(); side; side = comparing.wants()) {
    const piece = dumps[side].subarray(at[side], at[side] + 100);
    at[side] += piece.length;
    if (piece.length > 0 && comparing.feed(side, piece)) continue;
    at[side] = 0;
    comparing.endReading(side);
  }
  return comparing;
}

test("two dumps are compared", () => {
  const comparing = compare(kv("a", [1]) + kv("b", [1]), kv("b", [2]) + kv("c", [1]));
  const total = comparing.list('{"text":"","change":null}');
  const rows = JSON.parse(comparing.rows(0, total));
  assert.equal(rows[0].value.words, "keys of no known form: 1 key added, 1 removed, 1 changed");
  assert.deepEqual(rows.slice(1).map(({ value }) => [value.change, value.key]), [["removed", "a"], ["changed", "b"], ["added", "c"]]);
  assert.deepEqual(JSON.parse(comparing.keysOf(0, 1)), [rows[1].value]);
  assert.equal(comparing.list('{"text":"B","change":null}'), 2);
  assert.equal(comparing.list('{"text":"","change":"touched"}'), 0);
  assert.deepEqual(JSON.parse(comparing.states()).keys, { added: 1, removed: 1, changed: 1, touched: 0, same: 0 });
  assert.throws(() => compare("", "", ["later", "end"]), /expected snapshot, end, a log index/);
});

/** What comes of a packed stream, and why no more. */
function unpack(packed) {
  const unpacking = new binding.Unpacking(packed.subarray(0, 4));
  const parts = [];
  try {
    for (let out = unpacking.feed(packed); out.length > 0; out = unpacking.feed(new Uint8Array())) parts.push(out);
    for (let out = unpacking.finish(); out.length > 0; out = unpacking.finish()) parts.push(out);
  } catch (error) {
    return { plain: Buffer.concat(parts).toString(), error: error.message };
  }
  return { plain: Buffer.concat(parts).toString(), error: null };
}

test("a cut zstd stream is reported", () => {
  const { error } = unpack(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x01, 0x00]));
  assert.match(error, /zstd stream ends inside a frame/);
});

test("gzip of several members is unpacked; what comes before a fault is kept", () => {
  const first = gzipSync("one\n");
  const whole = Buffer.concat([first, gzipSync("two\n")]);
  assert.deepEqual(unpack(whole), { plain: "one\ntwo\n", error: null });
  // A header of 10 bytes and one of its data: too few for a symbol, whatever the compressor chose.
  const { plain, error } = unpack(whole.subarray(0, first.length + 11));
  assert.match(error, /gzip stream ends inside a member, after [\d,]+ bytes: it was cut/);
  assert.equal(plain, "one\n");
  const junk = unpack(Buffer.concat([whole, Buffer.from("what is behind it")]));
  assert.equal(junk.plain, "one\ntwo\n");
  assert.equal(junk.error, `the gzip stream is complete and ends at byte ${whole.length}; what follows is not gzip`);
});

test("a row is decoded without its value", () => {
  const view = JSON.parse(binding.decodeHeading(Buffer.from(kv("a/b", [1]).trimEnd())));
  assert.deepEqual([view.key, view.value], ["a/b", null]);
});
