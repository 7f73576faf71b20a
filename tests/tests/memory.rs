//! The checker's memory: a few bits for a key, 32 bytes for one that expires, nothing for values,
//! eight bytes for an object that is needed before its record.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::convert::Infallible;
use std::fmt::Write as _;

use metadump::{Checker, Line, LineFramer};
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
    // Tests that run at the same time would be measured together.
    of_a_long_list();
}

/// Checks a value that lists a million objects without records: holds eight bytes for each, and few
/// more while it is read.
fn of_a_long_list() {
    const IDS: u64 = 1_000_000;
    let mut ids = Vec::new();
    for id in 0..IDS {
        let mut rest = id * 70_001;
        while rest >= 0x80 {
            ids.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        ids.push(rest as u8);
    }
    let mut value = vec!["10".to_owned()];
    let len = ids.len();
    value.extend(
        [len & 0x7f | 0x80, len >> 7 & 0x7f | 0x80, len >> 14 & 0x7f | 0x80, len >> 21]
            .map(|byte| byte.to_string()),
    );
    value.extend(ids.iter().map(u8::to_string));
    let value = value.join(",");
    let line = format!(
        r#"["state_machine/0",{{"GenericKV":{{"key":"__fd_table_id_list/1/t","value":{{"seq":1,"meta":null,"data":[{value}]}}}}}}]"#
    );
    let mut checker = Checker::default();
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    checker.line(&Line::new(1, 0, line.as_bytes(), true));
    let held = MEMORY.current_usage() - before;
    let peak = MEMORY.peak_usage() - before;
    let report = checker.finish();
    let expected = format!("id lists with {IDS} tables that have no record, the first is table 0");
    assert!(report.findings.kept().iter().any(|finding| finding.message == expected));
    assert!(held < 16 * IDS as usize, "{held}");
    assert!(peak < 32 * IDS as usize, "{peak}");
}
