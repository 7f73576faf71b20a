//! The wire format, as the descriptors tell it: numbers and types may never change.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used)]

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// Every message as `name: number name type; …`.
const MESSAGES: &str = "\
BasicAuth: 2 username string; 3 password string
BooleanExpression: 1 operator CombiningOperator; 2 sub_expressions BooleanExpression*; 3 conditions TxnCondition*
ClientInfo: 10 client_addr string; 20 server_time uint64?
ClusterStatus: 1 id uint64; 2 binary_version string; 3 data_version string; 4 endpoint string; 5 raft_log_size uint64; 6 state string; 7 is_leader bool; 8 current_term uint64; 9 last_log_index uint64; 10 last_applied string; 11 snapshot_last_log_id string?; 12 purged string?; 13 leader string?; 14 replication ReplicationEntry*; 15 voters string*; 16 non_voters string*; 17 last_seq uint64; 18 snapshot_key_count uint64; 19 raft_log_status RaftLogStatus
ConditionalOperation: 1 predicate BooleanExpression; 2 operations TxnOp*
Empty:
Event: 1 key string; 2 current SeqV?; 3 prev SeqV?
ExportRequest: 10 chunk_size uint64?
ExportedChunk: 10 data string*
FetchIncreaseU64: 1 key string; 2 delta int64; 3 match_seq uint64?; 4 max_value uint64
FetchIncreaseU64Response: 1 key string; 2 before_seq uint64; 3 before uint64; 4 after_seq uint64; 5 after uint64
HandshakeRequest: 1 protocol_version uint64; 2 payload bytes
HandshakeResponse: 1 protocol_version uint64; 2 payload bytes
KVMeta: 1 expire_at uint64?; 2 proposed_at_ms uint64?
KeysCount: 1 prefix string; 2 count uint64
KeysLayoutRequest: 1 depth uint32?
KvGetManyRequest: 1 key string
KvListRequest: 1 prefix string; 2 limit uint64?
KvTransactionReply: 1 executed_branch uint32?; 2 responses TxnOpResponse*
KvTransactionRequest: 1 branches ConditionalOperation*
MemberListReply: 1 data string*
MemberListRequest: 1 data string
PutSequential: 1 prefix string; 2 sequence_key string; 3 value bytes; 4 expires_at_ms uint64?; 5 ttl_ms uint64?
RaftLogStatus: 1 cache_items uint64; 2 cache_used_size uint64; 3 wal_total_size uint64; 4 wal_open_chunk_size uint64; 5 wal_offset uint64; 6 wal_closed_chunk_count uint64; 7 wal_closed_chunk_total_size uint64; 8 wal_closed_chunk_sizes WalClosedChunkSizesEntry*
RaftReply: 1 data string; 2 error string
RaftRequest: 1 data string
SeqV: 1 seq uint64; 2 data bytes; 3 meta KVMeta?
StreamItem: 1 key string; 2 value SeqV?
TxnCondition: 1 key string; 2 value bytes|; 3 seq uint64|; 5 keys_with_prefix uint64|; 4 expected ConditionResult
TxnDeleteByPrefixRequest: 1 prefix string
TxnDeleteByPrefixResponse: 1 prefix string; 2 count uint32
TxnDeleteRequest: 1 key string; 2 prev_value bool; 3 match_seq uint64?
TxnDeleteResponse: 1 key string; 2 success bool; 3 prev_value SeqV?
TxnGetRequest: 1 key string
TxnGetResponse: 1 key string; 2 value SeqV?
TxnOp: 1 get TxnGetRequest|; 2 put TxnPutRequest|; 3 delete TxnDeleteRequest|; 4 delete_by_prefix TxnDeleteByPrefixRequest|; 5 fetch_increase_u64 FetchIncreaseU64|; 6 put_sequential PutSequential|
TxnOpResponse: 1 get TxnGetResponse|; 2 put TxnPutResponse|; 3 delete TxnDeleteResponse|; 4 delete_by_prefix TxnDeleteByPrefixResponse|; 5 fetch_increase_u64 FetchIncreaseU64Response|
TxnPutRequest: 1 key string; 2 value bytes; 3 prev_value bool; 4 expire_at uint64?; 5 ttl_ms uint64?; 6 match_seq uint64?
TxnPutResponse: 1 key string; 2 prev_value SeqV?; 3 current SeqV?
TxnReply: 1 success bool; 2 responses TxnOpResponse*; 4 execution_path string
TxnRequest: 1 condition TxnCondition*; 2 if_then TxnOp*; 3 else_then TxnOp*; 4 operations ConditionalOperation*
WatchRequest: 1 key string; 2 key_end string?; 3 filter_type FilterType; 4 initial_flush bool
WatchResponse: 1 event Event; 2 is_initialization bool
";

