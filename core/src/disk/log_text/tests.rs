//! Entries as text, held to what the official tool prints of them.

use super::As;
use crate::dump::record::{Cmd, KvTransaction, LogEntry, Membership, Record, TxnRequest};
use crate::dump::scan::scan_line;
use crate::value::Secrets;

/// The text of a command that is written as in a dump.
fn command(json: &str) -> String {
    let cmd: Cmd<'_> = serde_json::from_str(json).unwrap();
    As(&cmd, Secrets::Masked).to_string()
}

fn transaction(json: &str) -> String {
    let transaction: TxnRequest<'_> = serde_json::from_str(json).unwrap();
    As(&transaction, Secrets::Masked).to_string()
}

fn kv_transaction(json: &str) -> String {
    let transaction: KvTransaction<'_> = serde_json::from_str(json).unwrap();
    As(&transaction, Secrets::Masked).to_string()
}

#[test]
fn commands() {
    let node = r#""node":{"name":"1","endpoint":{"addr":"localhost","port":28103},"grpc_api_advertise_address":"a:1"}"#;
    let add = format!(r#"{{"AddNode":{{"node_id":1,{node},"overriding":true}}}}"#);
    assert_eq!(command(&add), "add_node(override):1=id=1 raft=localhost:28103 grpc=a:1");
    let upsert = |rest: &str| command(&format!(r#"{{"UpsertKV":{{"key":"k",{rest}}}}}"#));
    assert_eq!(
        upsert(r#""seq":{"GE":0},"value":{"Update":[1]},"value_meta":null"#),
        r#"upsert_kv:k(GE(0)) = Update("[binary]") (None)"#
    );
    assert_eq!(
        upsert(r#""seq":{"Exact":3},"value":"Delete","value_meta":{"expire_at":1751431243640}"#),
        "upsert_kv:k(Exact(3)) = Delete (MetaSpec(expire_at: 2025-07-02T04:40:43.640 ))"
    );
    assert_eq!(
        upsert(
            r#""seq":"Any","value":"AsIs","value_meta":{"expire_at":null,"ttl":{"millis":1500}}"#
        ),
        "upsert_kv:k(Any) = AsIs (MetaSpec(ttl: 1.5s ))"
    );
    assert_eq!(command(r#"{"RemoveNode":{"node_id":3}}"#), "remove_node:3");
    let feature = r#"{"SetFeature":{"feature":"f","enable":false}}"#;
    assert_eq!(command(feature), "set_feature:f to false");
    assert_eq!(command(r#"{"CreateTable":{"x":[1]}}"#), "CreateTable(..)");
}

#[test]
fn a_time_beyond_the_calendar_is_a_number() {
    let time = |ms| super::Time(ms).to_string();
    assert_eq!(time(0), "1970-01-01T00:00:00.000");
    assert_eq!(time(u64::MAX), "18446744073709551615 ms after 1970");
}

#[test]
fn memberships() {
    let membership: Membership =
        serde_json::from_str(r#"{"configs":[[1,2],[2,4]],"nodes":{"1":{},"2":{},"3":{}}}"#)
            .unwrap();
    assert_eq!(
        As(&membership, Secrets::Masked).to_string(),
        "{voters:[{1:EmptyNode,2:EmptyNode},{2:EmptyNode,4:None}], learners:[3:EmptyNode]}"
    );
}

#[test]
fn transactions() {
    assert_eq!(
        transaction(r#"{"condition":[],"if_then":[],"else_then":[]}"#),
        "TxnRequest{if:[] then:[] else:[]}"
    );
    let condition = |key: &str| format!(r#"{{"key":"{key}","expected":0,"target":{{"Seq":1}}}}"#);
    let put =
        r#"{"request":{"Put":{"key":"k1","value":[1],"ttl_ms":60000,"expire_at":1723102819}}}"#;
    let branch = format!(
        r#"{{"predicate":{{"operator":1,"sub_expressions":[{{"operator":0,"sub_expressions":[],"conditions":[{},{}]}}],"conditions":[{}]}},"operations":[{put}]}}"#,
        condition("a"),
        condition("b"),
        condition("c"),
    );
    assert_eq!(
        transaction(&format!(
            r#"{{"operations":[{branch}],"condition":[{{"key":"v","expected":5,"target":{{"Value":[1]}}}},{{"key":"p/","expected":9,"target":{{"KeysWithPrefix":2}}}}],"if_then":[{{"request":null}}],"else_then":[{{"request":{{"DeleteByPrefix":{{"prefix":"p/"}}}}}},{{"request":{{"FetchIncreaseU64":{{"key":"n","match_seq":7,"delta":-1,"max_value":3}}}}}},{{"request":{{"PutSequential":{{"prefix":"q/","sequence_key":"n","value":[],"expires_at_ms":1751431243640,"ttl_ms":1000}}}}}}]}}"#
        )),
        "TxnRequest{{ if:((a == seq(1) AND b == seq(1)) OR c == seq(1)) then:[Put(Put key=k1 \
         expire_at: 2024-08-08T07:40:19.000000Z+0000  ttl: 60s)] }, if:[v != value(...),p/ \
         unknown(9) keys_with_prefix(2)] then:[None] else:[DeleteByPrefix(\
         TxnDeleteByPrefixRequest prefix=p/),FetchIncreaseU64(FetchIncreaseU64 key=n max_value=3 \
         delta=-1 match_seq: 7),PutSequential(PutSequential{ key=q/{next_seq(n)}, expires_at_ms: \
         2025-07-02T04:40:43.640, ttl: 1s })]}"
    );
}

#[test]
fn the_middle_of_a_long_list_is_left_out() {
    let gets = |count: usize| {
        let get = |key| format!(r#"{{"request":{{"Get":{{"key":"{key}"}}}}}}"#);
        let gets: Vec<String> = (1..=count).map(get).collect();
        let gets = gets.join(",");
        transaction(&format!(r#"{{"condition":[],"if_then":[{gets}],"else_then":[]}}"#))
    };
    assert!(gets(10).contains("Get(Get key=9),Get(Get key=10)]"));
    assert!(gets(12).contains("Get(Get key=9),..,Get(Get key=12)]"));
}

#[test]
fn transactions_of_the_storage() {
    let json = r#"{"branches":[
        {"predicate":{"And":[{"Or":[{"Leaf":{"key":"x","target":{"Seq":0},"op":"Eq"}},{"Leaf":{"key":"y","target":{"Value":[1,2]},"op":"Ne"}}]},{"Leaf":{"key":"z","target":{"KeysWithPrefix":5},"op":"Lt"}}]},
         "operations":[{"Put":{"target":{"key":"x","match_seq":null},"payload":{"value":[1,2,3],"expire_at_ms":1751431243640,"ttl_ms":null}}},{"Delete":{"target":{"key":"y","match_seq":3}}}]},
        {"predicate":null,"operations":[{"Get":{"key":"a"}},{"FetchIncreaseU64":{"target":{"key":"c","match_seq":null},"delta":1,"floor":0}},{"PutSequential":{"prefix":"l/","sequence_key":"s","payload":{"value":[],"expire_at_ms":null,"ttl_ms":60000}}}]}]}"#;
    assert_eq!(
        kv_transaction(json),
        "Transaction[if(((x==seq(0) OR y!=value(2B)) AND z<keys_with_prefix(5))) Put(x, \
         match_seq=None, 3B, expire_at=2025-07-02T04:40:43.640, ttl=None), Delete(y, match_seq=3), \
         else Get(a), FetchIncreaseU64(c, match_seq=None, delta=1, floor=0), PutSequential(l/, \
         seq_key=s, 0B, expire_at=None, ttl=Some(60s))]"
    );
}

#[test]
fn credentials_in_keys_are_masked() {
    let json = r#"{"request":{"Get":{"key":"__fd_token/t/abc"}}}"#;
    let json = format!(r#"{{"condition":[],"if_then":[{json}],"else_then":[]}}"#);
    assert!(transaction(&json).contains("Get(Get key=__fd_token/t/***)"));
    let shown: TxnRequest<'_> = serde_json::from_str(&json).unwrap();
    assert!(As(&shown, Secrets::Shown).to_string().contains("Get(Get key=__fd_token/t/abc)"));
}

#[test]
fn every_entry_of_every_release_becomes_text() {
    let lines = include_str!("../../../../tests/fixtures/lines.ndjson").lines();
    let mut entries = 0;
    for line in lines {
        let Ok(scanned) = scan_line(line.as_bytes()) else { continue };
        let entry: &LogEntry<'_> = match &scanned.record {
            Record::LogEntry(entry) => entry,
            Record::Logs(log) => &log.value,
            _ => continue,
        };
        let text = As(&entry.payload, Secrets::Masked).to_string();
        assert!(
            ["blank", "normal:", "membership:{"].iter().any(|is| text.starts_with(is)),
            "{text}"
        );
        entries += 1;
    }
    assert!(entries >= 10, "{entries}");
}
