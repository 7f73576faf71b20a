// Generated: UPDATE_DOCS=1 cargo test -p metadump-tests --test typescript

/** A number that the dump decides, up to 2^64 - 1. It is a bigint where a number would round it. */
export type Integer = number | bigint;

/**
 * What became of a key.
 */
export type Change = "added" | "removed" | "changed" | "touched";

/**
 * What a finding is about. The names are stable: scripts may rely on them.
 */
export type Code = "empty-dump" | "utf-16" | "packed-content" | "foreign-file" | "text-before-dump" | "json-array" | "carriage-return-only" | "zero-bytes" | "byte-order-mark" | "not-utf8" | "carriage-return" | "blank-line" | "last-line-cut" | "no-final-newline" | "line-too-long" | "not-json" | "not-a-dump-line" | "unknown-kind" | "wrong-shape" | "unknown-command" | "number-out-of-range" | "unknown-tree" | "kind-in-wrong-tree" | "unknown-member" | "header-missing" | "header-absent" | "header-not-first" | "header-repeated" | "header-key" | "version-unknown" | "upgrade-interrupted" | "kind-of-other-version" | "retired-kind" | "no-raft-log" | "raft-state-missing" | "raft-state-repeated" | "node-id-null" | "vote-missing" | "vote-behind-log" | "log-ids-disagree" | "committed-beyond-log" | "purged-beyond-applied" | "snapshot-lacks-entries" | "log-gap" | "log-order" | "log-duplicate" | "log-term-back" | "log-key-mismatch" | "log-below-purged" | "log-below-purged-skipped" | "log-start" | "applied-beyond-log" | "applied-without-log" | "retired-command" | "section-order" | "several-state-machines" | "keys-unsorted" | "key-duplicate" | "seq-duplicate" | "seq-zero" | "sequences-missing" | "sequences-repeated" | "sequences-key" | "sequences-behind" | "sequences-exhausted" | "expire-without-key" | "key-without-expire" | "expire-mismatch" | "expire-unsorted" | "expire-duplicate" | "expire-index-absent" | "last-applied-missing" | "membership-missing" | "state-machine-meta-repeated" | "state-machine-missing" | "no-snapshot" | "keys-missing" | "membership-beyond-applied" | "membership-in-flight" | "membership-empty" | "voter-without-node" | "learner-without-node" | "node-not-member" | "node-without-endpoint" | "node-address-malformed" | "node-address-shared" | "node-repeated" | "node-name-mismatch" | "own-id-not-member" | "id-counter-behind" | "value-misfit" | "value-newer" | "object-without-record" | "object-without-name" | "orphaned-record" | "role-missing" | "policy-missing" | "references-unchecked" | "manifest-missing" | "completeness-unproven" | "manifest-unreadable" | "manifest-of-other-name" | "manifest-mismatch" | "salvaged" | "lost-proposal-time" | "lost-expiry-milliseconds" | "lost-late-expiry" | "lost-tls-address" | "lost-log-entry";

/**
 * What a value is, as far as its bytes tell.
 */
export type Content = { "type": "named", "value": ShownContent } | { "type": "empty" } | { "type": "json", "value": string } | { "type": "text", "value": string } | { "type": "protobuf", "value": Array<Field> } | { "type": "binary" };

/**
 * Lines in which something is left that was replaced elsewhere.
 */
export type Copies = {
/**
 * How many lines.
 */
lines: number,
/**
 * The first of them.
 */
first: Array<CopyAt>, };

/**
 * A line in which something is left.
 */
export type CopyAt = {
/**
 * The line, counted from 1.
 */
line: number,
/**
 * Its key, a very long one only its first part; none where the key may be what is left, or there
 * is none.
 */
key: string | null,
/**
 * Where in the line.
 */
left: Left, };

/**
 * How many keys differ, by what became of them.
 */
