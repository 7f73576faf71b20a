//! Whatever the entries are.

use super::*;

fn any_entries() -> impl Strategy<Value = Vec<TableEntry<'static>>> {
    let meta = prop::option::of(
        (any::<Option<u64>>(), any::<Option<u64>>())
            .prop_map(|(expire_at, proposed_at_ms)| KVMeta { expire_at, proposed_at_ms }),
    );
    let data = prop::collection::vec(any::<u8>(), 0..300);
    let keys = prop::collection::btree_map(".{0,12}", (any::<u64>(), meta, data), 0..20);
    let expiries =
        prop::collection::btree_map(any::<(u64, u64)>(), (1..u64::MAX, ".{0,12}"), 0..10);
    (expiries, keys).prop_map(|(expiries, keys)| {
        let expiries = expiries.into_iter().map(|((time_ms, seq), (own_seq, key))| {
            let key = Text::from(key);
            TableEntry::Expire(ExpireKey { time_ms, seq }, ExpireValue { seq: own_seq, key })
        });
        let keys = keys.into_iter().map(|(key, (seq, meta, data))| {
            let data = Bytes::from(data);
            TableEntry::GenericKV(Text::from(key), SeqV { seq, meta, data })
        });
        expiries.chain(keys).collect()
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(entries in any_entries(), block_keys in 1..10_u64) {
        let file = table(&entries, block_keys);
        let reader = RotblReader::open(file.as_slice()).unwrap();
        prop_assert_eq!(reader.sys_data(), &sys_data());
        prop_assert_eq!(reader.stat().rows, entries.len() as u64);
        prop_assert_eq!(reader.stat().blocks, (entries.len() as u64).div_ceil(block_keys));
        prop_assert_eq!(read_all(&file), Ok(entries));
    }

    #[test]
    fn a_flipped_bit_is_reported(
        entries in any_entries(), at in any::<prop::sample::Index>(), bit in 0..8_u32,
    ) {
        let mut file = table(&entries, 5);
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        prop_assert!(read_all(&file).is_err());
    }

    #[test]
    fn random_bytes_are_no_table(bytes: Vec<u8>) {
        prop_assert!(read_all(&bytes).is_err());
    }

    /// The checksums are right, what they cover is not.
    #[test]
    fn broken_rows_never_panic(content in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = read_all(&compressed_table(&stored(&content), "", "", 1));
        let _ = read_all(&compressed_table(&content, "", "", 1));
        let _ = decompressed(&[b"\x01\x28\xb5\x2f\xfd", content.as_slice()].concat(), 1 << 20);
    }
}
