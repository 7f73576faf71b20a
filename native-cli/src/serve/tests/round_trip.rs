//! What was loaded is exported again.

use std::fs;
use std::path::{Path, PathBuf};

use metadump::record::Record;
use metadump::scan::scan_line;

use super::{dump, exported, fixture, options, session, start};
use crate::grpc::get;
use crate::open_dir::names;
use crate::serve::Options;

async fn check(path: &Path) {
    let running = start(Options { origin: dump(path), ..options() }).await;
    let loaded = fs::read_to_string(path).unwrap();
    for chunk_lines in [None, Some(1), Some(u64::MAX)] {
        assert_eq!(exported(&running, chunk_lines).await, loaded, "{}", path.display());
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_smallest_dump_of_each_version() {
    let names = names(&fixture("valid")).unwrap();
    let mut paths: Vec<_> = names.iter().map(|name| fixture("valid").join(name)).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    assert!(paths.len() >= 5, "{paths:?}");
    for path in paths {
        check(&path).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dumps_of_a_real_server() {
    for name in ["origin", "imported-n1"] {
        check(&fixture(&format!("v004/v004-{name}.export.ndjson"))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs METADUMP_CORPUS"]
async fn dumps_of_older_servers() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let corpus = std::env::var_os("METADUMP_CORPUS").map_or_else(beside, PathBuf::from);
    for name in ["v000", "v001", "v002", "v003"] {
        check(&corpus.join(format!("made/small/{name}.source-dump.ndjson"))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_a_dump_can_be_read() {
    let path = fixture("v004/v004-origin.export.ndjson");
    let text = fs::read_to_string(&path).unwrap();
    let running = start(Options { origin: dump(&path), ..options() }).await;
    let session = session(&running).await;
    let mut read = 0;
    for line in text.lines() {
        let Record::GenericKV(record) = scan_line(line.as_bytes()).unwrap().record else {
            continue;
        };
        if record.value.meta.is_some_and(|meta| meta.expire_at.is_some()) {
            continue;
        }
        let key = record.key.to_string();
        let found = get(&session, &[key.clone(), "no such key".to_owned()]).await.unwrap();
        let [Some(value), None] = found.as_slice() else { panic!("{key}: {found:?}") };
        assert!(value.seq >= record.value.seq, "{key}");
        read += 1;
    }
    assert!(read > 50, "{read}");
    running.stop().await;
}
