// The embedded service, called by Google's gRPC library for JavaScript over the files of proto/.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const repo = fileURLToPath(new URL("../..", import.meta.url));
const metactl = process.env.METACTL ?? join(repo, "target/debug/databend-metactl");
const dump = join(repo, "tests/fixtures/v004/v004-origin.export.ndjson");
const protos = join(repo, "proto/proto");
const definition = loader.loadSync(["meta/service.proto", "flight/basic_auth.proto"], {
  includeDirs: [protos],
  longs: Number,
  oneofs: true,
});
const { meta } = grpc.loadPackageDefinition(definition);
const basicAuth = definition["arrow.flight.protocol.BasicAuth"];

/** Starts a service; resolves to its process and address. */
async function serve(...args) {
  const server = spawn(metactl, ["serve", "--db", dump, "--grpc-api-address", "127.0.0.1:0", ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const address = await new Promise((found, failed) => {
    createInterface({ input: server.stderr }).on("line", (line) => {
      const bound = /gRPC\D*?(127\.0\.0\.1:\d+)/.exec(line);
      if (bound) found(bound[1]);
    });
    server.once("exit", (code) => failed(new Error(`serve ended with ${code}`)));
  });
  return { server, address };
}

/** Has a service stop, which it does well. */
async function stop(server) {
  const ended = new Promise((done) => server.once("exit", (code) => done(code)));
  server.kill("SIGTERM");
  assert.equal(await ended, 0);
}

let server;
let address;
let client;
let token;

before(async () => {
  ({ server, address } = await serve());
  client = new meta.MetaService(address, grpc.credentials.createInsecure());
  token = await handshake(client, { username: "root", password: "" });
});

after(async () => {
  client?.close();
  if (server) await stop(server);
});

/** Shakes hands; resolves to the metadata that goes with every later call. */
function handshake(client, who) {
  return new Promise((done, failed) => {
    const call = client.Handshake();
    const answers = [];
    call.on("data", (answer) => answers.push(answer));
    call.on("error", failed);
    call.on("end", () => {
      // The end of a stream is reported also when it failed, which has been reported before.
      if (answers.length !== 1 || !(answers[0].protocolVersion > 0)) {
        failed(new Error(`unexpected answers to a handshake: ${JSON.stringify(answers)}`));
        return;
      }
      const metadata = new grpc.Metadata();
      metadata.set("auth-token-bin", answers[0].payload);
      done(metadata);
    });
    call.write({ protocolVersion: 0, payload: basicAuth.serialize(who) });
    call.end();
  });
}

/** All messages of a stream. */
function all(stream) {
  return new Promise((done, failed) => {
    const messages = [];
    stream.on("data", (message) => messages.push(message));
    stream.on("error", failed);
    stream.on("end", () => done(messages));
  });
}

/** The answer to a call that has one. */
function answer(method, request, metadata = token) {
  return new Promise((done, failed) =>
    client[method](request, metadata, (error, reply) => (error ? failed(error) : done(reply))),
  );
}

const records = readFileSync(dump, "utf8")
  .split("\n")
  .filter((line) => line.includes('{"GenericKV":'))
  .map((line) => JSON.parse(line)[1].GenericKV);
const alive = records.filter(({ value }) => value.meta?.expire_at == null);

test("an export is the dump byte for byte", async () => {
  for (const [stream, most] of [
    [client.ExportV1({ chunkSize: 7 }, token), 7],
    [client.Export({}, token), 32],
  ]) {
    const chunks = await all(stream);
    assert.ok(chunks.every(({ data }) => data.length > 0 && data.length <= most));
    const text = chunks.flatMap(({ data }) => data).map((line) => `${line}\n`);
    assert.equal(text.join(""), readFileSync(dump, "utf8"));
  }
});

test("keys are read one, several and all at a time", async () => {
  const same = (item, record) => {
    assert.equal(item.key, record.key);
    assert.equal(item.value.seq, record.value.seq);
    assert.deepEqual([...item.value.data], record.value.data);
  };
  const [first, second] = alive;
  const one = await all(client.KvReadV1({ data: JSON.stringify({ GetKV: { key: first.key } }) }, token));
  assert.equal(one.length, 1);
  same(one[0], first);

  const keys = [second.key, "no such key", first.key];
  const several = await all(client.KvReadV1({ data: JSON.stringify({ MGetKV: { keys } }) }, token));
  assert.deepEqual(several.map(({ key }) => key), keys);
  same(several[0], second);
  assert.equal(several[1].value, undefined);

  for (const listing of [
    client.KvReadV1({ data: JSON.stringify({ ListKV: { prefix: "" } }) }, token),
    client.KvList({ prefix: "" }, token),
  ]) {
    const listed = new Map((await all(listing)).map((item) => [item.key, item]));
    for (const record of alive) same(listed.get(record.key), record);
  }
});

test("a write is seen in its reply, a read, a watch and the next export", async () => {
  const watch = client.Watch({ key: "interop/", keyEnd: "interop0", filterType: "ALL", initialFlush: true }, token);
  const event = new Promise((done, failed) => {
    watch.on("data", (message) => message.event && done(message.event));
    watch.on("error", failed);
    watch.once("data", async () => {
      const put = { key: "interop/a", value: Buffer.from("1") };
      const reply = await answer("Transaction", { condition: [], ifThen: [{ put }], elseThen: [] });
      assert.equal(reply.success, true);
    });
  });
  const { key, current } = await event;
  watch.on("error", () => {});
  watch.cancel();
  assert.equal(key, "interop/a");
  assert.deepEqual(current.data, Buffer.from("1"));

  const chunks = await all(client.ExportV1({}, token));
  const lines = chunks.flatMap(({ data }) => data);
  assert.equal(lines.filter((line) => line.includes('"interop/a"')).length, 1);
});

test("status and members", async () => {
  const status = await answer("GetClusterStatus", {});
  assert.equal(status.isLeader, true);
  assert.equal(status.dataVersion, "V004");
  const members = await answer("MemberList", {});
  assert.ok(Array.isArray(members.data));
});

test("a call without a token, and a wrong user, are refused", async () => {
  const refused = { code: grpc.status.UNAUTHENTICATED };
  await assert.rejects(all(client.ExportV1({}, new grpc.Metadata())), refused);
  await assert.rejects(answer("GetClusterStatus", {}, new grpc.Metadata()), refused);
  await assert.rejects(handshake(client, { username: "nobody", password: "" }), refused);
});

test("a token is only good for its time, and for its server", async () => {
  const { server, address } = await serve("--token-lifetime", "1");
  const other = new meta.MetaService(address, grpc.credentials.createInsecure());
  try {
    const refused = { code: grpc.status.UNAUTHENTICATED };
    await assert.rejects(all(other.ExportV1({}, token)), refused);
    const own = await handshake(other, { username: "root", password: "" });
    assert.ok((await all(other.ExportV1({}, own))).length > 0);
    await new Promise((done) => setTimeout(done, 2100));
    await assert.rejects(all(other.ExportV1({}, own)), refused);
  } finally {
    other.close();
    await stop(server);
  }
});

test("what was exported with another client is what the command line exports", () => {
  const place = mkdtempSync(join(tmpdir(), "metadump-"));
  try {
    const db = join(place, "meta.db");
    const ran = spawnSync(metactl, ["export", "--grpc-api-address", address, "--db", db], { encoding: "utf8" });
    assert.equal(ran.status, 0, ran.stderr);
    const exported = readFileSync(db, "utf8");
    assert.ok(exported.split("\n").length >= readFileSync(dump, "utf8").split("\n").length);
  } finally {
    rmSync(place, { recursive: true });
  }
});
