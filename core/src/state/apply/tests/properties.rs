//! What holds whatever the entries are.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::dump::record::{
    BooleanExpression, Bytes, CompareOp, ConditionalOperation, Endpoint, FetchAddU64,
    FetchIncreaseU64, Interval, KvBranch, KvCondition, KvOperation, KvPayload, KvPredicate,
    KvTarget, KvTransaction, MatchSeq, MetaSpec, Node, PutSequential, Request, Target,
    TxnCondition, TxnDelete, TxnOp, TxnPut, TxnRequest, UpsertKV,
};

type Entry = Payload<'static>;

fn key() -> impl Strategy<Value = Text<'static>> {
    // Few keys, so that entries meet; some at the edges of prefixes.
    let keys =
        ["", "a", "a/1", "a/2", "a/000_000_000_000_000_000_000", "b", "\u{d7ff}", "\u{10ffff}"];
    proptest::sample::select(keys.to_vec()).prop_map(Text::from)
}

fn bytes() -> impl Strategy<Value = Bytes<'static>> {
    prop_oneof![
        vec(any::<u8>(), 0..4),
        any::<u64>().prop_map(|number| number.to_string().into_bytes()),
    ]
    .prop_map(Bytes::from)
}

/// Sequence numbers that occur, and the edges.
fn seq() -> impl Strategy<Value = u64> {
    prop_oneof![0..20u64, Just(u64::MAX)]
}

/// Clocks and expiries around one another in both units, and the edges.
fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..20u64,
        (0..20u64).prop_map(|seconds| seconds * 1000),
        99_999_999_990..100_000_000_010u64,
        Just(u64::MAX),
    ]
}

fn maybe<T: std::fmt::Debug + Clone>(
    some: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(some)
}

fn target() -> impl Strategy<Value = Target<'static>> {
    prop_oneof![
        seq().prop_map(Target::Seq),
        bytes().prop_map(Target::Value),
        seq().prop_map(Target::KeysWithPrefix),
    ]
}

fn condition() -> impl Strategy<Value = TxnCondition<'static>> {
    (key(), -1..8, maybe(target())).prop_map(|(key, expected, target)| TxnCondition {
        key,
        expected,
        target,
    })
}

fn expression() -> impl Strategy<Value = BooleanExpression<'static>> {
    let group = |subs: BoxedStrategy<Vec<BooleanExpression<'static>>>| {
        (0..3, subs, vec(condition(), 0..3)).prop_map(|(operator, sub_expressions, conditions)| {
            BooleanExpression { operator, sub_expressions, conditions }
        })
    };
    group(Just(Vec::new()).boxed())
        .prop_recursive(3, 12, 3, move |inner| group(vec(inner, 0..3).boxed()))
}

fn request() -> impl Strategy<Value = Request<'static>> {
    prop_oneof![
        key().prop_map(|key| Request::Get { key }),
        (key(), bytes(), maybe(time()), maybe(time()), maybe(seq())).prop_map(
            |(key, value, expire_at, ttl_ms, match_seq)| Request::Put(TxnPut {
                key,
                value,
                prev_value: None,
                expire_at,
                ttl_ms,
                match_seq
            })
        ),
        (key(), maybe(seq())).prop_map(|(key, match_seq)| {
            Request::Delete(TxnDelete { key, prev_value: None, match_seq })
        }),
        key().prop_map(|prefix| Request::DeleteByPrefix { prefix }),
        (key(), maybe(seq()), any::<i64>(), any::<u64>()).prop_map(
            |(key, match_seq, delta, max_value)| {
                Request::FetchIncreaseU64(FetchIncreaseU64 { key, match_seq, delta, max_value })
            }
        ),
        (key(), maybe(seq()), -3..3i64).prop_map(|(key, match_seq, delta)| {
            Request::FetchAddU64(FetchAddU64 { key, match_seq, delta })
        }),
        (key(), key(), bytes(), maybe(time()), maybe(time())).prop_map(
            |(prefix, sequence_key, value, expires_at_ms, ttl_ms)| {
                Request::PutSequential(PutSequential {
                    prefix,
                    sequence_key,
                    value,
                    expires_at_ms,
                    ttl_ms,
                })
            }
        ),
    ]
}

fn operations() -> impl Strategy<Value = Vec<TxnOp<'static>>> {
    vec(maybe(request()).prop_map(|request| TxnOp { request }), 0..4)
}

fn transaction() -> impl Strategy<Value = TxnRequest<'static>> {
    let branch = (maybe(expression()), operations())
        .prop_map(|(predicate, operations)| ConditionalOperation { predicate, operations });
    (vec(branch, 0..3), vec(condition(), 0..3), operations(), operations()).prop_map(
        |(operations, condition, if_then, else_then)| TxnRequest {
            operations,
            condition,
            if_then,
            else_then,
        },
    )
}