export type Counts = {
/**
 * Only in the second state.
 */
added: number,
/**
 * Only in the first state.
 */
removed: number,
/**
 * Another value or expiry.
 */
changed: number,
/**
 * Only written again.
 */
touched: number,
/**
 * The same.
 */
same: number, };

/**
 * Where a credential is.
 */
export type CredentialPlace = {
/**
 * The line, counted from 1.
 */
line: number,
/**
 * The key, with credentials in it masked; where there is none, the kind of the line.
 */
key: string,
/**
 * The field in the value, with those around it; empty for the whole, or for the key itself.
 */
path: string,
/**
 * What it is.
 */
kind: string, };

/**
 * The version of the on-disk layout and of the dump dialect.
 */
export type DataVersion = "V0" | "V001" | "V002" | "V003" | "V004";

/**
 * Which differences are listed.
 */
export type DifferenceQuery = {
/**
 * What the key or the words of its object have in them, in whichever case.
 */
text: string,
/**
 * `added`, `removed`, `changed` or `touched`; when there is none, all but those that were only
 * written again.
 */
change: string | null, };

/**
 * A row of the list: an object, or below it one of its keys.
 */
export type DifferenceRow = { "type": "object", "value": DifferingObject } | { "type": "key", "value": DifferingKey };

/**
 * A key that differs.
 */
export type DifferingKey = {
/**
 * What became of it.
 */
change: Change,
/**
 * The key, its credentials masked, of a very long one the first part.
 */
key: string,
/**
 * Where the first state has it.
 */
before: KeyPlace | null,
/**
 * Where the second has it.
 */
after: KeyPlace | null, };

/**
 * An object that differs.
 */
export type DifferingObject = {
/**
 * Where it stands among all, to ask for it.
 */
at: number,
/**
 * `+`, `-` or `~`.
 */
sign: string,
/**
 * What it is and what became of it.
 */
words: string,
/**
 * How many of its keys differ.
 */
keys: Counts, };

/**
 * What an entry does to one key or node.
 */
export type Effect = {
/**
 * Which conditions it depends on: `if` on those of its branch, `else` on that those of no other
 * branch hold; none when it is done in any case.
 */
condition: string | null,
/**
 * `put`, `delete`, `get` …
 */
verb: string,
/**
 * The key, prefix or node.
 */
target: string,
/**
 * The value that is written.
 */
value: ValueView | null, };

/**
 * The value of each member in [`Membership::nodes`]: always `{}`.
 */
export type EmptyNode = Record<symbol, never>;

/**
 * Where a node is reached.
 */
export type Endpoint = {
/**
 * A host name or address; an IPv6 address keeps its brackets.
 */
addr: string,
/**
 * The TCP port.
 */
port: number, };

/**
 * One field of a message.
 */
export type Field = {
/**
 * The field's number.
 */
number: number,
/**
 * The name, where it is the same in every message.
 */
name: string | null, } & ({ "type": "varint", "value": Integer } | { "type": "fixed64", "value": Integer } | { "type": "fixed32", "value": number } | { "type": "text", "value": string } | { "type": "message", "value": Array<Field> } | { "type": "bytes", "value": [string, number] } | { "type": "more", "value": number });

/**
 * A field that differs, in words.
 */
export type FieldView = {
/**
 * Which.
 */
field: string,
/**
 * What it was; none of one that is new.
 */
before: string | null,
/**
 * What it is; none of one that is gone.
 */
after: string | null, };

/**
 * What stays and what goes.
 */
export type FilterPreview = {
/**
 * Which moment the state is of, and what changes, a sentence each: what `filter --dry-run` says.
 */
words: Array<string>,
/**
 * The kinds of objects there are, each with what stays and goes of it.
 */
kinds: { [key in string]: KindParts },
/**
 * How many objects, and keys that belong to none, go.
 */
gone_count: number,
/**
 * The first of them.
 */
gone: Array<Gone>, };

/**
 * What is to stay or to go, as a form has it.
 */
