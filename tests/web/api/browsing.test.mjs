// The objects of a state in the binding: those of `objects`, what `log` says of them, the same moment.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

const repo = fileURLToPath(new URL("../../..", import.meta.url));
const { Browsing } = createRequire(import.meta.url)(join(repo, "target/web/node/metadump_wasm.js"));
const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const corpus = process.env.METADUMP_CORPUS ?? join(repo, "../shared/corpus");
const readable = (name) => /\.(txt|ndjson|ndjson\.gz)$/.test(name) && !/status|keys-layout|wal|manifest|server-state/.test(name);
const dumpsIn = (folder) => (existsSync(folder) ? readdirSync(folder).filter(readable).map((name) => join(folder, name)) : []);
const dumps = [
  ...["valid", "engine", "v004"].flatMap((name) => dumpsIn(join(repo, "tests/fixtures", name))),
  ...["engine", "made/small"].flatMap((name) => dumpsIn(join(corpus, name))),
];
const bytesOf = (path) => (path.endsWith(".gz") ? gunzipSync(readFileSync(path)) : readFileSync(path));

function readAll(browsing, bytes) {
  do {
    for (let at = 0, more = true; more && at < bytes.length; at += 1 << 20) more = browsing.feed(bytes.subarray(at, at + (1 << 20)));
  } while (browsing.endReading());
}

function browse(bytes, at) {
  const browsing = new Browsing(at, Date.now());
  readAll(browsing, bytes);
  return browsing;
}

/** What a command says on stdout, a line each, and on stderr; none when it refuses. */
function said(...args) {
  const { status, stdout, stderr } = spawnSync(metactl, [...args, "--format", "json"], { encoding: "utf8", maxBuffer: 1 << 28 });
  return status === 0 ? { rows: stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line)), stderr } : null;
}

const list = (browsing, query) => JSON.parse(browsing.rows(0, browsing.list(JSON.stringify(query))));

let compared = 0;
for (const path of dumps) {
  for (const at of ["end", "snapshot"]) {
    test(`the objects of ${basename(path)} at ${at} are those of the command line`, () => {
      const tenants = said("objects", "--at", at, path);
      if (!tenants) {
        assert.throws(() => browse(bytesOf(path), at));
        return;
      }
      const browsing = browse(bytesOf(path), at);
      const overview = JSON.parse(browsing.overview());
      assert.deepEqual(overview.tenants, tenants.rows);
      assert.ok(tenants.stderr.includes(overview.as_of), `${tenants.stderr} is not ${overview.as_of}`);
      for (const { tenant } of tenants.rows) {
        if (tenant === null) continue;
        for (const sort of ["name", "bytes", "keys"]) {
          const expected = said("objects", "--at", at, "--tenant", tenant, "--sort", sort, path).rows;
          assert.deepEqual(list(browsing, { tenants: [tenant], sort }).map(({ object }) => object), expected);
          compared += expected.length;
        }
      }
    });
  }
}

test("objects were compared", () => assert.ok(compared > 100, String(compared)));

test("the log did to an object what the command line says", () => {
  const path = join(repo, "tests/fixtures/engine/e895.server-export.ndjson.gz");
  const bytes = bytesOf(path);
  const browsing = browse(bytes, "end");
  assert.equal(browsing.history(0), undefined);
  browsing.readLog(Date.now());
  readAll(browsing, bytes);
  const tables = list(browsing, { kind: "table" });
  let entries = 0;
  for (const { at, object } of tables.slice(0, 20)) {
    const expected = said("log", "--object", `table:${object.id}`, path).rows;
    const history = JSON.parse(browsing.history(at));
    const own = history.entries.filter(({ effects }) => effects.some(({ kind, id }) => kind === "table" && id === object.id));
    const lines = bytes.toString("utf8").split("\n");
    for (const { line, log_id } of own) assert.ok(lines[line - 1].includes(`"index":${log_id.index}}`), String(line));
    assert.deepEqual(own.map(({ line: _, ...change }) => change), expected);
    entries += expected.length;
  }
  assert.ok(entries > 10, String(entries));
});

test("every object is found by its line, and every key of it belongs to it", () => {
  const bytes = bytesOf(join(repo, "tests/fixtures/engine/e895.server-export.ndjson.gz"));
  const lines = bytes.toString("utf8").split("\n");
  const browsing = browse(bytes, "end");
  const rows = list(browsing, {});
  for (const { at, line } of rows) {
    const { keys } = JSON.parse(browsing.detail(at));
    for (const key of keys) {
      if (key.written === null) assert.equal(browsing.ofLine(key.line, Buffer.from(lines[key.line - 1])), at);
      else assert.equal(browsing.ofLine(0, browsing.written(key.written)), at);
    }
    if (line !== null) assert.notEqual(browsing.ofLine(line, Buffer.from(lines[line - 1])), undefined);
  }
  assert.equal(browsing.ofLine(1, Buffer.from(lines[0])), undefined);
});

test("a moment that is none is refused in words", () => {
  const bytes = readFileSync(join(repo, "tests/fixtures/valid/v004.ndjson"));
  assert.throws(() => new Browsing("yesterday", 0), /expected snapshot, end/);
  assert.throws(() => browse(bytes, "999999"), /there is no entry 999999 in the log/);
});