/// Every method with its request and response; `*` is a stream.
const METHODS: &str = "\
/meta.MetaService/Handshake HandshakeRequest* -> HandshakeResponse*
/meta.MetaService/KvApi RaftRequest -> RaftReply
/meta.MetaService/KvReadV1 RaftRequest -> StreamItem*
/meta.MetaService/KvList KvListRequest -> StreamItem*
/meta.MetaService/KvGetMany KvGetManyRequest* -> StreamItem*
/meta.MetaService/Export Empty -> ExportedChunk*
/meta.MetaService/ExportV1 ExportRequest -> ExportedChunk*
/meta.MetaService/SnapshotKeysLayout KeysLayoutRequest -> KeysCount*
/meta.MetaService/Watch WatchRequest -> WatchResponse*
/meta.MetaService/Transaction TxnRequest -> TxnReply
/meta.MetaService/KvTransaction KvTransactionRequest -> KvTransactionReply
/meta.MetaService/MemberList MemberListRequest -> MemberListReply
/meta.MetaService/GetClusterStatus Empty -> ClusterStatus
/meta.MetaService/GetClientInfo Empty -> ClientInfo
";

/// Every enumeration as `name: number value; …`.
const ENUMERATIONS: &str = "\
CombiningOperator: 0 AND; 1 OR
ConditionResult: 0 EQ; 1 GT; 2 GE; 3 LT; 4 LE; 5 NE
FilterType: 0 ALL; 1 UPDATE; 2 DELETE
";

fn descriptors() -> FileDescriptorSet {
    FileDescriptorSet::decode(metadump_proto::FILE_DESCRIPTOR_SET).unwrap()
}

fn last_segment(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn field_text(field: &FieldDescriptorProto) -> String {
    let kind = match field.r#type() {
        Type::Message | Type::Enum => last_segment(field.type_name()).to_owned(),
        scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
    };
    let mark = match () {
        () if field.label() == Label::Repeated => "*",
        () if field.proto3_optional() => "?",
        () if field.oneof_index.is_some() => "|",
        () => "",
    };
    format!("{} {} {kind}{mark}", field.number(), field.name())
}

fn message_text(message: &DescriptorProto) -> String {
    let fields: Vec<String> = message.field.iter().map(field_text).collect();
    format!("{}: {}", message.name(), fields.join("; ")).trim_end().to_owned()
}

fn sorted(mut lines: Vec<String>) -> String {
    lines.sort();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn messages() {
    let files = descriptors().file;
    let all = files.iter().flat_map(|file| &file.message_type).map(message_text);
    assert_eq!(sorted(all.collect()), MESSAGES);
}

#[test]
fn enumerations() {
    let files = descriptors().file;
    let messages = files.iter().flat_map(|file| &file.message_type);
    let all = messages.flat_map(|message| &message.enum_type).map(|enumeration| {
        let values = enumeration.value.iter();
        let values: Vec<_> = values.map(|v| format!("{} {}", v.number(), v.name())).collect();
        format!("{}: {}", enumeration.name(), values.join("; "))
    });
    assert_eq!(sorted(all.collect()), ENUMERATIONS);
}

#[test]
fn methods() {
    let star = |streams: bool| if streams { "*" } else { "" };
    let mut text = String::new();
    for file in descriptors().file {
        for service in &file.service {
            for method in &service.method {
                text += &format!(
                    "/{}.{}/{} {}{} -> {}{}\n",
                    file.package(),
                    service.name(),
                    method.name(),
                    last_segment(method.input_type()),
                    star(method.client_streaming()),
                    last_segment(method.output_type()),
                    star(method.server_streaming()),
                );
            }
        }
    }
    assert_eq!(text, METHODS);
}

#[test]
fn basic_auth_is_of_arrow_flight() {
    let packages: Vec<String> =
        descriptors().file.iter().map(|file| file.package().to_owned()).collect();
    assert!(packages.contains(&"arrow.flight.protocol".to_owned()), "{packages:?}");
    let root = metadump_proto::flight::BasicAuth {
        username: "root".to_owned(),
        password: "xxx".to_owned(),
    };
    assert_eq!(root.encode_to_vec(), b"\x12\x04root\x1a\x03xxx");
}
