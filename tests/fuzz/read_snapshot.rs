//! Reading any bytes as a snapshot.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| metadump_tests::fuzz::read_snapshot(data));
