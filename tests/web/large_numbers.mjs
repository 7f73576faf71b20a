// A dump whose numbers are near 2^64: `JSON.parse` makes one and the same number of them all.

export const numbers = {
  node: 18446744073709551611n,
  term: 18446744073709551603n,
  first: 18446744073709551590n,
  last: 18446744073709551591n,
  sequence: 18446744073709551571n,
  seq: 18446744073709551557n,
  expires: 18446744073709551533n,
  proposed: 18446744073709551521n,
  time: 18446744073709551509n,
};
const { node, term, first, last, sequence, seq, expires, proposed, time } = numbers;

const leader = `{"term":${term},"node_id":${node}}`;
const id = (index) => `{"leader_id":${leader},"index":${index}}`;
const membership = `{"configs":[[${node}]],"nodes":{"${node}":{}}}`;
// A message of a varint and of eight bytes, all of whose bits are set.
const value = [0x08, ...Array(9).fill(0xff), 1, 0x11, ...Array(8).fill(0xff)];
const entry = (index, payload) => `["raft_log",{"LogEntry":{"log_id":${id(index)},"payload":${payload}}}]`;
const machine = (kind, key, value) => `["state_machine/0",{"${kind}":{"key":${key},"value":${value}}}]`;

export const lines = [
  '["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]',
  `["raft_log",{"NodeId":${node}}]`,
  `["raft_log",{"Vote":{"leader_id":${leader},"committed":true}}]`,
  `["raft_log",{"Committed":${id(last)}}]`,
  `["raft_log",{"Purged":${id(first - 1n)}}]`,
  entry(first, `{"Membership":${membership}}`),
  entry(last, `{"Normal":{"time_ms":${time},"cmd":{"UpsertKV":{"key":"k","seq":"Any","value":{"Update":[${value}]},"value_meta":null}}}}`),
  machine("Sequences", '"generic-kv"', sequence),
  machine("StateMachineMeta", '"LastApplied"', `{"LogId":${id(last)}}`),
  machine("StateMachineMeta", '"LastMembership"', `{"Membership":{"log_id":${id(first)},"membership":${membership}}}`),
  machine("Nodes", node, `{"name":"${node}","endpoint":{"addr":"localhost","port":28103},"grpc_api_advertise_address":null,"raft_tls_advertise_address":"localhost:1"}`),
  machine("Expire", `{"time_ms":${expires},"seq":${seq}}`, `{"seq":${seq},"key":"k"}`),
  machine("GenericKV", '"k"', `{"seq":${seq},"meta":{"expire_at":${expires},"proposed_at_ms":${proposed}},"data":[${value}]}`),
];

export const dump = lines.map((line) => `${line}\n`).join("");
