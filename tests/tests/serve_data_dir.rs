//! The data directory of a service: what it takes over, whom it lets look in, what it leaves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use metadump_tests::fixtures::{content, fixture, unpack};
use metadump_tests::meta_client::MetaClient;
use metadump_tests::served::Served;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The keys with their values.
async fn state(client: &mut MetaClient) -> Vec<(String, Vec<u8>)> {
    let items = client.list("").await.unwrap().into_iter();
    items.map(|item| (item.key, item.value.unwrap().data)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_sled_is_taken_over() {
    let (_scratch, data_dir) = unpack("serve/sled.tar.gz");
    let exported = content(&fixture("serve/sled.export.ndjson.gz")).unwrap();
    let exported = String::from_utf8(exported).unwrap();
    let mut first = None;
    for round in 0..2 {
        let served = Served::start(["--data-dir", text(&data_dir)]);
        let rewritten = "note: the database is of an earlier release and is rewritten".to_owned();
        assert_eq!(served.said.contains(&rewritten), round == 0);
        let mut client = MetaClient::connect(served.grpc).await.unwrap();
        assert!(client.export().await.unwrap() == exported);
        let state = state(&mut client).await;
        assert_eq!(first.get_or_insert_with(|| state.clone()), &state);
        served.kill();
    }
    // The dump that it began with, and what was written: each key with its last value.
    let loaded = Served::start(["--db", text(&fixture("valid/v004.ndjson"))]);
    let mut client = MetaClient::connect(loaded.grpc).await.unwrap();
    let mut expected = state(&mut client).await;
    let numbered = [14, 99, 16, 17, 18, 19, 13].iter().enumerate();
    expected.extend(
        numbered.map(|(at, value)| {
            (format!("k/{at}"), vec![*value; if *value == 99 { 1 } else { 10 }])
        }),
    );
    expected.push(("large".to_owned(), vec![8; 300_000]));
    expected.push(("later".to_owned(), vec![9]));
    expected.push(("with\0nul".to_owned(), vec![1]));
    expected.sort();
    assert!(first.unwrap() == expected);
    let mut names: Vec<_> = fs::read_dir(data_dir.join("store")).unwrap().collect();
    let mut names: Vec<_> = names.drain(..).map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["database.redb", "loaded.ndjson", "snapshot-a.ndjson"]);
}