fn predicate() -> impl Strategy<Value = KvPredicate<'static>> {
    use CompareOp::{Eq, Ge, Gt, Le, Lt, Ne};
    let ops = proptest::sample::select(vec![Eq, Gt, Ge, Lt, Le, Ne]);
    let leaf = (key(), target(), ops)
        .prop_map(|(key, target, op)| KvPredicate::Leaf(KvCondition { key, target, op }));
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(KvPredicate::And),
            vec(inner, 0..3).prop_map(KvPredicate::Or),
        ]
    })
}

fn kv_operation() -> impl Strategy<Value = KvOperation<'static>> {
    let kv_target =
        || (key(), maybe(seq())).prop_map(|(key, match_seq)| KvTarget { key, match_seq });
    let payload = || {
        (bytes(), maybe(time()), maybe(time()))
            .prop_map(|(value, expire_at_ms, ttl_ms)| KvPayload { value, expire_at_ms, ttl_ms })
    };
    prop_oneof![
        key().prop_map(|key| KvOperation::Get { key }),
        (kv_target(), payload()).prop_map(|(target, payload)| KvOperation::Put { target, payload }),
        kv_target().prop_map(|target| KvOperation::Delete { target }),
        key().prop_map(|prefix| KvOperation::DeleteByPrefix { prefix }),
        (kv_target(), any::<i64>(), any::<u64>()).prop_map(|(target, delta, floor)| {
            KvOperation::FetchIncreaseU64 { target, delta, floor }
        }),
        (key(), key(), payload()).prop_map(|(prefix, sequence_key, payload)| {
            KvOperation::PutSequential { prefix, sequence_key, payload }
        }),
    ]
}

fn upsert() -> impl Strategy<Value = UpsertKV<'static>> {
    let condition = prop_oneof![
        Just(MatchSeq::Any),
        seq().prop_map(MatchSeq::Exact),
        seq().prop_map(MatchSeq::GE),
    ];
    let value = prop_oneof![
        3 => bytes().prop_map(Operation::Update),
        1 => Just(Operation::Delete),
        1 => Just(Operation::AsIs),
    ];
    let ttl = maybe(time().prop_map(|millis| Interval { millis }));
    let meta = maybe((maybe(time()), ttl).prop_map(|(expire_at, ttl)| MetaSpec { expire_at, ttl }));
    (key(), condition, value, meta).prop_map(|(key, seq, value, value_meta)| UpsertKV {
        key,
        seq,
        value,
        value_meta,
    })
}

fn cmd() -> impl Strategy<Value = Cmd<'static>> {
    let kv_branch = (maybe(predicate()), vec(kv_operation(), 0..4))
        .prop_map(|(predicate, operations)| KvBranch { predicate, operations });
    prop_oneof![
        4 => upsert().prop_map(Cmd::UpsertKV),
        4 => transaction().prop_map(Cmd::Transaction),
        2 => vec(kv_branch, 0..3)
            .prop_map(|branches| Cmd::KvTransaction(KvTransaction { branches })),
        1 => (0..3u64, any::<bool>()).prop_map(|(id, overriding)| {
            let node = Node {
                name: id.to_string(),
                endpoint: Endpoint { addr: "localhost".to_owned(), port: 1 },
                grpc_api_addr: None,
                grpc_api_advertise_address: None,
                raft_tls_advertise_address: None,
            };
            Cmd::AddNode(AddNode { node_id: NodeId(id), node, overriding })
        }),
        1 => (0..3u64).prop_map(|id| Cmd::RemoveNode { node_id: NodeId(id) }),
        1 => any::<bool>().prop_map(|enable| {
            Cmd::SetFeature { feature: "f".to_owned(), enable }
        }),
    ]
}

fn payload() -> impl Strategy<Value = Entry> {
    prop_oneof![
        1 => Just(Payload::Blank),
        1 => vec(0..3u64, 0..3)
            .prop_map(|ids| Payload::Membership(Membership::uniform(ids.into_iter().map(NodeId)))),
        10 => (maybe(time()), cmd()).prop_map(|(time_ms, cmd)| {
            Payload::Normal(LogEntryBody { txid: None, time_ms, cmd })
        }),
    ]
}

