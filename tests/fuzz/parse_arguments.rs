//! Reading any text as a member of a cluster, any bytes as a manifest.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| metadump_tests::fuzz::parse_arguments(data));
