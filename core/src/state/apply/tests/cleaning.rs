//! Removing what has expired, at the start of an entry with a clock.

use super::*;

fn expiring(expire_at: u64) -> String {
    format!(r#"{{"expire_at":{expire_at}}}"#)
}

#[test]
fn a_record_lives_to_the_end_of_its_last_millisecond() {
    let mut server = Server::new(ApplyRules::CURRENT);
    server.set(1, "k", &expiring(10));
    assert_eq!(events(&server.apply(10_000, GET)), Vec::<String>::new());
    let applied = server.apply(10_001, GET);
    assert_eq!(events(&applied), ["k: 1 {e:10,p:1} v -> -"]);
    assert_eq!(server.expiries(), Vec::<String>::new());
    assert_eq!(server.sequence(), 1);
}

#[test]
fn expired_records_go_in_order_before_the_command_and_without_limit() {
    let mut server = Server::new(ApplyRules::CURRENT);
    for number in 0..70 {
        // Two at each time, so that the sequence number decides between them.
        server.set(1, &format!("k{:02}", 69 - number), &expiring(10 + number / 2));
    }
    let set = r#"{"UpsertKV":{"key":"k00","seq":{"Exact":0},"value":{"Update":[119]},"value_meta":null}}"#;
    let applied = server.apply(1_000_000, set);
    let reported = events(&applied);
    assert_eq!(reported.len(), 71);
    assert_eq!(reported[0], "k69: 1 {e:10,p:1} v -> -");
    assert_eq!(reported[1], "k68: 2 {e:10,p:1} v -> -");
    assert_eq!(reported[69], "k00: 70 {e:44,p:1} v -> -");
    assert_eq!(reported[70], "k00: - -> 71 {p:1000000} w");
    assert_eq!(server.records(), ["k00: 71 {p:1000000} w"]);
}

#[test]
fn entries_without_a_clock_clean_nothing_and_leave_the_window() {
    let mut server = Server::new(ApplyRules::CURRENT);
    server.set(1, "k", &expiring(10));
    assert_eq!(events(&server.apply(0, GET)), Vec::<String>::new());
    assert_eq!(events(&server.payload(Payload::Blank)), Vec::<String>::new());
    let membership = Membership::uniform([NodeId(1)]);
    assert_eq!(events(&server.payload(Payload::Membership(membership))), Vec::<String>::new());
    assert_eq!(server.records(), ["k: 1 {e:10,p:1} v"]);
    assert_eq!(events(&server.apply(20_000, GET)), ["k: 1 {e:10,p:1} v -> -"]);
}

#[test]
fn what_expired_before_the_window_stays_until_a_restart() {
    let mut server = Server::new(ApplyRules::CURRENT);
    server.apply(20_000, GET);
    // Without a clock the record is not born expired; its expiry is before the window.
    server.set(0, "k", &expiring(10));
    server.apply(30_000, GET);
    assert_eq!(server.records(), ["k: 1 {e:10,p:0} v"]);
    let mut restarted = server.restarted();
    assert_eq!(events(&restarted.apply(30_000, GET)), ["k: 1 {e:10,p:0} v -> -"]);
}

#[test]
fn the_window_goes_back_with_the_clock() {
    let mut server = Server::new(ApplyRules::CURRENT);
    server.apply(20_000, GET);
    server.set(0, "k", &expiring(10));
    // From 20 s back to 5 s: nothing is due, but the next window starts there.
    assert_eq!(events(&server.apply(5_000, GET)), Vec::<String>::new());
    assert_eq!(events(&server.apply(20_000, GET)), ["k: 1 {e:10,p:0} v -> -"]);
}

const STALE: &str = r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":9}}]
    ["state_machine/0",{"Expire":{"key":{"time_ms":10000,"seq":3},"value":{"seq":3,"key":"live"}}}]
    ["state_machine/0",{"Expire":{"key":{"time_ms":10000,"seq":4},"value":{"seq":4,"key":"gone"}}}]
    ["state_machine/0",{"Expire":{"key":{"time_ms":90000,"seq":5},"value":{"seq":5,"key":"live"}}}]
    ["state_machine/0",{"GenericKV":{"key":"live","value":{"seq":5,"meta":{"expire_at":90},"data":[118]}}}]
    ["state_machine/0",{"GenericKV":{"key":"noindex","value":{"seq":6,"meta":{"expire_at":11},"data":[118]}}}]"#;

#[test]
fn a_stale_index_entry_removes_what_its_key_holds_and_stays() {
    let mut server = Server::loaded(ApplyRules::CURRENT, STALE);
    let applied = server.apply(20_000, GET);
    assert_eq!(events(&applied), ["live: 5 {e:90} v -> -"]);
    assert_eq!(server.expiries(), ["10000 3: 3 live", "10000 4: 4 gone"]);
    // What no entry of the index mentions is never removed.
    assert_eq!(server.records(), ["noindex: 6 {e:11} v"]);

    server.set(20_000, "live", "null");
    server.apply(30_000, GET);
    assert_eq!(server.records(), ["live: 10 {p:20000} v", "noindex: 6 {e:11} v"]);
    let mut restarted = server.restarted();
    assert_eq!(events(&restarted.apply(30_000, GET)), ["live: 10 {p:20000} v -> -"]);
    assert_eq!(restarted.sequence(), 10);
}

#[test]
fn servers_up_to_1_2_783_stop_at_a_stale_index_entry() {
    for rules in
        [ApplyRules::V0_8_97, ApplyRules::V1_2_53, ApplyRules::V1_2_770, ApplyRules::V1_2_777]
    {
        let mut server = Server::loaded(rules, STALE);
        let error = server.try_apply(20_000, GET).unwrap_err();
        assert_eq!(
            error,
            ApplyError::StaleExpiry {
                log_id: LogId::new(1, 1, 0),
                at: ExpireKey { time_ms: 10_000, seq: 3 },
                key: "live".to_owned(),
                held: Some(5),
            }
        );
        assert_eq!(
            error.to_string(),
            "entry T1-N1.0: the expiry of record 3 of key \"live\" at 10000 ms is due, \
             but the key holds record 5"
        );
    }
}

#[test]
fn from_1_2_53_to_1_2_770_the_latest_clock_counts() {
    let rules = ApplyRules::V1_2_53;
    let mut server = Server::new(rules);
    server.apply(20_000, GET);
    // Born expired by the latest clock, though this entry's is earlier, or is none.
    assert_eq!(server.set(5_000, "k", &expiring(10)), ("-".to_owned(), "-".to_owned()));
    assert_eq!(server.set(0, "k", &expiring(10)), ("-".to_owned(), "-".to_owned()));
    assert_eq!(server.sequence(), 2);
    let mut restarted = server.restarted();
    assert_eq!(restarted.set(0, "k", &expiring(10)).1, "3 {e:10} v");
    assert_eq!(events(&restarted.apply(20_000, GET)), ["k: 3 {e:10} v -> -"]);
    // The window never goes back.
    restarted.set(5_000, "l", &expiring(30));
    assert_eq!(events(&restarted.apply(40_000, GET)), ["l: 4 {e:30} v -> -"]);
}

#[test]
fn from_1_2_771_to_1_2_783_all_of_the_past_is_due() {
    let mut server = Server::new(ApplyRules::V1_2_777);
    server.apply(20_000, GET);
    server.set(0, "k", &expiring(10));
    assert_eq!(events(&server.apply(20_000, GET)), ["k: 1 {e:10} v -> -"]);
    // This entry's clock decides what is born expired.
    assert_eq!(server.set(5_000, "k", &expiring(10)).1, "2 {e:10} v");
}

#[test]
fn before_0_8_97_nothing_is_indexed_or_removed() {
    let mut server = Server::new(ApplyRules::OLDEST);
    server.set(1, "k", &expiring(10));
    assert_eq!(server.expiries(), Vec::<String>::new());
    assert_eq!(events(&server.apply(20_000, GET)), Vec::<String>::new());
    assert_eq!(server.records(), ["k: 1 {e:10} v"]);
}

#[test]
fn up_to_1_2_52_the_first_32_of_the_index_are_cleaned() {
    let mut server = Server::new(ApplyRules::V0_8_97);
    for number in 0..40 {
        server.set(1, &format!("k{number:02}"), &expiring(10));
    }
    assert_eq!(server.expiries()[0], "10000 1: 0 k00");
    let applied = server.apply(20_000, GET);
    assert_eq!(events(&applied).len(), 32);
    assert_eq!(events(&applied)[31], "k31: 32 {e:10} v -> -");
    assert_eq!(server.records().len(), 8);
    assert_eq!(events(&server.apply(20_000, GET)).len(), 8);
    assert_eq!(server.expiries(), Vec::<String>::new());
    // Nothing is born expired: it is stored, and cleaned by the next entry.
    assert_eq!(server.set(20_000, "k", &expiring(10)).1, "41 {e:10} v");
    assert_eq!(events(&server.apply(20_000, GET)), ["k: 41 {e:10} v -> -"]);
}

/// A server of before 1.2.53 with 32 records to clean before `k`, which has expired too.
fn with_pending() -> Server {
    let mut server = Server::new(ApplyRules::V0_8_97);
    for number in 0..32 {
        server.set(1, &format!("a{number:02}"), &expiring(10));
    }
    server.set(1, "k", &expiring(11));
    server
}

#[test]
fn up_to_1_2_52_an_upsert_takes_an_expired_record_for_absent() {
    let upsert = |seq: &str, value: &str| {
        format!(r#"{{"UpsertKV":{{"key":"k","seq":{seq},"value":{value},"value_meta":null}}}}"#)
    };
    let gone = "k: 33 {e:11} v -> -";
    for (seq, value, reported, kept) in [
        (r#"{"Exact":0}"#, r#"{"Update":[119]}"#, vec![gone, "k: - -> 34 null w"], "34 null w"),
        // The match fails, so the record stays; no entry of the index mentions it any more.
        (r#"{"Exact":33}"#, r#"{"Update":[119]}"#, vec![gone], "33 {e:11} v"),
        (r#"{"GE":1}"#, r#""Delete""#, vec![gone], "33 {e:11} v"),
        (r#""Any""#, r#""AsIs""#, vec![gone], "33 {e:11} v"),
        (r#""Any""#, r#""Delete""#, vec![gone], "-"),
    ] {
        let mut server = with_pending();
        let applied = server.apply(20_000, &upsert(seq, value));
        assert_eq!(events(&applied)[32..], reported, "{seq} {value}");
        let record = server.machine.store().record("k").unwrap();
        assert_eq!(shown(record.as_ref()), kept, "{seq} {value}");
        assert_eq!(server.expiries(), Vec::<String>::new());
    }
    // A transaction sees it.
    let mut server = with_pending();
    assert_eq!(server.txn(20_000, &[r#"{"Get":{"key":"k"}}"#]), ["get k: 33 {e:11} v"]);
}

#[test]
fn up_to_1_2_52_prefixes_are_listed_before_the_entry() {
    let mut server = Server::new(ApplyRules::V0_8_97);
    server.set(1, "p/expired", &expiring(10));
    server.set(1, "p/there", "null");
    let requests = [
        r#"{"Put":{"key":"p/new","value":[118],"prev_value":true}}"#,
        r#"{"DeleteByPrefix":{"prefix":"p/"}}"#,
    ];
    let reported = server.txn(20_000, &requests);
    assert_eq!(reported, ["put p/new: - -> 3 {} v", "delete p/*: 2"]);
    assert_eq!(server.records(), ["p/new: 3 {} v"]);
}
