//! Whatever the records are.

use super::*;

fn any_log_id() -> impl Strategy<Value = LogId> {
    any::<(u64, u64, u64)>().prop_map(|(term, node, index)| LogId::new(term, node, index))
}

fn any_vote() -> impl Strategy<Value = Vote> {
    any::<(u64, u64, bool)>().prop_map(|(term, node, committed)| vote(term, node, committed))
}

fn any_payload() -> impl Strategy<Value = Payload<'static>> {
    let membership = prop::collection::vec(prop::collection::btree_set(any::<u64>(), 0..4), 0..3);
    let node = (any::<u64>(), ".{0,8}", any::<u16>(), any::<Option<u8>>());
    let data = prop::collection::vec(any::<u8>(), 0..300);
    let command = prop_oneof![
        (node, any::<bool>()).prop_map(|((id, addr, port, grpc), overriding)| Cmd::AddNode(
            AddNode {
                node_id: NodeId(id),
                node: Node {
                    name: id.to_string(),
                    endpoint: Endpoint { addr, port },
                    grpc_api_addr: None,
                    grpc_api_advertise_address: grpc.map(|port| format!("h:{port}")),
                    raft_tls_advertise_address: None,
                },
                overriding,
            }
        )),
        any::<u64>().prop_map(|id| Cmd::RemoveNode { node_id: NodeId(id) }),
        (".{0,12}", data, any::<Option<u64>>(), any::<u64>()).prop_map(
            |(key, data, expire_at, seq)| Cmd::UpsertKV(UpsertKV {
                key: Text::from(key),
                seq: MatchSeq::GE(seq),
                value: Operation::Update(Bytes::from(data)),
                value_meta: expire_at.map(|at| MetaSpec { expire_at: Some(at), ttl: None }),
            })
        ),
        (".{0,12}", any::<bool>())
            .prop_map(|(feature, enable)| Cmd::SetFeature { feature, enable }),
    ];
    prop_oneof![
        Just(Payload::Blank),
        membership.prop_map(|configs| {
            let configs: Vec<BTreeSet<NodeId>> = configs
                .into_iter()
                .map(|config| config.into_iter().map(NodeId).collect())
                .collect();
            let all = configs.iter().flatten().copied().collect::<BTreeSet<_>>();
            Payload::Membership(Membership { configs, ..Membership::uniform(all) })
        }),
        (any::<Option<u64>>(), command).prop_map(|(time_ms, cmd)| {
            Payload::Normal(LogEntryBody { txid: None, time_ms, cmd })
        }),
    ]
}

/// The bytes of any record; an entry's payload is that of any command.
fn any_record_bytes() -> impl Strategy<Value = Vec<u8>> {
    let state = (
        prop::option::of(any_vote()),
        prop::option::of(any_log_id()),
        prop::option::of(any_log_id()),
        prop::option::of(any_log_id()),
        any::<Option<Option<u64>>>(),
    );
    prop_oneof![
        any_vote().prop_map(|vote| encoded(&WalRecord::SaveVote(vote))),
        any_log_id().prop_map(|id| encoded(&WalRecord::Commit(id))),
        any_log_id().prop_map(|id| encoded(&WalRecord::PurgeUpto(id))),
        prop::option::of(any_log_id()).prop_map(|id| encoded(&WalRecord::TruncateAfter(id))),
        state.prop_map(|(vote, last, committed, purged, user_data)| {
            let user_data = user_data.map(|id| UserData { node_id: id.map(NodeId) });
            encoded(&WalRecord::State(WalState { vote, last, committed, purged, user_data }))
        }),
        (any_log_id(), any_payload()).prop_map(|(log_id, payload)| {
            let mut out = Vec::new();
            encode_append(&LogEntry { log_id, payload }, &mut out).unwrap();
            out
        }),
    ]
}

fn any_log() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(any_record_bytes(), 1..12)
}

