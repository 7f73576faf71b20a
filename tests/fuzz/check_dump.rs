//! Framing, scanning and checking any bytes as a dump.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| metadump_tests::fuzz::check_dump(data));