export type FilterQuery = {
/**
 * Tenants, by name.
 */
tenants: Array<string>,
/**
 * Objects, as `--object` takes them.
 */
objects: Array<string>,
/**
 * Keys, by how they begin.
 */
prefixes: Array<string>,
/**
 * Whether the choice goes and the rest stays.
 */
drop: boolean,
/**
 * What becomes of keys that cannot be judged: `refuse`, `keep` or `drop`.
 */
unknown: Unknown, };

/**
 * A finding as its JSON has it: with what the catalogue says of its code.
 */
export type Finding = { code: Code, severity: Severity, line: number | null, offset_bytes: number | null, message: string, why: string, help: string, };

/**
 * What goes.
 */
export type Gone = {
/**
 * The tenant, if something says it.
 */
tenant: string | null,
/**
 * The kind; `unknown` of keys of no known form.
 */
kind: string,
/**
 * The id, of objects that have one.
 */
id: Integer | null,
/**
 * The name as people write it; none of keys that belong to no object.
 */
name: string | null,
/**
 * How many keys go with it.
 */
keys: number, };

/**
 * A line that was found.
 */
export type Hit = {
/**
 * The line, counted from 1.
 */
line: number,
/**
 * Where it starts.
 */
offset_bytes: number,
/**
 * How many bytes it takes, line end included.
 */
bytes: number,
/**
 * The key, its credentials masked, a very long one only its first part; none when the line has
 * none.
 */
key: string | null,
/**
 * What kind of line it is; none when it is no record.
 */
kind: string | null,
/**
 * The object that its record belongs to: `table 42`, `user 'root'@'%'`; none when it belongs
 * to none, or the line was not read as a whole.
 */
object: string | null,
/**
 * When its record expires, milliseconds since 1970.
 */
expire_ms: Integer | null, };

/**
 * What a search found.
 */
export type Hits = {
/**
 * How many lines were found, those that were not kept included.
 */
count: number,
/**
 * How many bytes they take.
 */
bytes: number,
/**
 * Those that were kept, in the order of the query.
 */
kept: Array<Hit>, };

/**
 * Collects the map of a dump, line by line, in order.
 *
 * ```
 * use metadump::{Line, index::Indexer, scan::scan_line};
 *
 * let bytes = br#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":81}}]"#;
 * let mut indexer = Indexer::default();
 * let line = Line::new(1, 0, bytes, true);
 * indexer.line(&line, &scan_line(bytes));
 * let index = indexer.finish();
 * assert_eq!((index.blocks.lines(), index.runs.as_slice()[0].kind), (1, "Sequences"));
 * ```
 */
export type Index = {
/**
 * Which kinds stand where.
 */
runs: Runs,
/**
 * Keys by their segments.
 */
keys: KeyTree,
/**
 * When the log entries were proposed.
 */
log: Timeline, };

/**
 * The keys that start with the same segments.
 */
export type KeyNode = {
/**
 * How many keys.
 */
keys: number,
/**
 * How many bytes of the dump they take.
 */
bytes: number,
/**
 * The first of their lines.
 */
first_line: number,
/**
 * The last of their lines; others stand between when the dump is not sorted.
 */
last_line: number,
/**
 * Bytes and line of the largest.
 */
largest: [number, number],
/**
 * The next segments, each with its `/`; a last segment is no child.
 */
children: { [key in string]: KeyNode },
/**
 * Children that were too many to be distinguished.
 */
merged: Tally, };

/**
 * Where a state has a key.
 */
export type KeyPlace = {
/**
 * The line that holds it.
 */
line: number | null,
/**
 * Where it stands among what the log wrote, to ask for it.
 */
written: number | null, };

/**
 * One segment of a key.
 */
export type KeySegment = {
/**
 * The segment as it stands in the dump, without its `/`.
 */
raw: string,
/**
 * The segment without escapes, when it has any.
 */
decoded: string | null,
/**
 * What it is: `id of a table`, `tenant`; none of a segment that is the same in every key of its
 * form, and in keys of no known form.
 */
meaning: string | null, };

