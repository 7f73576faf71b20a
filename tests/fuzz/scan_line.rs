//! Scanning any bytes as a line, held against serde.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| metadump_tests::fuzz::scan_line(data));
