// The shapes of the JSON that the binding gives.

export type Severity = "error" | "warning" | "note";

export interface Finding {
  code: string;
  severity: Severity;
  line: number | null;
  offset_bytes: number | null;
  message: string;
  why: string;
  help: string;
}

export interface LogId {
  leader_id: { term: number; node_id: number };
  index: number;
}

export interface Tally {
  lines: number;
  bytes: number;
}

export interface Summary {
  lines: number;
  bytes: number;
  version: string | null;
  node_id: number | null;
  vote: { leader_id: { term: number; node_id: number }; committed: boolean } | null;
  committed: LogId | null;
  purged: LogId | null;
  log: {
    first: LogId | null;
    last: LogId | null;
    entries: number;
    commands: Record<string, number>;
    entries_beyond_snapshot: number;
    commands_beyond_snapshot: Record<string, number>;
  };
  last_applied: LogId | null;
  last_membership: {
    log_id: LogId | null;
    membership: { configs: number[][]; nodes: Record<string, unknown> };
  } | null;
  nodes: Record<
    string,
    { name: string; endpoint: { addr: string; port: number }; grpc_api_advertise_address: string | null }
  >;
  sequence: number | null;
  state_hash?: string;
  keys: number;
  expiring_keys: number;
  kinds: Record<string, Tally>;
  prefixes: Record<string, Tally>;
}

export interface Report {
  summary: Summary;
  findings: Finding[];
  counts: Record<string, number>;
}

export interface KeyNode {
  keys: number;
  bytes: number;
  first_line: number;
  last_line: number;
  largest: [number, number];
  children: Record<string, KeyNode>;
  merged: Tally;
}

export interface Run {
  kind: string;
  first_line: number;
  lines: number;
  offset_bytes: number;
  bytes: number;
}

export interface Index {
  runs: Run[];
  keys: { root: KeyNode };
  log: {
    stride: number;
    moments: { line: number; entries: number; time_ms: number | null; bytes: number }[];
    membership_lines: number[];
  };
}

export interface Hit {
  line: number;
  offset_bytes: number;
  bytes: number;
  key: string | null;
}

export interface Hits {
  count: number;
  bytes: number;
  kept: Hit[];
}

export interface Field {
  number: number;
  name: string | null;
  type: "varint" | "fixed64" | "fixed32" | "text" | "message" | "bytes" | "more";
  value: string | number | Field[] | [string, number];
}

export interface ValueView {
  bytes: number;
  unpacked_bytes: number | null;
  error: string | null;
  content:
    | { type: "empty" | "binary" }
    | { type: "json" | "text"; value: string }
    | { type: "protobuf"; value: Field[] };
  hex: string;
}

export interface LineView {
  tree: string;
  kind: string;
  error: string | null;
  key: string | null;
  segments: { raw: string; decoded: string | null }[];
  seq: string | null;
  expire_ms: number | null;
  proposed_ms: number | null;
  value: ValueView | null;
  log: {
    log_id: string;
    time_ms: number | null;
    command: string;
    effects: { verb: string; target: string; value: ValueView | null }[];
    effect_count: number;
  } | null;
}

export type Change = "added" | "removed" | "changed" | "touched";
export type Counts = Record<Change | "same", number>;

export interface Differences {
  counts: Counts;
  prefixes: Record<string, Counts>;
  kept: { change: Change; key: string; left_line: number | null; right_line: number | null }[];
  unsorted: ["left" | "right", number][];
}

export interface Splice {
  line: number;
  lines_dropped: number;
  from_bytes: number;
  to_bytes: number;
  text: string;
}
