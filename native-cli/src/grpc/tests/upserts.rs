//! Puts of one key, through everything that can happen to them.

use std::time::Duration;

use metadump_proto::meta::SeqV;
use tonic::Status;

use super::super::fake::{Answer, Keys, Script};
use super::super::upsert::Upserted;
use super::super::{Cluster, Note, RecordText, Retry, upsert};
use super::*;

/// Two pauses that are none.
const PATIENCE: Retry = Retry { tries: 3, first_pause: Duration::ZERO };

/// Puts `k`; `meanwhile` happens when a try has failed.
async fn put(script: Script, meanwhile: impl Fn()) -> Result<Upserted, (String, bool)> {
    let options = start(script).options();
    let mut cluster = Cluster::open(&options, &mut |note| panic!("{note}")).await.ok().unwrap();
    cluster = cluster.with_patience(PATIENCE);
    let note = &mut |note: &Note| {
        if matches!(note, Note::Retrying { .. }) {
            meanwhile();
        }
    };
    let ended = upsert(&mut cluster, "k", b"new", note).await;
    ended.map_err(|failed| (failed.failure.to_string(), failed.may_have_happened))
}

fn script(keys: &Keys) -> Script {
    Script { keys: keys.clone(), ..Script::default() }
}

fn texts(upserted: Result<Upserted, (String, bool)>) -> [String; 2] {
    let Upserted { prev, result } = upserted.unwrap();
    [prev.as_ref(), Some(&result)].map(|record| RecordText(record).to_string())
}

fn record(seq: u64) -> String {
    format!(
        "Some(SeqV {{ seq: {seq}, meta: Some(KVMeta {{ expire_at: None, proposed_at_ms: None }}), \
         data: \"[binary]\" }})"
    )
}

#[test]
fn a_key_is_put_whether_it_is_there_or_not() {
    wait(async {
        let keys = Keys::default();
        assert_eq!(texts(put(script(&keys), || ()).await), ["None".to_owned(), record(1)]);
        assert_eq!(texts(put(script(&keys), || ()).await), [record(1), record(2)]);
        assert_eq!(keys.get("k").unwrap().data, b"new");
    })
    .unwrap();
}

#[test]
fn a_try_without_an_answer_is_not_done_twice() {
    wait(async {
        let gone = || Status::unavailable("gone");
        for answers in [
            vec![Answer::Lost(gone())],
            vec![Answer::Refused(gone()), Answer::Lost(gone())],
            vec![Answer::Lost(gone()), Answer::Lost(gone())],
        ] {
            let keys = Keys::default().with_script(answers);
            keys.put("k", b"old");
            assert_eq!(texts(put(script(&keys), || ()).await), [record(1), record(2)]);
            assert_eq!(keys.sequence(), 2);
        }
    })
    .unwrap();
}

#[test]
fn what_somebody_else_wrote_after_a_lost_answer_stays() {
    wait(async {
        let keys = Keys::default().with_script([Answer::Lost(Status::unavailable("gone"))]);
        let (failure, may_have_happened) =
            put(script(&keys), || keys.put("k", b"theirs")).await.unwrap_err();
        assert!(failure.starts_with("key \"k\" is written by others"), "{failure}");
        assert!(may_have_happened);
        assert_eq!((keys.get("k").unwrap().data, keys.sequence()), (b"theirs".to_vec(), 2));
    })
    .unwrap();
}

#[test]
fn a_key_that_changes_before_the_first_try_is_put_all_the_same() {
    wait(async {
        let keys = Keys::default();
        keys.put("k", b"newer");
        let stale = SeqV { seq: 77, data: b"old".to_vec(), meta: None };
        let upserted = put(Script { records: vec![("k", stale)], ..script(&keys) }, || ()).await;
        assert_eq!(texts(upserted), [record(1), record(2)]);
    })
    .unwrap();
}

#[test]
fn who_gives_up_says_that_it_may_have_happened() {
    wait(async {
        let gone = || Answer::Lost(Status::unavailable("gone"));
        let keys = Keys::default().with_script([gone(), gone(), gone(), gone()]);
        let (failure, may_have_happened) = put(script(&keys), || ()).await.unwrap_err();
        assert!(failure.contains("answers Unavailable: gone"), "{failure}");
        assert!(may_have_happened);
        assert_eq!(keys.sequence(), 1);
    })
    .unwrap();
}