/**
 * The tree of all keys.
 */
export type KeyTree = { root: KeyNode, };

/**
 * What differs under a key.
 */
export type KeyView = {
/**
 * What became of it.
 */
change: Change,
/**
 * The key, masked where it holds a credential.
 */
key: string,
/**
 * What the value is.
 */
form: string,
/**
 * The record of the first state.
 */
before: WriteView | null,
/**
 * That of the second.
 */
after: WriteView | null,
/**
 * The fields that differ, of one that is changed.
 */
fields: Array<FieldView>,
/**
 * How many more there are.
 */
more_fields: number,
/**
 * Whether the values have the same fields, in other bytes.
 */
is_spelled_otherwise: boolean, };

/**
 * The kind of a line: the one member of its entry object.
 */
export type Kind = "DataHeader" | "RaftStateKV" | "Logs" | "LogMeta" | "NodeId" | "Vote" | "Committed" | "Purged" | "LogEntry" | "Sequences" | "StateMachineMeta" | "Nodes" | "Expire" | "GenericKV" | "ClientLastResps" | "MetaSrvAddrs" | "Databases" | "Tables" | "DatabaseLookup" | "TableLookup";

/**
 * How much of a kind stays and goes.
 */
export type KindParts = {
/**
 * What stays.
 */
stays: Part,
/**
 * What goes.
 */
goes: Part, };

/**
 * Objects of one kind in a tenant.
 */
export type KindSum = {
/**
 * How many there are.
 */
count: number,
/**
 * How many are dropped, beside these.
 */
dropped: number,
/**
 * How many keys.
 */
keys: number,
/**
 * How many bytes their values have.
 */
bytes: number, };

/**
 * Who led when a log entry was proposed: a term and the node that was elected in it.
 */
export type LeaderId = {
/**
 * The election term.
 */
term: Integer,
/**
 * The elected node, 0 in ids that were converted from the openraft 0.7 dialect.
 */
node_id: NodeId, };

/**
 * Something that is left.
 */
export type Left = "in_text" | "in_value";

/**
 * A line, decoded.
 */
export type LineView = {
/**
 * The tree's name.
 */
tree: string,
/**
 * The kind; `broken` when the line is no record.
 */
kind: string,
/**
 * Why the line is no record.
 */
error: string | null,
/**
 * The key, for keyed kinds.
 */
key: string | null,
/**
 * The segments of a key of the key space.
 */
segments: Array<KeySegment>,
/**
 * The sequence number.
 */
seq: Integer | null,
/**
 * When the record expires, milliseconds since 1970.
 */
expire_ms: Integer | null,
/**
 * When the write was proposed, milliseconds since 1970.
 */
proposed_ms: Integer | null,
/**
 * The value of a key.
 */
value: ValueView | null,
/**
 * What a log entry does.
 */
log: LogView | null,
/**
 * How many credentials are masked, here and in the raw line if it is shown.
 */
masked: number, };

/**
 * The identity of a log entry, ordered by term, node and index.
 */
export type LogId = {
/**
 * Who proposed the entry.
 */
leader_id: LeaderId,
/**
 * The position in the log, counted from 0.
 */
index: Integer, };

/**
 * The Raft log of a dump.
 */
export type LogSummary = {
/**
 * The first entry.
 */
first: LogId | null,
/**
 * The last entry.
 */
last: LogId | null,
/**
 * How many entries there are.
 */
entries: number,
/**
 * How many entries of each payload or command there are.
 */
commands: { [key in string]: number },
/**
 * How many entries the state machine does not hold yet.
 */
entries_beyond_snapshot: number,
/**
 * The payloads and commands of those.
 */
commands_beyond_snapshot: { [key in string]: number }, };

/**
 * A log entry in short.
 */