proptest! {
    #[test]
    fn a_record_reads_back_and_every_start_of_it_is_incomplete(bytes in any_record_bytes()) {
        let Ok(Decoded::Whole { record, len_bytes }) = decode_record(&bytes) else {
            panic!("{bytes:?}");
        };
        prop_assert_eq!(len_bytes, bytes.len());
        prop_assert_eq!(&encoded(&record), &bytes);
        for len in 0..bytes.len() {
            prop_assert_eq!(decode_record(&bytes[..len]), Ok(Decoded::Incomplete));
        }
    }

    #[test]
    fn an_entry_reads_back(log_id in any_log_id(), payload in any_payload()) {
        let entry = LogEntry { log_id, payload };
        let mut bytes = Vec::new();
        encode_append(&entry, &mut bytes).unwrap();
        let Ok(Decoded::Whole { record: WalRecord::Append { log_id, payload }, .. }) =
            decode_record(&bytes)
        else {
            panic!("{bytes:?}");
        };
        let payload = decode_payload(payload).unwrap();
        prop_assert_eq!(LogEntry { log_id, payload }, entry);
    }

    #[test]
    fn a_line_is_the_json_of_the_entry(log_id in any_log_id(), payload in any_payload()) {
        let entry = LogEntry { log_id, payload };
        let mut bytes = Vec::new();
        rmp_serde::encode::write_named(&mut bytes, &entry.payload).unwrap();
        let mut line = Vec::new();
        prop_assert_eq!(log_entry_line(log_id, &bytes, &mut line), Ok(LineForm::Typed));
        let scanned = crate::dump::scan::scan_line(&line).unwrap();
        prop_assert_eq!(scanned.record, crate::dump::record::Record::LogEntry(entry.into()));
    }

    #[test]
    fn pieces_of_any_size_give_the_same_records(
        log in any_log(),
        torn in prop::collection::vec(any::<u8>(), 0..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let file = [log.concat(), torn].concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(file.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&file[from..cut]);
            from = cut;
        }
        pieces.push(&file[from..]);
        let whole = read_pieces([file.as_slice()]);
        prop_assert_eq!(&read_pieces(pieces), &whole);
        prop_assert_eq!(&read_pieces(file.chunks(1)), &whole);
        prop_assert!(whole.0.len() >= log.len());
    }

    #[test]
    fn a_flipped_bit_before_the_last_record_is_damage(
        log in any_log(), at in any::<prop::sample::Index>(), bit in 0..8_u32,
    ) {
        let mut file = log.concat();
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        let last = file.len() - log.last().unwrap().len();
        match read(&file) {
            Err(error) => {
                let mut ends = log.iter().scan(0, |end, record| {
                    let start = *end;
                    *end += record.len();
                    Some((start, *end))
                });
                let (start, _) = ends.find(|(_, end)| at < *end).unwrap();
                prop_assert_eq!(error.offset_bytes, start as u64);
            }
            Ok(end) => {
                prop_assert!(at >= last, "not reported: {:?}", end);
                let torn = end.torn.unwrap();
                prop_assert_eq!(torn.offset_bytes, last as u64);
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>) {
        let _ = decode_record(&bytes);
        let _ = decode_payload(&bytes);
        let _ = log_entry_line(LogId::default(), &bytes, &mut Vec::new());
        let _ = replay_chunks(&[(ChunkId(7), &bytes)]);
        prop_assert_eq!(read_pieces(bytes.chunks(1)), read_pieces([bytes.as_slice()]));
    }

    #[test]
    fn what_a_writer_writes_replays(
        payloads in prop::collection::vec(any_payload(), 0..30),
        records in 1..9_u64,
        bytes in 1..2000_u64,
        purge_at in 0..30_u64,
    ) {
        let mut writer = WalWriter::new(ChunkLimits { records, bytes }).unwrap();
        writer.save_node_id(Some(NodeId(7))).unwrap();
        let mut chunks = std::collections::BTreeMap::<ChunkId, Vec<u8>>::new();
        let mut expected = Vec::new();
        for (index, payload) in payloads.into_iter().enumerate() {
            let entry = LogEntry { log_id: LogId::new(1, 1, index as u64), payload };
            writer.append(&entry).unwrap();
            if index as u64 == purge_at {
                writer.purge(entry.log_id).unwrap();
                expected.clear();
            } else {
                expected.push(entry);
            }
            for (chunk, bytes) in drained(&mut writer) {
                chunks.entry(chunk).or_default().extend(bytes);
            }
        }
        let files: Vec<(ChunkId, &[u8])> =
            chunks.iter().map(|(id, file)| (*id, file.as_slice())).collect();
        let replayed = replay_chunks(&files).unwrap();
        if !files.is_empty() {
            prop_assert_eq!(&replayed.state, writer.state());
        }
        prop_assert_eq!(replayed.torn, None);
        let mut live = Vec::new();
        for (chunk, file) in files {
            let mut reader = ChunkReader::new(chunk);
            reader.feed(file, |at| -> Result<(), WalError> {
                if let Some((log_id, payload)) = replayed.live.entry(&at) {
                    let mut copy = Vec::new();
                    encode_record(&WalRecord::Append { log_id, payload }, &mut copy).unwrap();
                    live.push(copy);
                }
                Ok(())
            }).unwrap();
        }
        let expected: Vec<Vec<u8>> = expected.iter().map(|entry| {
            let mut out = Vec::new();
            encode_append(entry, &mut out).unwrap();
            out
        }).collect();
        prop_assert_eq!(live, expected);
    }
}
