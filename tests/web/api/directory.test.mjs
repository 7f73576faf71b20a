// The binding reads raft directories as the command line does.
import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { after, test } from "node:test";

import { corpusDirectories, damagedDirectory, exported, fixtureDirectories, hasCorpus, olderDirectory, scratch } from "../directories.mjs";

const { exportDirectory } = createRequire(import.meta.url)("../../../target/web/node/metadump_wasm.js");
const folder = scratch();
after(() => rmSync(folder, { recursive: true }));

/** The dump that the binding makes of a directory, and what it says of it; or why it makes none. */
function read(path) {
  const at = (inner) => join(path, inner);
  const isDirectory = (inner) => existsSync(at(inner)) && statSync(at(inner)).isDirectory();
  const pieces = [];
  const lent = {
    name: path,
    names: (inner) => (isDirectory(inner) ? readdirSync(at(inner)) : undefined),
    size: (inner) => (existsSync(at(inner)) && !isDirectory(inner) ? statSync(at(inner)).size : undefined),
    read(inner, from, out) {
      const file = openSync(at(inner), "r");
      const length = readSync(file, out, 0, out.length, from);
      closeSync(file);
      return length < out.length ? "it is short" : undefined;
    },
    take: (piece) => void pieces.push(Buffer.from(piece)),
  };
  try {
    const remarks = exportDirectory(lent);
    return { dump: Buffer.concat(pieces), said: remarks };
  } catch (error) {
    return { dump: null, said: error.message.split("\n") };
  }
}

/** Whether a directory is of V004: the page reads no sled. */
const isOfToday = (path) => existsSync(join(path, "df_meta/V004/log"));

function check(path) {
  const [expected, found] = [exported(path), read(path)];
  const name = basename(path);
  if (!isOfToday(path)) {
    assert.equal(found.dump, null, name);
    assert.equal(found.said.length, 2, name);
    return;
  }
  // The command line has causes and help in lines of their own.
  const said = expected.said.replaceAll(/^(error|cause|help): +/gm, "").replaceAll("give --raft-dir", "drop");
  for (const text of expected.dump ? found.said : found.said.flatMap((text) => text.split(": ").slice(-1))) assert.ok(said.includes(text), `${name}: ${text}\n${said}`);
  assert.equal(found.dump === null, expected.dump === null, name);
  if (expected.dump) assert.ok(found.dump.equals(expected.dump), name);
}

test("raft directories of V004 become the dumps that export writes", () => {
  const directories = fixtureDirectories(join(folder, "fixtures"));
  assert.ok(directories.length >= 4);
  directories.forEach(check);
});

test("raft directories of a corpus, too", { skip: !hasCorpus && "there is no corpus" }, () => {
  const directories = corpusDirectories(join(folder, "corpus"));
  assert.ok(directories.filter(isOfToday).length >= 8);
  directories.forEach(check);
});

test("a damaged one is refused with what the command line says", () => {
  const path = damagedDirectory(folder);
  assert.equal(exported(path).dump, null);
  check(path);
});

test("one of an older version, and what is none, are refused with what to do", () => {
  const older = olderDirectory(folder);
  assert.deepEqual(read(older).said, [
    `${older} is a raft directory of V003 or older`,
    "open the dump that `databend-metactl export --raft-dir` makes of it",
  ]);
  assert.deepEqual(read(folder).said, [
    `${folder} is not the data directory of a meta service`,
    "drop the directory that the server has as raft_dir",
  ]);
});