export type LogView = {
/**
 * The entry's id: `T1-N2.34`.
 */
log_id: string,
/**
 * When it was proposed, milliseconds since 1970.
 */
time_ms: Integer | null,
/**
 * The payload or command.
 */
command: string,
/**
 * What it does to which keys or nodes; the first of them.
 */
effects: Array<Effect>,
/**
 * How many effects there are.
 */
effect_count: number, };

/**
 * An entry of the log, and where it is.
 */
export type LoggedLine = {
/**
 * The line.
 */
line: number,
/**
 * The entry.
 */
log_id: LogId,
/**
 * When it was proposed, in milliseconds since 1970.
 */
time_ms: Integer | null,
/**
 * Its command, `Blank` or `Membership`.
 */
command: string,
/**
 * Whether it is known to be committed.
 */
is_committed: boolean,
/**
 * What came of its conditions.
 */
outcome: Outcome,
/**
 * What it did.
 */
effects: Array<{ verb: string, kind?: string, tenant?: string | null, id?: Integer | null, database?: string | null, name?: string | null, former_name: string | null, former_database: string | null, keys: number, key: string | null }>, };

/**
 * Who votes and who learns. One config is uniform, two are a joint change under way.
 */
export type Membership = {
/**
 * The sets of voters.
 */
configs: Array<Array<NodeId>>,
/**
 * Voters and learners.
 */
nodes: { [key in string]: EmptyNode }, };

/**
 * A stretch of the log.
 */
export type Moment = {
/**
 * The line of the first entry.
 */
line: number,
/**
 * How many entries.
 */
entries: number,
/**
 * The first time of proposal, milliseconds since 1970.
 */
time_ms: Integer | null,
/**
 * How many bytes the entries take.
 */
bytes: number, };

/**
 * What the cluster knows about one node.
 */
export type Node = {
/**
 * The id as text; empty in the oldest dumps.
 */
name: string,
/**
 * The Raft address.
 */
endpoint: Endpoint,
/**
 * The gRPC address that is announced to clients; always written, also as null.
 */
grpc_api_advertise_address: string | null,
/**
 * The Raft address behind TLS of the newest releases; omitted when there is none.
 */
raft_tls_advertise_address?: string, };

/**
 * The id of a meta service node.
 */
export type NodeId = Integer;

/**
 * An object with what belongs to it.
 */
export type ObjectDetail = {
/**
 * The object.
 */
row: ObjectRow,
/**
 * What it refers to.
 */
refers_to: Array<Related>,
/**
 * What refers to it.
 */
referred_by: Array<Related>,
/**
 * The first of its keys.
 */
keys: Array<ObjectKey>, };

/**
 * What the log did to an object.
 */
export type ObjectHistory = {
/**
 * How many entries did something to it.
 */
count: number,
/**
 * The last of them, in their order.
 */
entries: Array<LoggedLine>,
/**
 * How many entries at the beginning of the log are not kept: there are too many.
 */
forgotten: number,
/**
 * Why an entry and those behind it were not applied.
 */
broken: string | null, };

/**
 * A key of an object.
 */
export type ObjectKey = {
/**
 * The line that holds it, or that of the entry that wrote it last.
 */
line: number,
/**
 * Where it stands among what the log wrote, to ask for it.
 */
written: number | null, };

/**
 * Which objects are listed.
 */
export type ObjectQuery = {
/**
 * The tenants whose objects are; all when it is empty. None is the tenant of what belongs to
 * none.
 */
tenants: Array<string | null>,
/**
 * The name of the kind; all when there is none.
 */
kind: string | null,
/**
 * Where the object stands among all that they are in.
 */
parent: number | null,
/**
 * What their name, id, database, engine or owner has in it, in whichever case.
 */
text: string,
/**
 * The order.
 */
sort: SortBy, };

/**
 * An object in a list.
 */