fn rules() -> impl Strategy<Value = ApplyRules> {
    proptest::sample::select(vec![
        ApplyRules::CURRENT,
        ApplyRules::V260217,
        ApplyRules::V1_2_823,
        ApplyRules::V1_2_784,
        ApplyRules::V1_2_777,
        ApplyRules::V1_2_771,
        ApplyRules::V1_2_770,
        ApplyRules::V1_2_53,
        ApplyRules::V0_8_97,
        ApplyRules::OLDEST,
    ])
}

/// The index that the records call for: `time seq key`.
fn index_of_records(server: &Server) -> Vec<(u64, u64, String)> {
    let rule = server.machine.rules().expiry;
    let mut expected: Vec<(u64, u64, String)> = server
        .machine
        .present(KeyRange::all())
        .filter_map(|read| {
            let (key, record) = read.unwrap();
            Some((rule.expire_ms(&record)?, record.seq, key.into_owned()))
        })
        .collect();
    expected.sort();
    expected
}

fn index(server: &Server) -> Vec<(u64, u64, String)> {
    let expiries = server.machine.store().expiries(0, None).map(|read| {
        let (at, value) = read.unwrap();
        (at.time_ms, at.seq, value.key.to_string())
    });
    expiries.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn entries_keep_the_state_whole(rules in rules(), entries in vec(payload(), 0..25)) {
        let mut server = Server::new(rules);
        // What watchers know when they see every change.
        let mut watched: BTreeMap<String, SharedRecord> = BTreeMap::new();
        for entry in entries {
            let before = server.sequence();
            let applied = server.payload(entry);
            prop_assert!(server.sequence() >= before);
            for event in applied.events {
                prop_assert!(event.prev != event.current);
                match event.current {
                    Some(current) => watched.insert(event.key, current),
                    None => watched.remove(&event.key),
                };
            }
            if rules.cleaning.hides_expired() {
                // An upsert that takes a record for absent takes it out of the index, too.
                let expected = index_of_records(&server);
                prop_assert!(index(&server).iter().all(|entry| expected.contains(entry)));
            } else {
                prop_assert_eq!(index(&server), index_of_records(&server));
                let present: BTreeMap<String, SharedRecord> = server
                    .machine
                    .present(KeyRange::all())
                    .map(|read| read.map(|(key, record)| (key.into_owned(), record)).unwrap())
                    .collect();
                prop_assert_eq!(&present, &watched);
            }
            let highest = server
                .machine
                .present(KeyRange::all())
                .map(|read| read.unwrap().1.seq)
                .max();
            prop_assert!(highest.unwrap_or(0) <= server.sequence());
        }
    }

    /// From any state, even one in which the index tells lies, an entry is applied or refused.
    #[test]
    fn no_state_and_no_entry_makes_it_panic(
        rules in rules(),
        records in vec((key(), seq(), maybe(time())), 0..6),
        expiries in vec((time(), seq(), key()), 0..6),
        sequence in prop_oneof![Just(u64::MAX - 2), seq()],
        entries in vec(payload(), 0..10),
    ) {
        let mut server = Server::new(rules);
        server.machine.store.system_mut().sequence = sequence;
        for (key, seq, expire_at) in records {
            let meta = Some(crate::dump::record::KVMeta { expire_at, proposed_at_ms: None });
            let value = crate::dump::record::SeqV { seq, meta, data: Bytes::default() };
            let record = Record::GenericKV(crate::dump::record::Keyed { key, value });
            prop_assert_eq!(server.machine.load(&record), Ok(Loaded::State));
        }
        for (time_ms, seq, key) in expiries {
            let at = ExpireKey { time_ms, seq };
            let value = crate::dump::record::ExpireValue { seq, key };
            let record = Record::Expire(crate::dump::record::Keyed { key: at, value });
            prop_assert_eq!(server.machine.load(&record), Ok(Loaded::State));
        }
        for payload in entries {
            let log_id = LogId::new(1, 1, server.next_index());
            match server.machine.apply(&LogEntry { log_id, payload }) {
                Ok(_) => {}
                Err(ApplyError::StaleExpiry { .. }) => {
                    prop_assert!(rules.cleaning != CleaningRule::SinceLast);
                    break;
                }
                Err(error) => {
                    prop_assert_eq!(error, ApplyError::SequenceExhausted { log_id });
                    break;
                }
            }
        }
        prop_assert_eq!(server.lines().len() as u64 >= server.machine.store().len(), true);
    }

    #[test]
    fn a_state_survives_its_lines(rules in rules(), entries in vec(payload(), 0..15)) {
        let mut server = Server::new(rules);
        for entry in entries {
            server.payload(entry);
        }
        let lines = server.lines();
        let read = Server::loaded(rules, &lines.join("\n"));
        prop_assert_eq!(read.lines(), lines);
    }
}
