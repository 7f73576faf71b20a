//! Which of several servers is asked.

use metadump_proto::meta::ClusterStatus;

use super::super::fake::{Nobody, Running, Script};
use super::super::{NodeChoice, Session};
use super::*;

/// A server with a dump of its own; `L` is the leader.
fn server(applied: &str, leads: &str) -> Running {
    let status = ClusterStatus {
        is_leader: leads == "L",
        last_applied: applied.to_owned(),
        leader: Some("id=3 raft=h:1 grpc=h:2".to_owned()),
        ..ClusterStatus::default()
    };
    let export = vec![Step::lines([applied])];
    start(Script { status: Some(status), export, ..Script::default() })
}

async fn check(
    from: NodeChoice,
    addresses: &[&super::super::Address],
    expected: Result<&str, &str>,
    notes: &[String],
) {
    let connect = options(addresses.iter().copied().cloned().collect());
    let ran = run(&connect, &ExportOptions { from, ..ExportOptions::default() }).await;
    assert_eq!(ran.notes, notes);
    match expected {
        Ok(line) => {
            assert_eq!(ran.lines, [line]);
            ran.ended.unwrap();
        }
        Err(expected) => assert_eq!(message(ran.failure()), expected),
    }
}

#[test]
fn each_choice_takes_its_server() {
    wait(async {
        let behind = server("T1-N1.5", "");
        let fresh = server("T1-N1.1006", "");
        let leader = server("T1-N1.1005", "L");
        let nobody = Nobody::new();
        let gone = &nobody.address;
        let addresses = [&behind.address, gone, &fresh.address, &leader.address];
        let gone_note =
            format!("left out: cannot connect to {gone}: Connection refused (os error 111)");
        let behind_fresh = format!("{} is 1 log entry behind {}", leader.address, fresh.address);
        check(NodeChoice::Leader, &addresses, Ok("T1-N1.1005"), &[gone_note.clone(), behind_fresh])
            .await;
        check(NodeChoice::Freshest, &addresses, Ok("T1-N1.1006"), std::slice::from_ref(&gone_note))
            .await;
        let follower = |address| {
            format!(
                "{address} is a follower, which may be behind the leader (id=3 raft=h:1 grpc=h:2)"
            )
        };
        check(
            NodeChoice::Any,
            &[gone, &behind.address, &leader.address],
            Ok("T1-N1.5"),
            &[gone_note, follower(&behind.address)],
        )
        .await;
        check(
            NodeChoice::Leader,
            &[&behind.address, &fresh.address],
            Err("none of the given servers is the leader\n\
                 help: give the leader's address as well (id=3 raft=h:1 grpc=h:2), or take --from \
                 freshest"),
            &[],
        )
        .await;
        check(NodeChoice::Any, &[&leader.address], Ok("T1-N1.1005"), &[]).await;
    })
    .unwrap();
}

#[test]
fn servers_too_old_to_tell_their_state() {
    wait(async {
        let old = |line: &str| {
            let export = vec![Step::lines([line])];
            start(Script { status: None, export, ..Script::default() })
        };
        let (first, second) = (old("first"), old("second"));
        for from in [NodeChoice::Any, NodeChoice::Leader, NodeChoice::Freshest] {
            let note = format!(
                "{} does not report its state: it may be behind other servers",
                first.address
            );
            check(from, &[&first.address, &second.address], Ok("first"), &[note]).await;
        }
    })
    .unwrap();
}

#[test]
fn when_nobody_answers_each_is_reported() {
    wait(async {
        let (first, second) = (Nobody::new(), Nobody::new());
        let (one, two) = (&first.address, &second.address);
        let refused = "Connection refused (os error 111)";
        let expected = format!(
            "none of 2 servers can be used: cannot connect to {one}: {refused}; cannot connect to \
             {two}: {refused}\n\
             help: check that the server runs and that this is its gRPC address (port 9191 by \
             default), or give another one with --grpc-api-address"
        );
        for from in [NodeChoice::Any, NodeChoice::Leader, NodeChoice::Freshest] {
            check(from, &[one, two], Err(&expected), &[]).await;
        }
    })
    .unwrap();
}

#[test]
fn a_session_is_opened_with_the_first_that_answers() {
    wait(async {
        let (nobody, here) = (Nobody::new(), server("T1-N1.1", "L"));
        let gone = &nobody.address;
        let connect = options(vec![gone.clone(), here.address.clone()]);
        let mut notes = Vec::new();
        let session =
            Session::open(&connect, &mut |note| notes.push(note.to_string())).await.ok().unwrap();
        assert_eq!(session.address(), &here.address);
        assert_eq!(
            notes,
            [format!("left out: cannot connect to {gone}: Connection refused (os error 111)")]
        );
    })
    .unwrap();
}
