//! The kernels that a dump's speed depends on, each beside what serde_json does with the same text.
//!
//! `cargo bench --package metadump`; throughput is in bytes of dump text.

// A benchmark stops at whatever it does not expect.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use metadump::dump_line;
use metadump::record::{Bytes, Record, Text};
use metadump::scan::scan_line;

/// A value of `len` bytes, all of them about equally often.
fn value(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

fn array(len: usize) -> String {
    serde_json::to_string(&value(len)).unwrap()
}

fn key_line(len: usize) -> String {
    let data = array(len);
    format!(
        r#"["state_machine/0",{{"GenericKV":{{"key":"__fd_table_by_id/4711","value":{{"seq":4711,"meta":{{"proposed_at_ms":1795409920693}},"data":{data}}}}}}}]"#
    )
}

fn log_line(len: usize) -> String {
    let data = array(len);
    format!(
        r#"["raft_log",{{"LogEntry":{{"log_id":{{"leader_id":{{"term":1,"node_id":1}},"index":5}},"payload":{{"Normal":{{"time_ms":1795409924559,"cmd":{{"Transaction":{{"condition":[{{"key":"__fd_table_by_id/4711","expected":0,"target":{{"Seq":3}}}}],"if_then":[{{"request":{{"Put":{{"key":"__fd_table_by_id/4711","value":{data},"prev_value":true,"expire_at":null,"match_seq":null}}}}}}],"else_then":[]}}}}}}}}}}}}]"#
    )
}

fn scanning(criterion: &mut Criterion) {
    for (name, line) in [("a key", key_line(400)), ("a log entry", log_line(400))] {
        let mut group = criterion.benchmark_group(format!("scan {name} of 400 bytes"));
        group.throughput(Throughput::Bytes(line.len() as u64));
        group.bench_function("scan_line", |bench| {
            bench.iter(|| scan_line(black_box(line.as_bytes())).unwrap());
        });
        group.bench_function("serde_json typed", |bench| {
            bench
                .iter(|| serde_json::from_str::<(Text<'_>, Record<'_>)>(black_box(&line)).unwrap());
        });
    }
}

fn values(criterion: &mut Criterion) {
    let text = array(4000);
    let mut group = criterion.benchmark_group("a value of 4000 bytes");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("decode", |bench| {
        bench.iter(|| Bytes::Text(black_box(text.as_bytes())).decode().into_owned());
    });
    group.bench_function("serde_json to bytes", |bench| {
        bench.iter(|| serde_json::from_str::<Vec<u8>>(black_box(&text)).unwrap());
    });
    let line = key_line(4000);
    let scanned = scan_line(line.as_bytes()).unwrap();
    let Record::GenericKV(mut kv) = scanned.record else { return };
    kv.value.data = kv.value.data.into_owned();
    let record = Record::GenericKV(kv);
    let mut out = Vec::new();
    group.bench_function("encode a line", |bench| {
        bench.iter(|| {
            out.clear();
            dump_line::put(&mut out, "state_machine/0", black_box(&record)).unwrap();
        });
    });
    group.bench_function("serde_json to a line", |bench| {
        bench.iter(|| serde_json::to_vec(&("state_machine/0", black_box(&record))).unwrap());
    });
}

criterion_group!(benches, scanning, values);
criterion_main!(benches);