export type ObjectRow = {
/**
 * Where it stands among all, to ask for it.
 */
at: number,
/**
 * The line of its first key, or of the entry that made it: its place.
 */
line: number | null,
/**
 * The name as people write it: `sales.orders` for a table. The id when nothing says the name.
 */
full_name: string,
/**
 * The object.
 */
object: StateObject, };

/**
 * Which hits are kept.
 */
export type Order = "dump" | "size" | "expiry";

/**
 * A line whose key does not ascend.
 */
export type OutOfOrder = {
/**
 * In which state.
 */
side: Side,
/**
 * The line.
 */
line: number, };

/**
 * What came of the conditions of an entry.
 */
export type Outcome = "done" | "conditions_not_met" | "in_snapshot" | "not_applied";

/**
 * So much of one kind.
 */
export type Part = {
/**
 * How many objects; none of kinds whose objects are not distinguished.
 */
objects: number,
/**
 * How many keys belong to them.
 */
keys: number, };

/**
 * What is looked for.
 */
export type Pattern = { "type": "anywhere", "text": string } | { "type": "expiring", "text": string } | { "type": "credentials", "text": string } | { "type": "prefix", "text": string } | { "type": "substring", "text": string } | { "type": "regex", "text": string } | { "type": "line", "text": string };

/**
 * A search.
 */
export type Query = {
/**
 * What is looked for.
 */
pattern: Pattern,
/**
 * Which hits are kept.
 */
order: Order,
/**
 * How many hits are kept.
 */
most: number, };

/**
 * What is replaced.
 */
export type RedactPreview = {
/**
 * How many credentials.
 */
tally: RedactTally,
/**
 * The first of them.
 */
places: Array<CredentialPlace>,
/**
 * Where one of them would be left.
 */
copies: Copies, };

/**
 * Counts of what is replaced.
 */
export type RedactTally = {
/**
 * How many lines the dump has.
 */
lines: number,
/**
 * How many of them change, for credentials or for names.
 */
changed_lines: number,
/**
 * How many lines have a credential.
 */
lines_with_credentials: number,
/**
 * How many credentials are replaced, wherever they occur.
 */
replaced: number,
/**
 * How many of them are shorter than what the proof looks for.
 */
short: number,
/**
 * By what they are.
 */
kinds: { [key in string]: number },
/**
 * By what the keys of their records start with.
 */
families: { [key in string]: number }, };

/**
 * What refers to an object.
 */
export type Related = {
/**
 * How: `database`, `table`, `owner`; `in it`, `owned by it`.
 */
how: string,
/**
 * How many objects.
 */
count: number,
/**
 * The first of them.
 */
rows: Array<ObjectRow>, };

/**
 * What was found in a dump. Its JSON form is the same in the terminal and in the browser.
 */
export type Report = {
/**
 * What the dump holds.
 */
summary: Summary, findings: Array<Finding>, counts: { [key in Code]?: number }, };

/**
 * Neighbouring lines of one kind.
 */
export type Run = {
/**
 * The kind; `broken` for lines that are no record, `mixed` when there are too many runs.
 */
kind: string,
/**
 * The first line, counted from 1.
 */
first_line: number,
/**
 * How many lines.
 */
lines: number,
/**
 * Where the first line starts.
 */
offset_bytes: number,
/**
 * How many bytes the lines take.
 */
bytes: number, };

/**
 * Every run of a dump, in order.
 */
export type Runs = Array<Run>;

/**
 * How bad a finding is.
 */
export type Severity = "error" | "warning" | "note";

/**
 * One line of the outline, and what is below it.
 */
export type Shown = {
/**
 * The name: of a field, a key of a map, a position in a list from zero on.
 */
name: string, } & ({ "type": "text", "value": string } | { "type": "parts", "value": Array<Shown> } | { "type": "table", "value": {
/**
 * The heads.
 */
columns: Array<string>,
/**
 * The rows.
 */
rows: Array<Array<string>>, } } | { "type": "more", "value": number });

