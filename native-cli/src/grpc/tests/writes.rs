//! Many writes, through everything that can happen to them.

use std::time::Duration;

use tonic::Status;

use super::super::fake::{Answer, Keys, Nobody, Running, Script};
use super::super::{
    Cluster, HowFar, Retry, ServerClock, Session, Tally, Write, WriteOp, server_clock,
    take_numbers, write_all,
};
use super::*;

fn starting(keys: &Keys) -> Running {
    start(Script { keys: keys.clone(), ..Script::default() })
}

/// Two pauses that are none.
const PATIENCE: Retry = Retry { tries: 3, first_pause: Duration::ZERO };

async fn cluster(options: &ConnectOptions) -> Cluster {
    Cluster::open(options, &mut |note| panic!("{note}")).await.ok().unwrap().with_patience(PATIENCE)
}

fn put(key: impl Into<String>, found_seq: u64, value: &[u8]) -> Write {
    let op = WriteOp::Put { value: value.to_vec(), expire_at: None };
    Write { key: key.into(), found_seq, op }
}

/// So many new keys: as many transactions as there are 64.
fn new_keys(count: usize) -> Vec<Write> {
    (0..count).map(|number| put(format!("k/{number:05}"), 0, b"v")).collect()
}

struct Wrote {
    tally: Tally,
    failure: Option<String>,
    notes: Vec<String>,
}

async fn write_to(options: &ConnectOptions, writes: Vec<Write>) -> Wrote {
    let mut cluster = cluster(options).await;
    let mut notes = Vec::new();
    let note = &mut |note: &super::super::Note| notes.push(note.to_string());
    let (tally, ended) =
        write_all(&mut cluster, writes.into_iter(), &HowFar::default(), note, &mut |_| {}).await;
    Wrote { tally, failure: ended.err().map(|failure| failure.to_string()), notes }
}

#[test]
fn many_transactions_are_in_flight_and_not_more() {
    wait(async {
        // None is answered before all are there that may be.
        let keys = Keys::default().holding(32);
        let wrote = write_to(&starting(&keys).options(), new_keys(64 * 100 + 1)).await;
        assert_eq!(wrote.tally, Tally { written: 6401, ..Tally::default() });
        assert_eq!((wrote.failure, wrote.notes), (None, vec![]));
        assert_eq!((keys.list().len(), keys.most_pending()), (6401, 32));
    })
    .unwrap();
}

#[test]
fn no_more_is_in_flight_than_a_number_of_bytes() {
    wait(async {
        let keys = Keys::default().holding(8);
        let half = vec![b'v'; (1 << 19) - 100];
        let writes = (0..40).map(|number| put(format!("k/{number}"), 0, &half)).collect();
        let wrote = write_to(&starting(&keys).options(), writes).await;
        assert_eq!(wrote.tally, Tally { written: 40, ..Tally::default() });
        assert_eq!(keys.most_pending(), 8);
    })
    .unwrap();
}

#[test]
fn a_key_that_somebody_else_wrote_is_left_alone() {
    wait(async {
        let keys = Keys::default();
        for key in ["changed", "done", "gone", "kept", "old"] {
            keys.put(key, b"theirs");
        }
        let delete = |key: &str, found_seq| {
            let op = WriteOp::Delete;
            Write { key: key.to_owned(), found_seq, op }
        };
        let writes = vec![
            put("changed", 7, b"ours"),
            put("done", 7, b"theirs"),
            put("kept", 4, b"ours"),
            put("new", 0, b"ours"),
            delete("absent", 7),
            delete("gone", 3),
            delete("old", 7),
        ];
        let wrote = write_to(&starting(&keys).options(), writes).await;
        let tally = Tally {
            written: 2,
            deleted: 1,
            found_done: 2,
            overtaken: vec!["changed".to_owned(), "old".to_owned()],
            unknown: 0,
        };
        assert_eq!(wrote.tally, tally);
        let left: Vec<_> =
            keys.list().into_iter().map(|item| (item.key, item.value.unwrap().data)).collect();
        let expected = [
            ("changed", "theirs"),
            ("done", "theirs"),
            ("kept", "ours"),
            ("new", "ours"),
            ("old", "theirs"),
        ];
        assert_eq!(left, expected.map(|(key, value)| (key.to_owned(), value.into())));
    })
    .unwrap();
}

#[test]
fn writes_go_on_after_a_lost_answer_and_a_new_leader() {
    wait(async {
        let no_leader = || Status::internal("need to forward but no known leader");
        let keys = Keys::default().with_script([
            Answer::Done,
            Answer::Lost(no_leader()),
            Answer::Refused(no_leader()),
        ]);
        let (first, second) = (starting(&keys), starting(&keys));
        let both = options(vec![first.address.clone(), second.address.clone()]);
        let wrote = write_to(&both, new_keys(64 * 3)).await;
        // The keys of the second transaction are found as they are to be.
        let tally = Tally { written: 128, found_done: 64, ..Tally::default() };
        assert_eq!((wrote.tally, wrote.failure), (tally, None));
        let failed = format!(
            "Transaction: {} answers Internal: need to forward but no known leader; trying again \
             in 0 s",
            first.address
        );
        assert_eq!(wrote.notes, [failed, format!("going on with {}", second.address)]);
        assert_eq!(keys.list().len(), 192);
    })
    .unwrap();
}

