//! Rewriting any dump.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| metadump_tests::fuzz::rewrite_dump(data));
