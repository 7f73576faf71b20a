// Raft directories for tests: made of dumps by the command line, or unpacked from the corpus.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const repo = fileURLToPath(new URL("../..", import.meta.url));
export const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const corpus = process.env.METADUMP_CORPUS ?? join(repo, "../shared/corpus");
export const hasCorpus = existsSync(corpus);

/** A folder that nobody else uses. */
export const scratch = () => mkdtempSync(join(tmpdir(), "metadump-directories-"));

const unpacked = (archive, path) => {
  mkdirSync(path, { recursive: true });
  const ran = spawnSync("tar", ["-xzf", archive, "-C", path, "--strip-components=1"], { encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stderr);
  return path;
};

/** The archives in a folder, as directories. */
const archivesIn = (place, folder) =>
  readdirSync(place)
    .filter((name) => name.endsWith(".tar.gz"))
    .map((name) => unpacked(join(place, name), join(folder, name.split(".")[0])));

/** The directories of the fixtures, which are of V004. */
export const fixtureDirectories = (folder) => archivesIn(join(repo, "tests/fixtures/v004"), folder);

/** The directories of the corpus, of every version. */
export const corpusDirectories = (folder) =>
  ["engine", "made/small", "sled", "upstream/raft-dirs"].flatMap((place) => archivesIn(join(corpus, place), join(folder, place)));

/** A directory whose log has a byte that is another. */
export function damagedDirectory(folder) {
  const [path] = fixtureDirectories(join(folder, "damaged"));
  const log = join(path, "df_meta/V004/log");
  const [first] = readdirSync(log).filter((name) => name.endsWith(".wal"));
  const bytes = readFileSync(join(log, first));
  bytes[Math.floor(bytes.length / 2)] ^= 0x55;
  writeFileSync(join(log, first), bytes);
  return path;
}

/** A directory of an older version. */
export function olderDirectory(folder) {
  const path = join(folder, "older");
  mkdirSync(path);
  const dump = join(repo, "tests/fixtures/valid/v003.ndjson");
  const ran = spawnSync(metactl, ["import", "--raft-dir", path, "--db", dump, "--data-version", "V003"], { encoding: "utf8" });
  assert.equal(ran.status, 0, ran.stderr);
  return path;
}

/** What `export` writes of a directory and what it says of it, or why it does not. */
export function exported(path) {
  const ran = spawnSync(metactl, ["export", "--raft-dir", path, "--db", ""], { maxBuffer: 1 << 28 });
  return { dump: ran.status === 0 ? ran.stdout : null, said: ran.stderr.toString() };
}
