//! The checker's memory: a few bits for a key, 32 bytes for one that expires, nothing for values.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::convert::Infallible;
use std::fmt::Write as _;

use metadump::{Checker, LineFramer};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const KEYS: u64 = 100_000;

/// Checks a dump of many keys that is made on the way; returns how much memory it holds at
/// the end.
fn held(expire: impl Fn(u64) -> Option<u64>) -> u64 {
    let mut checker = Checker::default();
    let mut framer = LineFramer::default();
    let value = vec!["255"; 200].join(",");
    let before = MEMORY.current_usage();
    let mut lines = String::new();
    let mut feed = |lines: &mut String| {
        let Ok(()) = framer.feed(lines.as_bytes(), |line| -> Result<(), Infallible> {
            checker.line(&line);
            Ok(())
        });
        lines.clear();
    };
    writeln!(lines, r#"["state_machine/0",{{"Sequences":{{"key":"generic-kv","value":{KEYS}}}}}]"#)
        .unwrap();
    for seq in 1..=KEYS {
        if let Some(time_ms) = expire(seq) {
            writeln!(lines, r#"["state_machine/0",{{"Expire":{{"key":{{"time_ms":{time_ms},"seq":{seq}}},"value":{{"seq":{seq},"key":"key/{seq:09}"}}}}}}]"#).unwrap();
            feed(&mut lines);
        }
    }
    for seq in 1..=KEYS {
        let meta = expire(seq).map_or("null".to_owned(), |ms| format!("{{\"expire_at\":{ms}}}"));
        writeln!(lines, r#"["state_machine/0",{{"GenericKV":{{"key":"key/{seq:09}","value":{{"seq":{seq},"meta":{meta},"data":[{value}]}}}}}}]"#).unwrap();
        feed(&mut lines);
    }
    drop(lines);
    let held = MEMORY.current_usage() - before;
    let report = checker.finish();
    assert_eq!(report.summary.keys, KEYS);
    let expiring = (1..=KEYS).filter(|seq| expire(*seq).is_some()).count();
    assert_eq!(report.summary.expiring_keys, expiring as u64);
    held as u64
}

#[test]
fn memory_grows_by_what_is_promised() {
    let fixed = 64 << 10;
    let plain = held(|_| None);
    assert!(plain < fixed + KEYS / 2, "{plain} bytes for {KEYS} keys");
    let expiring = held(|seq| Some(1_796_273_929_000 + seq));
    let (least, most) = (32 * KEYS, fixed + KEYS / 2 + 36 * KEYS);
    assert!((least..most).contains(&expiring), "{expiring} bytes for {KEYS} expiring keys");
}