#[test]
fn what_broke_off_is_reported_in_numbers() {
    wait(async {
        let gone = || Status::unavailable("gone");
        let script = [Answer::Done, Answer::Lost(gone()), Answer::Refused(gone()), Answer::Done];
        let gone_for_good = vec![Answer::Refused(gone()); 9];
        let keys = Keys::default().with_script(script.into_iter().chain(gone_for_good));
        let server = starting(&keys);
        let wrote = write_to(&server.options(), new_keys(64 * 4)).await;
        // Two transactions are done and answered; nothing says which of the other two is done.
        let tally = Tally { written: 128, unknown: 128, ..Tally::default() };
        assert_eq!(wrote.tally, tally);
        let failure = format!("Transaction: {} answers Unavailable: gone", server.address);
        let again = [
            format!("{failure}; trying again in 0 s"),
            format!("going on with {}", server.address),
        ];
        assert_eq!(wrote.failure, Some(failure));
        assert_eq!(wrote.notes, [again.clone(), again].concat());
        assert_eq!(keys.list().len(), 192);
    })
    .unwrap();
}

#[test]
fn what_will_not_get_better_is_not_tried_again() {
    wait(async {
        let keys = Keys::default().with_script([
            Answer::Refused(Status::unavailable("gone")),
            Answer::Refused(Status::out_of_range("too large")),
        ]);
        let server = starting(&keys);
        let wrote = write_to(&server.options(), new_keys(64 * 2)).await;
        assert_eq!(wrote.tally, Tally { unknown: 128, ..Tally::default() });
        let failure = format!("Transaction: {} answers OutOfRange: too large", server.address);
        assert_eq!((wrote.failure, wrote.notes), (Some(failure), vec![]));
    })
    .unwrap();
}

#[test]
fn a_server_that_has_gone_is_looked_for_again() {
    wait(async {
        let keys = Keys::default().with_script([Answer::Refused(Status::unavailable("gone"))]);
        let (server, nobody) = (starting(&keys), Nobody::new());
        let mut connect = server.options();
        let mut cluster = cluster(&connect).await;
        connect.addresses = vec![nobody.address.clone()];
        let mut notes = Vec::new();
        let note = &mut |note: &super::super::Note| notes.push(note.to_string());
        let failed = cluster
            .ask(note, async |_| Session::open_at(&connect.addresses[0], &connect).await.map(drop));
        let failure = failed.await.unwrap_err().to_string();
        let refused =
            format!("cannot connect to {}: Connection refused (os error 111)", nobody.address);
        assert_eq!(failure, refused);
        let again = [
            format!("{refused}; trying again in 0 s"),
            format!("going on with {}", server.address),
        ];
        assert_eq!(notes, [again.clone(), again].concat());
    })
    .unwrap();
}

#[test]
fn a_sequence_is_raised_by_a_key_that_does_not_stay() {
    wait(async {
        let gone = || Status::unavailable("gone");
        let keys = Keys::default().with_script([Answer::Done, Answer::Refused(gone())]);
        keys.put("a", b"");
        let server = starting(&keys);
        let mut cluster = cluster(&server.options()).await;
        let mut taken = Vec::new();
        take_numbers(&mut cluster, 16_500, &mut |_| {}, &mut |count| taken.push(count))
            .await
            .unwrap();
        assert_eq!(taken, [16_000, 16_500]);
        // All but one of the first sixteen transactions happened twice.
        assert_eq!((keys.sequence(), keys.list().len()), (1 + 15_000 + 16_500, 1));

        // A key of that name is somebody's.
        keys.put("__metadump_sequence", b"theirs");
        let failure = take_numbers(&mut cluster, 1, &mut |_| {}, &mut |_| {}).await.unwrap_err();
        assert_eq!(
            message(failure),
            "the cluster has a key __metadump_sequence, which is written to raise the sequence\n\
             help: see what it is for; without it the command can be run again"
        );
        assert_eq!(keys.get("__metadump_sequence").unwrap().data, b"theirs");
    })
    .unwrap();
}

#[test]
fn the_clock_of_a_server() {
    wait(async {
        let asked = async |server_time| {
            let server = start(Script { server_time, ..Script::default() });
            let session = Session::open(&server.options(), &mut |note| panic!("{note}")).await;
            server_clock(&session.ok().unwrap()).await.unwrap()
        };
        assert_eq!(asked(None).await, None);
        let past = asked(Some(1_000_000_000_000)).await.unwrap();
        assert_eq!(past.now_ms, 1_000_000_000_000);
        assert!(past.ahead_ms < -700_000_000_000, "{past:?}");
        let farthest = ServerClock { now_ms: u64::MAX, ahead_ms: i64::MAX };
        assert_eq!(asked(Some(u64::MAX)).await, Some(farthest));
    })
    .unwrap();
}
