//! Which rules a release has, and those that no other test looks at.

use super::*;

#[test]
fn each_release_has_its_rules() {
    for (version, rules) in [
        (0, ApplyRules::OLDEST),
        (7_059, ApplyRules::OLDEST),
        (8_096, ApplyRules::OLDEST),
        (8_097, ApplyRules::V0_8_97),
        (1_001_040, ApplyRules::V0_8_97),
        (1_002_052, ApplyRules::V0_8_97),
        (1_002_053, ApplyRules::V1_2_53),
        (1_002_769, ApplyRules::V1_2_53),
        (1_002_770, ApplyRules::V1_2_770),
        (1_002_771, ApplyRules::V1_2_771),
        (1_002_776, ApplyRules::V1_2_771),
        (1_002_777, ApplyRules::V1_2_777),
        (1_002_783, ApplyRules::V1_2_777),
        (1_002_784, ApplyRules::V1_2_784),
        (1_002_822, ApplyRules::V1_2_784),
        (1_002_823, ApplyRules::V1_2_823),
        (1_002_882, ApplyRules::V1_2_823),
        (1_002_890, ApplyRules::CURRENT),
        (260_205_003_000, ApplyRules::V1_2_823),
        (260_217_000_000, ApplyRules::V260217),
        (260_304_000_000, ApplyRules::V260217),
        (260_304_999_999, ApplyRules::V260217),
        (260_312_002_000, ApplyRules::CURRENT),
        (u64::MAX, ApplyRules::CURRENT),
    ] {
        assert_eq!(ApplyRules::of_server(version), rules, "{version}");
    }
    assert_eq!(ApplyRules::default(), ApplyRules::CURRENT);
}

#[test]
fn the_oldest_rules_are_the_sum_of_all_changes() {
    assert_eq!(
        ApplyRules::OLDEST,
        ApplyRules {
            cleaning: CleaningRule::NoIndex,
            expiry: ExpiryRule::Seconds,
            meta: MetaRule::AsGiven,
            transaction: TransactionRule::AsSent,
            prefix: PrefixRule::StartsWith,
            txid: TxIdRule::Refused,
        }
    );
}

#[test]
fn before_1_2_770_every_expiry_is_in_seconds() {
    let mut server = Server::new(ApplyRules::V1_2_53);
    server.set(1, "k", r#"{"expire_at":1700000000000}"#);
    assert_eq!(server.expiries(), ["1700000000000000 1: 1 k"]);
    server.set(1, "k", r#"{"expire_at":18446744073709551615}"#);
    assert_eq!(server.expiries(), ["18446744073709551615 2: 2 k"]);
    // A time to live is rounded down.
    server.set(1_700_000_000_500, "k", r#"{"expire_at":null,"ttl":{"millis":1499}}"#);
    assert_eq!(server.records(), ["k: 3 {e:1700000001} v"]);
    assert_eq!(server.expiries(), ["1700000001000 3: 3 k"]);
    let read = |clock_ms| server.machine.get("k", clock_ms).unwrap().is_some();
    assert!(read(1_700_000_001_000) && !read(1_700_000_001_001));
}

#[test]
fn before_1_2_823_meta_is_what_the_write_gives() {
    let mut server = Server::new(ApplyRules::V1_2_784);
    server.set(1, "none", "null");
    server.set(1, "empty", r#"{"expire_at":null}"#);
    server.set(1, "some", r#"{"expire_at":100}"#);
    server.set(1, "as-is", r#"{"expire_at":100}"#);
    server.upsert(1, "as-is", r#""Any""#, r#""AsIs""#, "null");
    server.txn(
        1,
        &[
            r#"{"Put":{"key":"put","value":[118]}}"#,
            r#"{"PutSequential":{"prefix":"q/","sequence_key":"counter","value":[118]}}"#,
        ],
    );
    assert_eq!(
        server.records(),
        [
            "as-is: 5 null v",
            "counter: 7 null 1",
            "empty: 2 {} v",
            "none: 1 null v",
            "put: 6 {} v",
            "q/000_000_000_000_000_000_000: 8 {} v",
            "some: 3 {e:100} v",
        ]
    );
}
