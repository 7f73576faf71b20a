//! The primitive: match, operation, meta, born expired, index, events.

use super::*;

const UPDATE: &str = r#"{"Update":[119]}"#;
const DELETE: &str = r#""Delete""#;
const AS_IS: &str = r#""AsIs""#;

fn pair(prev: &str, result: &str) -> (String, String) {
    (prev.to_owned(), result.to_owned())
}

#[test]
fn a_match_is_on_the_present_sequence_number_and_0_is_absent() {
    // For each condition: whether it holds on no record, and on one with number 5.
    for (condition, absent, present) in [
        (r#""Any""#, true, true),
        (r#"{"Exact":0}"#, true, false),
        (r#"{"Exact":4}"#, false, false),
        (r#"{"Exact":5}"#, false, true),
        (r#"{"Exact":6}"#, false, false),
        (r#"{"GE":0}"#, true, true),
        (r#"{"GE":1}"#, false, true),
        (r#"{"GE":5}"#, false, true),
        (r#"{"GE":6}"#, false, false),
    ] {
        let mut empty = Server::new(ApplyRules::CURRENT);
        let expected = if absent { pair("-", "1 {p:7} w") } else { pair("-", "-") };
        assert_eq!(empty.upsert(7, "k", condition, UPDATE, "null"), expected, "{condition}");
        assert_eq!(empty.sequence(), u64::from(absent));

        let mut filled = Server::loaded(
            ApplyRules::CURRENT,
            r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":9}}]
               ["state_machine/0",{"GenericKV":{"key":"k","value":{"seq":5,"meta":{},"data":[118]}}}]"#,
        );
        let (expected, sequence) = if present {
            (pair("5 {} v", "10 {p:7} w"), 10)
        } else {
            (pair("5 {} v", "5 {} v"), 9)
        };
        assert_eq!(filled.upsert(7, "k", condition, UPDATE, "null"), expected, "{condition}");
        assert_eq!(filled.sequence(), sequence);
    }
}

#[test]
fn each_stored_value_takes_one_number_and_nothing_else_does() {
    let mut server = Server::new(ApplyRules::CURRENT);
    let mut numbers = Vec::new();
    for (value, seq) in [
        (AS_IS, r#""Any""#),        // on no record
        (DELETE, r#""Any""#),       // of no record
        (UPDATE, r#""Any""#),       // 1
        (UPDATE, r#""Any""#),       // 2: the same value again
        (AS_IS, r#""Any""#),        // 3
        (UPDATE, r#"{"Exact":1}"#), // no match
        (DELETE, r#""Any""#),
        (UPDATE, r#""Any""#), // 4
    ] {
        server.upsert(1000, "k", seq, value, "null");
        numbers.push(server.sequence());
    }
    assert_eq!(numbers, [0, 0, 1, 2, 3, 3, 3, 4]);
}

#[test]
fn meta_is_replaced_and_never_merged() {
    let mut server = Server::new(ApplyRules::CURRENT);
    let any = r#""Any""#;
    let expires = r#"{"expire_at":200}"#;
    assert_eq!(server.upsert(10, "k", any, UPDATE, expires), pair("-", "1 {e:200,p:10} w"));
    assert_eq!(server.upsert(20, "k", any, UPDATE, "null"), pair("1 {e:200,p:10} w", "2 {p:20} w"));
    assert_eq!(server.upsert(30, "k", any, AS_IS, expires), pair("2 {p:20} w", "3 {e:200,p:30} w"));
    assert_eq!(server.upsert(40, "k", any, AS_IS, "null"), pair("3 {e:200,p:30} w", "4 {p:40} w"));
    assert_eq!(server.expiries(), Vec::<String>::new());
    assert_eq!(server.upsert(50, "k", any, DELETE, "null"), pair("4 {p:40} w", "-"));
    // An entry without a clock is stamped with 0.
    assert_eq!(server.upsert(0, "k", any, UPDATE, "null"), pair("-", "5 {p:0} w"));
}

#[test]
fn above_ten_to_the_eleventh_is_milliseconds_and_the_number_is_kept() {
    let mut server = Server::new(ApplyRules::CURRENT);
    server.set(1, "s", r#"{"expire_at":100000000000}"#);
    server.set(1, "ms", r#"{"expire_at":100000000001}"#);
    server.set(1, "max", r#"{"expire_at":18446744073709551615}"#);
    assert_eq!(
        server.records(),
        [
            "max: 3 {e:18446744073709551615,p:1} v",
            "ms: 2 {e:100000000001,p:1} v",
            "s: 1 {e:100000000000,p:1} v"
        ]
    );
    assert_eq!(
        server.expiries(),
        ["100000000001 2: 2 ms", "100000000000000 1: 1 s", "18446744073709551615 3: 3 max"]
    );
}

#[test]
fn a_time_to_live_goes_before_a_time() {
    let mut server = Server::new(ApplyRules::CURRENT);
    let now = 1_700_000_000_123;
    let both = r#"{"expire_at":1,"ttl":{"millis":1500}}"#;
    assert_eq!(server.set(now, "k", both).1, "1 {e:1700000001623,p:1700000000123} v");
    let endless = r#"{"expire_at":null,"ttl":{"millis":18446744073709551615}}"#;
    assert_eq!(server.set(now, "k", endless).1, "2 {e:18446744073709551615,p:1700000000123} v");
    // Without a clock the sum is small enough to be read as seconds.
    assert_eq!(server.set(0, "t", r#"{"ttl":{"millis":5000}}"#).1, "3 {e:5000,p:0} v");
    assert_eq!(server.expiries(), ["5000000 3: 3 t", "18446744073709551615 2: 2 k"]);
}

#[test]
fn what_is_born_expired_is_deleted_at_once_and_takes_a_number() {
    let mut server = Server::new(ApplyRules::CURRENT);
    let (expired, equal) = (r#"{"expire_at":9}"#, r#"{"expire_at":10}"#);
    assert_eq!(server.set(10_000, "absent", expired), pair("-", "-"));
    assert_eq!(server.sequence(), 1);
    // Equal to the clock is not expired.
    assert_eq!(server.set(10_000, "k", equal), pair("-", "2 {e:10,p:10000} v"));

    let any = r#""Any""#;
    let update = format!(
        r#"{{"UpsertKV":{{"key":"k","seq":"Any","value":{UPDATE},"value_meta":{expired}}}}}"#
    );
    let applied = server.apply(10_000, &update);
    assert_eq!(events(&applied), ["k: 2 {e:10,p:10000} v -> -"]);
    assert_eq!(server.sequence(), 3);
    assert_eq!(server.expiries(), Vec::<String>::new());

    server.set(10_000, "k", "null");
    assert_eq!(
        server.upsert(10_000, "k", any, AS_IS, expired),
        pair("4 {p:10000} v", "-"),
        "as is"
    );
    assert_eq!(server.sequence(), 5);
    assert_eq!(server.upsert(10_000, "k", any, AS_IS, expired), pair("-", "-"));
    assert_eq!(server.upsert(10_000, "k", any, DELETE, expired), pair("-", "-"));
    assert_eq!(server.sequence(), 5);
    assert_eq!(server.records(), Vec::<String>::new());
    // Without a clock nothing is expired.
    assert_eq!(server.set(0, "k", expired), pair("-", "6 {e:9,p:0} v"));
    // A life of nothing lasts until the next entry with a later clock.
    assert_eq!(
        server.set(1_700_000_000_000, "l", r#"{"ttl":{"millis":0}}"#).1,
        "7 {e:1700000000000,p:1700000000000} v"
    );
    server.apply(1_700_000_000_000, GET);
    assert_eq!(server.machine.store().len(), 2);
    server.apply(1_700_000_000_001, GET);
    assert_eq!(server.records(), ["k: 6 {e:9,p:0} v"]);
}

#[test]
fn the_index_follows_the_record() {
    let mut server = Server::new(ApplyRules::CURRENT);
    server.set(1, "other", "null");
    server.set(1, "k", r#"{"expire_at":100}"#);
    assert_eq!(server.expiries(), ["100000 2: 2 k"]);
    server.set(1, "k", r#"{"expire_at":50}"#);
    assert_eq!(server.expiries(), ["50000 3: 3 k"]);
    server.upsert(1, "k", r#"{"Exact":99}"#, UPDATE, "null");
    assert_eq!(server.expiries(), ["50000 3: 3 k"]);
    server.upsert(1, "k", r#""Any""#, DELETE, "null");
    assert_eq!(server.expiries(), Vec::<String>::new());
    assert_eq!(server.sequence(), 3);
}

#[test]
fn events_compare_whole_records() {
    let mut server = Server::new(ApplyRules::CURRENT);
    let set = r#"{"UpsertKV":{"key":"k","seq":"Any","value":{"Update":[118]},"value_meta":null}}"#;
    let applied = server.apply(5, set);
    assert_eq!(events(&applied), ["k: - -> 1 {p:5} v"]);
    // The same value is another record.
    let applied = server.apply(5, set);
    assert_eq!(events(&applied), ["k: 1 {p:5} v -> 2 {p:5} v"]);
    let unmet = r#"{"UpsertKV":{"key":"k","seq":{"Exact":0},"value":"Delete","value_meta":null}}"#;
    assert_eq!(events(&server.apply(5, unmet)), Vec::<String>::new());
    let absent = r#"{"UpsertKV":{"key":"a","seq":"Any","value":"Delete","value_meta":null}}"#;
    assert_eq!(events(&server.apply(5, absent)), Vec::<String>::new());
}

#[test]
fn the_reply_is_the_json_that_clients_read() {
    let mut server = Server::new(ApplyRules::CURRENT);
    let set = r#"{"UpsertKV":{"key":"k","seq":"Any","value":{"Update":[118]},"value_meta":null}}"#;
    let Reply::KV(change) = server.apply(5, set).reply else { panic!() };
    assert_eq!(
        serde_json::to_string(&change).unwrap(),
        r#"{"ident":null,"prev":null,"result":{"seq":1,"meta":{"proposed_at_ms":5},"data":[118]}}"#
    );
}