/**
 * What stands under a name.
 */
export type ShownContent = { "type": "text", "value": string } | { "type": "parts", "value": Array<Shown> } | { "type": "table", "value": {
/**
 * The heads.
 */
columns: Array<string>,
/**
 * The rows.
 */
rows: Array<Array<string>>, } } | { "type": "more", "value": number };

/**
 * One of two states.
 */
export type Side = "left" | "right";

/**
 * What objects are ordered by.
 */
export type SortBy = "name" | "keys" | "bytes";

/**
 * A stretch of the dump that is replaced.
 */
export type Splice = {
/**
 * The line in front of which the text goes, or the first that is left out.
 */
line: number,
/**
 * How many lines are left out.
 */
lines_dropped: number,
/**
 * The first byte that is left out.
 */
from_bytes: number,
/**
 * The byte behind the last one that is left out; `from_bytes` when none is.
 */
to_bytes: number,
/**
 * What is written instead.
 */
text: string, };

/**
 * An object.
 */
export type StateObject = {
/**
 * The tenant; none when nothing says it.
 */
tenant: string | null,
/**
 * The kind.
 */
kind: string,
/**
 * The id, of kinds that have one.
 */
id: Integer | null,
/**
 * The name of the database, of what is in one.
 */
database: string | null,
/**
 * The id of what it is in.
 */
parent_id: Integer | null,
/**
 * The name; none when nothing says it.
 */
name: string | null,
/**
 * How many keys belong to it.
 */
keys: number,
/**
 * How many bytes their values have.
 */
bytes: number,
/**
 * When it was made.
 */
created_on: string | null,
/**
 * When it was changed.
 */
updated_on: string | null,
/**
 * When it was dropped, with its database if not before: that leaves no mark on what is in it.
 */
dropped_on: string | null,
/**
 * The engine of a database or table.
 */
engine: string | null,
/**
 * The role that owns it.
 */
owner: string | null, };

/**
 * What a state has as a whole.
 */
export type StateOverview = {
/**
 * Which moment it is of, in words.
 */
as_of: string,
/**
 * The last entry that the snapshot holds.
 */
snapshot: LogId | null,
/**
 * The index of the last entry that the state holds.
 */
index: Integer | null,
/**
 * The index of the last committed entry.
 */
end: Integer | null,
/**
 * What each tenant has, by name.
 */
tenants: Array<Tenant>,
/**
 * The keys of no known form.
 */
unknown: Sum,
/**
 * How many lines are no records: what they hold is not in it.
 */
left_out: number, };

/**
 * What one of the two states is.
 */
export type StateView = {
/**
 * Its name.
 */
name: string,
/**
 * Which moment it is of, and its log, in words.
 */
words: string, };

/**
 * Which states were compared, and what came of it as a whole.
 */
export type States = {
/**
 * The first.
 */
before: StateView,
/**
 * The second.
 */
after: StateView,
/**
 * What differs beside keys: what it is, how it was, how it is.
 */
system: Array<[string, string, string]>,
/**
 * How many keys differ.
 */
keys: Counts,
/**
 * The same in words.
 */
words: string,
/**
 * How many objects differ.
 */
objects: number,
/**
 * How many keys that differ are not listed.
 */
not_listed: number,
/**
 * Lines whose keys do not ascend: what is said of the keys around them is not reliable.
 */
unsorted: Array<OutOfOrder>, };

/**
 * A membership and the log entry that set it (openraft 0.7: *effective membership*).
 */
export type StoredMembership = {
/**
 * The entry that set the membership, none before the first one was applied.
 */
log_id: LogId | null,
/**
 * The membership itself.
 */
membership: Membership, };

/**
 * Keys and bytes that belong to no object of their own.
 */
export type Sum = {
/**
 * How many keys.
 */
keys: number,
/**
 * How many bytes their values have.
 */
bytes: number, };

/**
 * What a dump holds.
 */
