//! Reading any bytes as the log of a sled database.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| metadump_tests::fuzz::read_sled(data));
