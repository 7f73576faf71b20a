//! Unpacking any bytes as gzip and as zstd.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| metadump_tests::fuzz::unpack(data));