export type Summary = {
/**
 * How many lines, broken ones included.
 */
lines: number,
/**
 * How many bytes.
 */
bytes: number,
/**
 * The data version; none when the header cannot be read or names one that this release does
 * not know.
 */
version: DataVersion | null,
/**
 * The node that the dump was taken from.
 */
node_id: NodeId | null,
/**
 * Its vote.
 */
vote: Vote | null,
/**
 * How far the log was committed.
 */
committed: LogId | null,
/**
 * How far the log was purged.
 */
purged: LogId | null,
/**
 * The Raft log.
 */
log: LogSummary,
/**
 * The last entry that the state machine holds.
 */
last_applied: LogId | null,
/**
 * The membership in the state machine.
 */
last_membership: StoredMembership | null,
/**
 * The nodes in the state machine.
 */
nodes: { [key in string]: Node },
/**
 * The last sequence number that was given out.
 */
sequence: Integer | null,
/**
 * The hash of the state machine's keys, if it was [asked for](super::Checker::state_hash).
 */
state_hash?: string,
/**
 * When the last write was proposed, in milliseconds since 1970: that of the newest log entry or
 * key that says it.
 */
last_write_ms: Integer | null,
/**
 * How many keys the state machine has.
 */
keys: number,
/**
 * How many of them expire.
 */
expiring_keys: number,
/**
 * Lines and bytes of each kind.
 */
kinds: { [key in Kind]?: Tally },
/**
 * Keys and bytes of each first path segment of the keys.
 */
prefixes: { [key in string]: Tally }, };

/**
 * Lines and bytes of one kind or prefix.
 */
export type Tally = {
/**
 * How many lines.
 */
lines: number,
/**
 * How many bytes they take in the dump, line ends included.
 */
bytes: number, };

/**
 * What a tenant has.
 */
export type Tenant = {
/**
 * The name; none for what belongs to no tenant, or to one that nothing names.
 */
tenant: string | null,
/**
 * Its objects by kind, and the keys of kinds whose objects are not distinguished.
 */
kinds: { [key in string]: KindSum },
/**
 * How many keys.
 */
keys: number,
/**
 * How many bytes their values have.
 */
bytes: number, };

/**
 * The log in stretches of as many entries each, and its changes of membership.
 */
export type Timeline = {
/**
 * How many entries a stretch has, a power of two.
 */
stride: number,
/**
 * The stretches.
 */
moments: Array<Moment>,
/**
 * The lines of the first changes of membership.
 */
membership_lines: Array<number>, };

/**
 * What becomes of keys that cannot be judged.
 */
export type Unknown = "refuse" | "keep" | "drop";

/**
 * A value for the eye.
 */
export type ValueView = {
/**
 * How many bytes the value has in the store.
 */
bytes: number,
/**
 * How many it has unpacked, when it is packed with zstd.
 */
unpacked_bytes: number | null,
/**
 * Why it is not what it should be by its key, or cannot be unpacked.
 */
error: string | null,
/**
 * What it is by its key: `TableMeta`, `id of a table`; none when the key is of no known form.
 */
form: string | null,
/**
 * What it is.
 */
content: Content,
/**
 * How many credentials are masked.
 */
masked: number,
/**
 * Its first bytes in hexadecimal; none when a credential is masked.
 */
hex: string, };

/**
 * The vote of a node (openraft 0.7: *hard state*).
 */
export type Vote = {
/**
 * The candidate that the node voted for.
 */
leader_id: LeaderId,
/**
 * Whether a quorum accepted that leader.
 */
committed: boolean, };

/**
 * What a record is beside its value.
 */
export type WriteView = {
/**
 * The sequence number.
 */
seq: Integer,
/**
 * When it expires, milliseconds since 1970.
 */
expire_ms: Integer | null,
/**
 * When the write was proposed, milliseconds since 1970.
 */
proposed_ms: Integer | null,
/**
 * How long the value is.
 */
bytes: number, };
