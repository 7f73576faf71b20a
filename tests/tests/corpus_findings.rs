//! What the checker says of real dumps: servers and official tools of every age wrote them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use metadump::check::Severity;
use metadump_tests::dump::check;
use metadump_tests::fixtures::{content, corpus, corpus_dumps};

/// Every dump with the findings of each code. Only two have errors, because they are wrong: they
/// were made to show what a broken expiry index does.
const DUMPS: [(&str, &str); 75] = [
    ("made/apply/A1-expired-in-snapshot.ndjson", ""),
    ("made/apply/A2-ops.ndjson", ""),
    ("made/apply/B-crafted-log.ndjson", "node-not-member 1"),
    ("made/apply/B-input.ndjson", "no-snapshot 1, node-not-member 1"),
    ("made/apply/C-input.ndjson", "expire-without-key 6, key-without-expire 2"),
    ("made/apply/C-stale-expire.ndjson", "expire-without-key 6, key-without-expire 1"),
    ("made/apply/D-restart-of-B.ndjson", "node-not-member 1"),
    ("made/large/v002-mixed.official-chain-export.ndjson.gz", ""),
    ("made/large/v002-mixed.source-dump.ndjson.gz", ""),
    ("made/large/v004-origin.export.ndjson.gz", ""),
    ("made/small/v000.official-chain-export.ndjson", ""),
    ("made/small/v000.source-dump.ndjson", "header-absent 1"),
    ("made/small/v001.official-chain-export.ndjson", ""),
    ("made/small/v001.source-dump.ndjson", ""),
    ("made/small/v002.official-chain-export.ndjson", ""),
    ("made/small/v002.source-dump.ndjson", ""),
    ("made/small/v003.official-chain-export.ndjson", ""),
    ("made/small/v003.source-dump.ndjson", ""),
    ("made/small/v004-imported-n1.export.ndjson", ""),
    ("made/small/v004-imported-n2.export.ndjson", ""),
    ("made/small/v004-imported-n3.export.ndjson", ""),
    ("made/small/v004-origin.export.ndjson", ""),
    ("upstream/dumps/v001_2023-05-18_want.txt", ""),
    ("upstream/dumps/v001_2024-03-04_meta_v001.txt", ""),
    ("upstream/dumps/v001_online_v1.1.40.txt", "header-absent 1"),
    ("upstream/dumps/v002_2023-08-08_compat07_want.txt", ""),
    ("upstream/dumps/v002_2023-08-08_meta_v002.txt", ""),
    ("upstream/dumps/v002_2023-08-08_want_exported_v002.txt", ""),
    ("upstream/dumps/v002_2024-11-04_meta_v002.txt", ""),
    ("upstream/dumps/v002_online_v1.2.361.txt", "header-absent 1"),
    ("upstream/dumps/v002_online_v1.2.53.txt", "header-absent 1"),
    ("upstream/dumps/v002_online_v1.2.546.txt", "header-absent 1"),
    ("upstream/dumps/v003_2024-06-27_meta_v003.txt", ""),
    ("upstream/dumps/v003_2024-06-27_want_exported_v003.txt", ""),
    ("upstream/dumps/v003_2024-11-04_want_exported_v003.txt", ""),
    ("upstream/dumps/v003_2024-11-10_meta_v003.txt", ""),
    ("upstream/dumps/v003_online_v1.2.547.txt", "header-absent 1"),
    ("upstream/dumps/v004_2024-11-10_meta_v004.txt", ""),
    ("upstream/dumps/v004_2025-07-19_want_exported_v004.txt", ""),
    ("upstream/dumps/v004_2025-10-01_want_exported_v004.txt", ""),
    ("upstream/dumps/v004_2026-03-16_want_exported_v004.txt", ""),
    ("upstream/dumps/v004_online_meta-a73487e.txt", ""),
    ("upstream/dumps/v004_online_v1.2.655.txt", ""),
    ("upstream/dumps/v004_online_v1.2.777.txt", ""),
    ("upstream/dumps/v004_online_v1.2.823.txt", ""),
    ("upstream/dumps/v004_online_v1.2.873.txt", ""),
    (
        "upstream/dumps/v0_2022-02-22_json-dbtable_meta.json.txt",
        "header-absent 1, retired-kind 4, sequences-key 7",
    ),
    (
        "upstream/dumps/v0_2022-05-04_meta.json.txt",
        "header-absent 1, retired-kind 4, sequences-key 7, expire-index-absent 1",
    ),
    ("upstream/dumps/v0_2022-05-07_pb_meta.json.txt", "header-absent 1, expire-index-absent 1"),
    (
        "upstream/dumps/v0_2022-06-23_grpc_addr_meta.json.txt",
        "header-absent 1, expire-index-absent 1",
    ),
    ("upstream/dumps/v0_2022-09-10_meta.txt", "header-absent 1, expire-index-absent 1"),
    ("upstream/dumps/v0_2022-11-01_expire_meta.txt", "header-absent 1"),
    (
        "upstream/dumps/v0_2023-01-17_meta-upgrade-09_meta-v23.txt",
        "header-absent 1, expire-index-absent 1",
    ),
    ("upstream/dumps/v0_2023-02-02_openraft07_meta.txt", "header-absent 1"),
    ("upstream/dumps/v0_2023-03-07_compat07_meta.txt", "header-absent 1"),
    ("upstream/dumps/v0_2023-03-07_compat07_want.txt", "header-absent 1"),
    ("upstream/dumps/v0_2023-03-07_openraft08_meta.txt", "header-absent 1"),
    ("upstream/dumps/v0_2023-04-21_compat07_want_header.txt", ""),
    (
        "upstream/dumps/v0_2023-04-21_meta-upgrade-09_meta-v23.txt",
        "header-absent 1, expire-index-absent 1",
    ),
    ("upstream/dumps/v0_2023-05-09_want_exported.txt", "header-absent 1"),
    ("upstream/dumps/v0_2023-08-08_v0-raft-log.txt", "header-absent 1"),
    ("upstream/dumps/v0_online_v0.6.71.txt", "header-absent 1"),
    ("upstream/dumps/v0_online_v0.7.59a.txt", "header-absent 1"),
    ("upstream/dumps/v0_online_v0.7.59b.txt", "header-absent 1, retired-kind 1"),
    ("upstream/dumps/v0_online_v0.8.30.txt", "header-absent 1"),
    ("upstream/dumps/v0_online_v0.9.24.txt", "header-absent 1"),
    ("upstream/dumps/v0_online_v1.0.5.txt", "header-absent 1"),
    ("upstream/dumps/v0_online_v1.0.7.txt", "header-absent 1"),
    ("upstream/dumps/v0_online_v1.1.13.txt", "header-absent 1"),
    ("upstream/meta_v004.filtered-test_tenant.ndjson", "no-raft-log 1"),
    ("upstream/raft-dirs/v000-from-meta_v001.official-chain-export.ndjson", ""),
    ("upstream/raft-dirs/v001-from-meta_v002.official-chain-export.ndjson", ""),
    ("upstream/raft-dirs/v002-from-meta_v002.official-chain-export.ndjson", ""),
    ("upstream/raft-dirs/v004-from-meta_v003.export.ndjson", ""),
    ("upstream/raft-dirs/v004-from-meta_v004.export.ndjson", ""),
];

