//! Transactions: branches, conditions, operations.

use super::*;

/// Applies a transaction to `k1` (number 1, value `b`) and `k2` (number 2, `x`): the path and the
/// responses.
fn run(rules: ApplyRules, transaction: &str) -> (ExecutionPath, Vec<String>) {
    let mut server = Server::new(rules);
    server.upsert(1, "k1", r#""Any""#, r#"{"Update":[98]}"#, "null");
    server.upsert(1, "k2", r#""Any""#, r#"{"Update":[120]}"#, "null");
    let cmd = format!(r#"{{"Transaction":{transaction}}}"#);
    let Reply::Transaction(reply) = server.apply(1, &cmd).reply else { panic!("{transaction}") };
    (reply.path, reply.responses.iter().map(reported).collect())
}

fn condition(key: &str, expected: i32, target: &str) -> String {
    format!(r#"{{"key":"{key}","expected":{expected},"target":{target}}}"#)
}

fn conditions_hold(rules: ApplyRules, conditions: &str) -> bool {
    let transaction = format!(
        r#"{{"condition":[{conditions}],"if_then":[],"else_then":[{{"request":{{"Get":{{"key":"a"}}}}}}]}}"#
    );
    run(rules, &transaction).0 == ExecutionPath::Then
}

/// Whether the predicate of a branch holds.
fn predicate_holds(rules: ApplyRules, predicate: &str) -> bool {
    let transaction = format!(
        r#"{{"operations":[{{"predicate":{predicate},"operations":[]}}],"condition":[],"if_then":[],"else_then":[]}}"#
    );
    run(rules, &transaction).0 == ExecutionPath::Operation(0)
}

#[test]
fn comparisons_are_of_what_is_there_with_what_is_given() {
    // Expected numbers in order: EQ GT GE LT LE NE.
    let (less, equal, greater) = (
        [false, false, false, true, true, true],
        [true, false, true, false, true, false],
        [false, true, true, false, false, true],
    );
    let never = [false; 6];
    for (key, target, holds) in [
        ("k1", r#"{"Seq":0}"#, greater),
        ("k1", r#"{"Seq":1}"#, equal),
        ("k1", r#"{"Seq":2}"#, less),
        // No record has number 0.
        ("no", r#"{"Seq":0}"#, equal),
        ("no", r#"{"Seq":1}"#, less),
        ("k1", r#"{"Value":[97]}"#, greater),
        ("k1", r#"{"Value":[98]}"#, equal),
        ("k1", r#"{"Value":[98,0]}"#, less),
        ("k1", r#"{"Value":[]}"#, greater),
        // What is not there compares with nothing.
        ("no", r#"{"Value":[97]}"#, never),
        ("k", r#"{"KeysWithPrefix":1}"#, greater),
        ("k", r#"{"KeysWithPrefix":2}"#, equal),
        ("k", r#"{"KeysWithPrefix":3}"#, less),
        ("k", r#"{"KeysWithPrefix":18446744073709551615}"#, less),
        ("no", r#"{"KeysWithPrefix":0}"#, equal),
        ("", r#"{"KeysWithPrefix":2}"#, equal),
        ("k1", "null", never),
    ] {
        let found: Vec<bool> = (0..6)
            .map(|op| conditions_hold(ApplyRules::CURRENT, &condition(key, op, target)))
            .collect();
        assert_eq!(found, holds, "{key} {target}");
    }
}

#[test]
fn all_conditions_must_hold() {
    let yes = condition("k1", 0, r#"{"Seq":1}"#);
    let no = condition("k1", 5, r#"{"Seq":1}"#);
    let rules = ApplyRules::CURRENT;
    assert!(conditions_hold(rules, ""));
    assert!(conditions_hold(rules, &format!("{yes},{yes}")));
    assert!(!conditions_hold(rules, &format!("{yes},{no}")));
    assert!(!conditions_hold(rules, &format!("{no},{yes}")));
}

#[test]
fn an_unknown_comparison_is_equality_and_was_none() {
    let unknown = condition("k1", 9, r#"{"Seq":1}"#);
    assert!(conditions_hold(ApplyRules::CURRENT, &unknown));
    assert!(conditions_hold(ApplyRules::V260217, &unknown));
    assert!(!conditions_hold(ApplyRules::V1_2_823, &unknown));
}

#[test]
fn expressions_nest() {
    let yes = condition("k1", 0, r#"{"Seq":1}"#);
    let no = condition("k1", 5, r#"{"Seq":1}"#);
    let group = |operator: i32, subs: &[&str], conditions: &[&str]| {
        format!(
            r#"{{"operator":{operator},"sub_expressions":[{}],"conditions":[{}]}}"#,
            subs.join(","),
            conditions.join(",")
        )
    };
    let (and, or, unknown) = (0, 1, 7);
    let (all_no, any_yes) = (group(and, &[], &[&no]), group(or, &[], &[&no, &yes]));
    for (expression, holds) in [
        ("null".to_owned(), true),
        (group(and, &[], &[]), true),
        (group(or, &[], &[]), true),
        (group(unknown, &[], &[&yes, &no]), false),
        (group(and, &[], &[&yes, &no]), false),
        (group(or, &[], &[&yes, &no]), true),
        (group(or, &[], &[&no, &yes]), true),
        (group(or, &[], &[&no, &no]), false),
        (group(or, &[], &[&no]), false),
        (group(and, &[&any_yes], &[&yes]), true),
        (group(and, &[&any_yes], &[&no]), false),
        (group(or, &[&all_no], &[&no]), false),
        (group(or, &[&all_no], &[&yes]), true),
        (group(or, &[&all_no, &any_yes], &[]), true),
        (group(and, &[&group(or, &[], &[]), &group(and, &[], &[])], &[&yes]), true),
        // An empty group within another one is a child that holds.
        (group(or, &[&group(or, &[], &[])], &[&no]), true),
    ] {
        assert_eq!(predicate_holds(ApplyRules::CURRENT, &expression), holds, "{expression}");
    }
    // Up to 1.2.882 every OR held.
    for wrong in [group(or, &[], &[&no]), group(and, &[&group(or, &[], &[&no, &no])], &[&yes])] {
        assert!(predicate_holds(ApplyRules::V1_2_823, &wrong), "{wrong}");
        assert!(!predicate_holds(ApplyRules::V260217, &wrong), "{wrong}");
    }
    assert!(!predicate_holds(
        ApplyRules::V1_2_823,
        &group(and, &[&group(or, &[], &[&no])], &[&no])
    ));
}

#[test]
fn deep_expressions_do_not_use_up_the_stack() {
    let mut deep = crate::dump::record::BooleanExpression {
        operator: 1,
        sub_expressions: Vec::new(),
        conditions: vec![
            serde_json::from_str(r#"{"key":"no","expected":5,"target":{"Seq":0}}"#).unwrap(),
        ],
    };
    for operator in [0, 1].into_iter().cycle().take(5_000) {
        let sub_expressions = vec![deep];
        deep = crate::dump::record::BooleanExpression {
            operator,
            sub_expressions,
            conditions: Vec::new(),
        };
    }
    let branch =
        crate::dump::record::ConditionalOperation { predicate: Some(deep), operations: Vec::new() };
    let request =
        crate::dump::record::TxnRequest { operations: vec![branch], ..Default::default() };
    let body = LogEntryBody { txid: None, time_ms: None, cmd: Cmd::Transaction(request) };
    let mut server = Server::new(ApplyRules::CURRENT);
    let Reply::Transaction(reply) = server.payload(Payload::Normal(body)).reply else { panic!() };
    assert_eq!(reply.path, ExecutionPath::Then);
}

#[test]
fn the_first_branch_that_holds_ends_the_transaction() {
    let get = |key: &str| format!(r#"[{{"request":{{"Get":{{"key":"{key}"}}}}}}]"#);
    let no = condition("k1", 5, r#"{"Seq":1}"#);
    let never = format!(r#"{{"operator":0,"sub_expressions":[],"conditions":[{no}]}}"#);
    let request = |predicates: &[&str], conditions: &str| {
        let branches: Vec<String> = (0..)
            .zip(predicates)
            .map(|(at, one)| {
                let operations = get(&at.to_string());
                format!(r#"{{"predicate":{one},"operations":{operations}}}"#)
            })
            .collect();
        format!(
            r#"{{"operations":[{}],"condition":[{conditions}],"if_then":{},"else_then":{}}}"#,
            branches.join(","),
            get("then"),
            get("else")
        )
    };
    for (request, path, text, response) in [
        (request(&["null", "null"], ""), ExecutionPath::Operation(0), "operation:0", "get 0: -"),
        (request(&[&never, "null"], ""), ExecutionPath::Operation(1), "operation:1", "get 1: -"),
        (request(&[&never], ""), ExecutionPath::Then, "then", "get then: -"),
        (request(&[&never], &no), ExecutionPath::Else, "else", "get else: -"),
        (request(&[], &no), ExecutionPath::Else, "else", "get else: -"),
    ] {
        for rules in [ApplyRules::CURRENT, ApplyRules::V260217, ApplyRules::V1_2_823] {
            assert_eq!(run(rules, &request), (path, vec![response.to_owned()]), "{request}");
        }
        assert_eq!(path.to_string(), text);
    }
}

#[test]
fn with_nothing_to_decide_some_servers_run_the_else_branch() {
    let get = r#"[{"request":{"Get":{"key":"k1"}}}]"#;
    let empty = r#"{"condition":[],"if_then":[],"else_then":[]}"#.to_owned();
    let only_else = format!(r#"{{"condition":[],"if_then":[],"else_then":{get}}}"#);
    for rules in [ApplyRules::CURRENT, ApplyRules::V1_2_823] {
        assert_eq!(run(rules, &empty), (ExecutionPath::Then, vec![]));
        assert_eq!(run(rules, &only_else), (ExecutionPath::Then, vec![]));
    }
    let got = "get k1: 1 {p:1} b".to_owned();
    assert_eq!(run(ApplyRules::V260217, &empty), (ExecutionPath::Nothing, vec![]));
    assert_eq!(ExecutionPath::Nothing.to_string(), "");
    assert_eq!(run(ApplyRules::V260217, &only_else), (ExecutionPath::Else, vec![got]));
    // With a condition that does not hold, nothing is special about an empty "else".
    let no = condition("k1", 5, r#"{"Seq":1}"#);
    let unmet = format!(r#"{{"condition":[{no}],"if_then":[],"else_then":[]}}"#);
    assert_eq!(run(ApplyRules::V260217, &unmet), (ExecutionPath::Else, vec![]));
}

#[test]
fn an_operation_without_a_request_gets_the_empty_key() {
    let request = r#"{"condition":[],"if_then":[{"request":null}],"else_then":[]}"#;
    let got = vec!["get : -".to_owned()];
    assert_eq!(run(ApplyRules::CURRENT, request), (ExecutionPath::Then, got));
    assert_eq!(run(ApplyRules::V1_2_823, request), (ExecutionPath::Then, vec![]));
}

#[test]
fn each_operation_sees_those_before_it() {
    let mut server = Server::new(ApplyRules::CURRENT);
    let cmd = r#"{"Transaction":{"condition":[],"if_then":[
        {"request":{"Put":{"key":"k","value":[97]}}},
        {"request":{"Get":{"key":"k"}}},
        {"request":{"Put":{"key":"k","value":[98],"ttl_ms":1000}}},
        {"request":{"Put":{"key":"k","value":[99],"match_seq":1}}},
        {"request":{"Put":{"key":"k","value":[99],"match_seq":2,"expire_at":200000000000}}},
        {"request":{"Delete":{"key":"k","match_seq":2}}},
        {"request":{"Delete":{"key":"k","match_seq":3}}},
        {"request":{"Delete":{"key":"k"}}},
        {"request":{"Delete":{"key":"k","match_seq":0}}},
        {"request":{"Put":{"key":"k","value":[97],"match_seq":0}}}
    ],"else_then":[]}}"#;
    let applied = server.apply(150_000_000_000, cmd);
    let Reply::Transaction(reply) = &applied.reply else { panic!() };
    let responses: Vec<String> = reply.responses.iter().map(reported).collect();
    let (one, two, three, four) = (
        "1 {p:150000000000} a",
        "2 {e:150000001000,p:150000000000} b",
        "3 {e:200000000000,p:150000000000} c",
        "4 {p:150000000000} a",
    );
    assert_eq!(
        responses,
        [
            format!("put k: - -> {one}"),
            format!("get k: {one}"),
            format!("put k: {one} -> {two}"),
            format!("put k: {two} -> {two}"),
            format!("put k: {two} -> {three}"),
            format!("delete k: false, {three}"),
            format!("delete k: true, {three}"),
            "delete k: false, -".to_owned(),
            "delete k: false, -".to_owned(),
            format!("put k: - -> {four}"),
        ]
    );
    assert_eq!(
        events(&applied),
        [
            format!("k: - -> {one}"),
            format!("k: {one} -> {two}"),
            format!("k: {two} -> {three}"),
            format!("k: {three} -> -"),
            format!("k: - -> {four}"),
        ]
    );
}

#[test]
fn before_260217_a_put_has_no_match() {
    let put = r#"{"Put":{"key":"k","value":[97],"match_seq":7}}"#;
    assert_eq!(Server::new(ApplyRules::CURRENT).txn(1, &[put]), ["put k: - -> -"]);
    assert_eq!(Server::new(ApplyRules::V1_2_823).txn(1, &[put]), ["put k: - -> 1 {p:1} a"]);
}

#[test]
fn a_put_that_is_born_expired_leaves_nothing() {
    let mut server = Server::new(ApplyRules::CURRENT);
    server.set(10_000, "k", "null");
    let put = r#"{"Put":{"key":"k","value":[97],"expire_at":9}}"#;
    let reported = server.txn(10_000, &[put, r#"{"Get":{"key":"k"}}"#, put]);
    assert_eq!(reported, ["put k: 1 {p:10000} v -> -", "get k: -", "put k: - -> -"]);
    assert_eq!(server.sequence(), 3);
}

#[test]
fn a_prefix_is_deleted_in_order_and_each_deletion_is_reported_twice() {
    let delete = r#"{"Transaction":{"condition":[],"if_then":[
        {"request":{"Put":{"key":"p/c","value":[118]}}},
        {"request":{"DeleteByPrefix":{"prefix":"p/"}}},
        {"request":{"DeleteByPrefix":{"prefix":"p/"}}}],"else_then":[]}}"#;
    for rules in [ApplyRules::CURRENT, ApplyRules::V1_2_53] {
        let mut server = Server::new(rules);
        for key in ["p", "p/b", "p/a", "p0"] {
            server.set(1, key, r#"{"expire_at":100}"#);
        }
        let applied = server.apply(1, delete);
        let Reply::Transaction(reply) = &applied.reply else { panic!() };
        let responses: Vec<String> = reply.responses.iter().skip(1).map(reported).collect();
        assert_eq!(responses, ["delete p/*: 3", "delete p/*: 0"]);
        let keys: Vec<&str> = applied.events.iter().map(|event| event.key.as_str()).collect();
        assert_eq!(keys, ["p/c", "p/a", "p/a", "p/b", "p/b", "p/c", "p/c"]);
        assert!(applied.events.iter().skip(1).all(|event| event.current.is_none()));
        assert_eq!(server.machine.store().len(), 2);
        assert_eq!(server.expiries().len(), 2);
    }
    // Up to 1.2.52 once, and only what was there before the entry.
    let mut server = Server::new(ApplyRules::V0_8_97);
    server.set(1, "p/a", "null");
    let applied = server.apply(1, delete);
    let keys: Vec<&str> = applied.events.iter().map(|event| event.key.as_str()).collect();
    assert_eq!(keys, ["p/c", "p/a"]);
}

#[test]
fn a_prefix_ends_where_its_last_character_ends() {
    let delete = |rules: ApplyRules, prefix: &str| {
        let mut server = Server::new(rules);
        for key in [
            "a",
            "ab",
            "a\u{ff}",
            "a\u{10ffff}",
            "a\u{10ffff}x",
            "b",
            "\u{d7ff}",
            "\u{d7ff}x",
            "\u{e000}",
        ] {
            server.set(1, key, "null");
        }
        server.txn(1, &[&format!(r#"{{"DeleteByPrefix":{{"prefix":"{prefix}"}}}}"#)]);
        let kept: Vec<String> = server
            .machine
            .present(KeyRange::all())
            .map(|read| read.unwrap().0.into_owned())
            .collect();
        kept.join(" ")
    };
    for rules in [ApplyRules::CURRENT, ApplyRules::V1_2_53] {
        assert_eq!(delete(rules, ""), "");
        assert_eq!(delete(rules, "a"), "b \u{d7ff} \u{d7ff}x \u{e000}");
        assert_eq!(
            delete(rules, "b"),
            "a ab a\u{ff} a\u{10ffff} a\u{10ffff}x \u{d7ff} \u{d7ff}x \u{e000}"
        );
        assert_eq!(delete(rules, "a\u{10ffff}"), "a ab a\u{ff} b \u{d7ff} \u{d7ff}x \u{e000}");
        assert_eq!(
            delete(rules, "\u{10ffff}"),
            "a ab a\u{ff} a\u{10ffff} a\u{10ffff}x b \u{d7ff} \u{d7ff}x \u{e000}"
        );
    }
    // The character after U+D7FF is none, so since 1.2.777 everything that follows goes.
    let before = "a ab a\u{ff} a\u{10ffff} a\u{10ffff}x b";
    assert_eq!(delete(ApplyRules::CURRENT, "\u{d7ff}"), before);
    assert_eq!(delete(ApplyRules::V1_2_771, "\u{d7ff}"), format!("{before} \u{e000}"));
    assert_eq!(delete(ApplyRules::V1_2_777, "\u{d7ff}"), before);
}

#[test]
fn a_counter_is_the_whole_value_as_a_number() {
    for (text, number) in [
        ("5", 5),
        (" 5\n", 5),
        ("18446744073709551615", u64::MAX),
        ("18446744073709551616", 0),
        ("", 0),
        ("1.0", 0),
        ("1e3", 0),
        ("-0", 0),
        ("-1", 0),
        ("007", 0),
        ("\"5\"", 0),
        ("null", 0),
        ("5 6", 0),
        ("text", 0),
    ] {
        let mut server = Server::new(ApplyRules::CURRENT);
        let value = format!(r#"{{"Update":{:?}}}"#, text.as_bytes());
        server.upsert(1, "c", r#""Any""#, &value, r#"{"expire_at":100}"#);
        let add = r#"{"FetchIncreaseU64":{"key":"c","delta":0,"max_value":0}}"#;
        assert_eq!(server.txn(2, &[add]), [format!("add c: 1={number} -> 2={number}")], "{text:?}");
        // Written although it is the same number, and without its expiry.
        assert_eq!(server.records(), [format!("c: 2 {{p:2}} {number}")]);
        assert_eq!(server.expiries(), Vec::<String>::new());
    }
}

#[test]
fn a_counter_is_raised_to_its_floor_before_it_is_increased() {
    let mut server = Server::new(ApplyRules::CURRENT);
    let add = |delta: i64, floor: u64, match_seq: &str| {
        format!(
            r#"{{"FetchIncreaseU64":{{"key":"c","match_seq":{match_seq},"delta":{delta},"max_value":{floor}}}}}"#
        )
    };
    let mut reported = Vec::new();
    for request in [
        add(1, 0, "null"),
        add(1, 10, "null"),
        add(-5, 0, "null"),
        add(1, 0, "2"), // no match: nothing is written
        add(1, 0, "3"),
        add(-9, 0, "null"),
        add(0, u64::MAX, "null"),
        add(i64::MAX, 0, "null"),
        add(i64::MIN, 0, "null"),
    ] {
        reported.extend(server.txn(1, &[&request]));
    }
    assert_eq!(
        reported,
        [
            "add c: 0=0 -> 1=1",
            "add c: 1=1 -> 2=11",
            "add c: 2=11 -> 3=6",
            "add c: 3=6 -> 3=6",
            "add c: 3=6 -> 4=7",
            "add c: 4=7 -> 5=0",
            "add c: 5=0 -> 6=18446744073709551615",
            "add c: 6=18446744073709551615 -> 7=18446744073709551615",
            "add c: 7=18446744073709551615 -> 8=9223372036854775807",
        ]
    );
    let mut old = Server::new(ApplyRules::V1_2_784);
    assert_eq!(
        old.txn(1, &[r#"{"FetchAddU64":{"key":"c","match_seq":null,"delta":3}}"#]),
        ["add c: 0=0 -> 1=3"]
    );
    assert_eq!(old.records(), ["c: 1 null 3"]);
}

#[test]
fn a_sequential_put_takes_the_next_number_of_its_counter() {
    let mut server = Server::new(ApplyRules::CURRENT);
    let put = r#"{"PutSequential":{"prefix":"q/","sequence_key":"n","value":[118],"expires_at_ms":null,"ttl_ms":200000000000}}"#;
    assert_eq!(
        server.txn(5, &[put, put]),
        [
            "put q/000_000_000_000_000_000_000: - -> 2 {e:200000000005,p:5} v",
            "put q/000_000_000_000_000_000_001: - -> 4 {e:200000000005,p:5} v"
        ]
    );
    server.upsert(
        5,
        "n",
        r#""Any""#,
        &format!(r#"{{"Update":{:?}}}"#, b"18446744073709551615"),
        "null",
    );
    server.txn(5, &[put]);
    assert_eq!(
        server.records(),
        [
            "n: 6 {p:5} 18446744073709551615",
            "q/000_000_000_000_000_000_000: 2 {e:200000000005,p:5} v",
            "q/000_000_000_000_000_000_001: 4 {e:200000000005,p:5} v",
            "q/018_446_744_073_709_551_615: 7 {e:200000000005,p:5} v",
        ]
    );
}

#[test]
fn a_kv_transaction_runs_as_it_stands() {
    let mut server = Server::new(ApplyRules::CURRENT);
    server.set(1_000, "k", "null");
    let mut run = |branches: &str| {
        let cmd = format!(r#"{{"KvTransaction":{{"branches":[{branches}]}}}}"#);
        let Reply::KvTransaction(reply) = server.apply(1_000, &cmd).reply else { panic!("{cmd}") };
        (reply.executed_branch, reply.responses.iter().map(reported).collect::<Vec<_>>())
    };
    assert_eq!(run(""), (None, vec![]));
    let leaf = |op: &str| format!(r#"{{"Leaf":{{"key":"k","target":{{"Seq":1}},"op":"{op}"}}}}"#);
    let get = r#"[{"Get":{"key":"k"}}]"#;
    let branch = |predicate: &str, operations: &str| {
        format!(r#"{{"predicate":{predicate},"operations":{operations}}}"#)
    };
    let got = vec!["get k: 1 {p:1000} v".to_owned()];
    for (predicate, holds) in [
        (leaf("Eq"), true),
        (leaf("Ne"), false),
        (leaf("Gt"), false),
        (leaf("Ge"), true),
        (leaf("Lt"), false),
        (leaf("Le"), true),
        (r#"{"And":[]}"#.to_owned(), true),
        (r#"{"Or":[]}"#.to_owned(), true),
        (format!(r#"{{"Or":[{},{}]}}"#, leaf("Ne"), leaf("Eq")), true),
        (format!(r#"{{"Or":[{},{}]}}"#, leaf("Ne"), leaf("Lt")), false),
        (format!(r#"{{"And":[{},{}]}}"#, leaf("Eq"), leaf("Lt")), false),
        ("null".to_owned(), true),
    ] {
        let expected = if holds { (Some(0), got.clone()) } else { (None, vec![]) };
        assert_eq!(run(&branch(&predicate, get)), expected, "{predicate}");
    }
    let second = format!("{},{}", branch(&leaf("Ne"), "[]"), branch(r#"{"And":[]}"#, get));
    assert_eq!(run(&second), (Some(1), got));
    let all = branch(
        "null",
        r#"[{"Put":{"target":{"key":"s","match_seq":null},"payload":{"value":[115],"expire_at_ms":5,"ttl_ms":null}}},
            {"Put":{"target":{"key":"s","match_seq":1},"payload":{"value":[115],"expire_at_ms":null,"ttl_ms":null}}},
            {"FetchIncreaseU64":{"target":{"key":"c","match_seq":null},"delta":2,"floor":5}},
            {"PutSequential":{"prefix":"q/","sequence_key":"c","payload":{"value":[],"expire_at_ms":null,"ttl_ms":null}}},
            {"Delete":{"target":{"key":"c","match_seq":3}}},
            {"Delete":{"target":{"key":"c","match_seq":null}}},
            {"DeleteByPrefix":{"prefix":"q/"}}]"#,
    );
    assert_eq!(
        run(&all),
        (
            Some(0),
            [
                // Small numbers are seconds here too, whatever the member is called.
                "put s: - -> 2 {e:5,p:1000} s",
                "put s: 2 {e:5,p:1000} s -> 2 {e:5,p:1000} s",
                "add c: 0=0 -> 3=7",
                "put q/000_000_000_000_000_000_007: - -> 5 {p:1000} ",
                "delete c: false, 4 {p:1000} 8",
                "delete c: true, 4 {p:1000} 8",
                "delete q/*: 1",
            ]
            .map(str::to_owned)
            .to_vec()
        )
    );
    assert_eq!(server.expiries(), ["5000 2: 2 s"]);
}