/// Files beside the dumps that are none: a snapshot, whose lines lack the tree, and a listing.
const NO_DUMPS: [(&str, &str); 2] = [
    ("upstream/dumps/v002_2023-08-08_want_snapshot_v002.txt", "foreign-file 1"),
    ("upstream/dumps/v004_2026-02-12_dump_raft_log_wal_expected_decoded.txt", "foreign-file 1"),
];

#[test]
#[ignore = "needs METADUMP_CORPUS"]
fn real_dumps_have_no_errors_unless_they_are_wrong() {
    let corpus = corpus();
    let mut listed: Vec<&str> = DUMPS.iter().chain(&NO_DUMPS).map(|(file, _)| *file).collect();
    listed.sort_unstable();
    assert_eq!(corpus_dumps(&corpus).unwrap(), listed);
    let mut wrong = Vec::new();
    for (file, expected) in DUMPS.iter().chain(&NO_DUMPS) {
        let report = check(&content(&corpus.join(file)).unwrap());
        let counts = report.findings.counts().iter();
        let counts: Vec<String> = counts.map(|(code, count)| format!("{code} {count}")).collect();
        assert_eq!(&counts.join(", "), expected, "{file}");
        if report.findings.count_of(Severity::Error) > 0 {
            wrong.push(*file);
        }
    }
    let mut expected = vec!["made/apply/C-input.ndjson", "made/apply/C-stale-expire.ndjson"];
    expected.extend(NO_DUMPS.iter().map(|(file, _)| *file));
    assert_eq!(wrong, expected);
}
