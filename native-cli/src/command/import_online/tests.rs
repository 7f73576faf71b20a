//! What a restore does by the clock of the server, and what it says when it breaks off.

use clap::Parser;
use metadump::reconcile::Present;
use tonic::Status;

use super::*;
use crate::args::{Cli, Command};
use crate::failure::Help;
use crate::grpc::fake::{Answer, Keys, Running, Script, start};
use crate::grpc::{Address, Tally};
use crate::progress::Quiet;

/// A dump with a key that stays, and one that expired on 9 September 2001 at 01:46:40.
fn dump() -> tempfile::NamedTempFile {
    let lines = r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]
["raft_log",{"NodeId":1}]
["raft_log",{"Vote":{"leader_id":{"term":1,"node_id":1},"committed":true}}]
["raft_log",{"Committed":{"leader_id":{"term":1,"node_id":1},"index":8}}]
["raft_log",{"Purged":{"leader_id":{"term":1,"node_id":1},"index":8}}]
["state_machine/0",{"Sequences":{"key":"generic-kv","value":4}}]
["state_machine/0",{"StateMachineMeta":{"key":"LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":1},"index":8}}}}]
["state_machine/0",{"StateMachineMeta":{"key":"LastMembership","value":{"Membership":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":3},"membership":{"configs":[[1]],"nodes":{"1":{}}}}}}}]
["state_machine/0",{"Nodes":{"key":1,"value":{"name":"1","endpoint":{"addr":"127.0.0.1","port":28004},"grpc_api_advertise_address":"127.0.0.1:9191"}}}]
["state_machine/0",{"Expire":{"key":{"time_ms":1000000000000,"seq":3},"value":{"seq":3,"key":"e"}}}]
["state_machine/0",{"GenericKV":{"key":"e","value":{"seq":3,"meta":{"expire_at":1000000000000},"data":[102]}}}]
["state_machine/0",{"GenericKV":{"key":"p","value":{"seq":4,"meta":null,"data":[120]}}}]
"#;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines).unwrap();
    file
}

fn import(address: &Address, dump: &tempfile::NamedTempFile) -> Import {
    let address = address.to_string();
    let path = dump.path().to_str().unwrap();
    let words =
        ["databend-metactl", "import", "--grpc-api-address", &address, "--db", path, "--yes"];
    match Cli::try_parse_from(words).unwrap().command {
        Command::Import(args) => args,
        other => panic!("{other:?}"),
    }
}

fn state(args: &Import, progress: &Progress) -> DumpState {
    let source = Source::open(args.dump.name().unwrap().as_ref()).unwrap();
    DumpState::read(args, &source, progress).unwrap()
}

/// Compares a dump with a service, by its clock.
async fn plan(server: &Running) -> (WritePlan, Option<Note>) {
    let dump = dump();
    let args = import(&server.address, &dump);
    let progress = Progress::new(Quiet::Yes);
    let state = state(&args, &progress);
    let cluster =
        Cluster::open(&server.options(), &mut |note| panic!("{note}")).await.ok().unwrap();
    let mut target = Target { cluster, state: &state, how: &args.reconcile, progress: &progress };
    let (plan, clock) = target.compare().await.unwrap();
    let note = clock_note(target.cluster.session(), clock);
    (plan, note)
}

#[test]
fn what_has_expired_is_decided_by_the_clock_of_the_server() {
    wait(async {
        for (server_time, missing) in [
            (Some(1_000_000_000_000), &["e", "p"][..]),
            (Some(1_000_000_000_001), &["p"]),
            (None, &["p"]),
        ] {
            let server = start(Script { server_time, ..Script::default() });
            let (plan, note) = plan(&server).await;
            assert_eq!(plan.missing, missing, "{server_time:?}");
            assert_eq!(plan.expired, 2 - missing.len() as u64);
            let reported = note.unwrap().to_string();
            let address = &server.address;
            match server_time {
                None => assert_eq!(
                    reported,
                    format!(
                        "{address} does not report its time: what has expired is decided by the \
                         clock of this machine"
                    )
                ),
                Some(_) => assert!(
                    reported.starts_with(&format!("the clock of {address} is "))
                        && reported.ends_with(
                            " days behind that of this machine: what has expired is decided by \
                             the server's"
                        ),
                    "{reported}"
                ),
            }
        }
        // The clock of a machine is as far from itself as a call takes.
        let server = start(Script { server_time: Some(now_ms()), ..Script::default() });
        assert_eq!(plan(&server).await.1, None);
    })
    .unwrap();
}

/// The lines of an error on the terminal.
fn rendered(error: &anyhow::Error) -> String {
    let help = error.downcast_ref::<Help>().unwrap().to_string();
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    assert_eq!(chain[0], help);
    format!("{}\nhelp: {help}", chain[1..].join("\ncause: "))
}

#[test]
fn a_restore_that_cannot_write_says_how_far_it_came() {
    wait(async {
        let too_large = Answer::Refused(Status::out_of_range("too large"));
        let keys = Keys::default().with_script([too_large]);
        let server = start(Script { keys, server_time: Some(now_ms()), ..Script::default() });
        let dump = dump();
        let args = import(&server.address, &dump);
        let progress = Progress::new(Quiet::Yes);
        let state = state(&args, &progress);
        let error = restore(&args, &server.options(), &state, &progress).await.err().unwrap();
        assert_eq!(
            rendered(&error),
            format!(
                "0 to 1 of 1 key are written\n\
                 cause: Transaction: {} answers OutOfRange: too large\n\
                 help: the message may be larger than what the server takes: see its log and its \
                 limit; run the command again: it goes on with the rest",
                server.address
            )
        );
    })
    .unwrap();
}

#[test]
fn how_a_restore_broke_off() {
    let address: Address = "10.0.0.1:9191".parse().unwrap();
    let tally =
        Tally { written: 1_000, deleted: 80, found_done: 8, unknown: 64, ..Tally::default() };
    let broken = Failure::Broken {
        address: address.clone(),
        call: "Transaction",
        cause: "Connection refused".to_owned(),
    };
    assert_eq!(
        rendered(&ended::broke_off(&tally, 30_863, "written or deleted", broken)),
        "1,088 to 1,152 of 30,863 keys are written or deleted\n\
         cause: Transaction: the connection to 10.0.0.1:9191 broke: Connection refused\n\
         help: see that the server runs, or give further ones with --grpc-api-address; run the \
         command again: it goes on with the rest"
    );
    let no_leader = Failure::Call {
        address,
        call: "Transaction",
        code: Code::Internal,
        message: "need to forward but no known leader".to_owned(),
    };
    let tally = Tally { unknown: 0, ..tally };
    assert_eq!(
        rendered(&ended::broke_off(&tally, 30_863, "written", no_leader)),
        "1,088 of 30,863 keys are written\n\
         cause: Transaction: 10.0.0.1:9191 answers Internal: need to forward but no known leader\n\
         help: see that a majority of the cluster's nodes runs and has a leader (`status`); run \
         the command again: it goes on with the rest"
    );
}

#[test]
fn how_a_restore_ended() {
    let tally = Tally { written: 1, ..Tally::default() };
    assert_eq!(ended::done(&tally), "wrote 1 key");
    let tally = Tally { written: 2, deleted: 3, found_done: 64, ..Tally::default() };
    let found = "64 were found as in the dump when their turn came";
    assert_eq!(ended::done(&tally), format!("wrote 2 keys and deleted 3; {found}"));

    let left = WritePlan { same: 5, expired: 2, registrations: 1, ..WritePlan::default() };
    assert_eq!(
        ended::outcome(&tally, &left).unwrap(),
        "the cluster has all 5 keys of the dump, without 2 that expired, without 1 registration \
         of query nodes"
    );
    let different = vec![Present { key: "k".to_owned(), seq: 1 }];
    let error = ended::outcome(&tally, &WritePlan { different, ..left.clone() }).unwrap_err();
    assert_eq!(
        rendered(&error),
        "1 key of the cluster is not as in the dump\n\
         help: somebody else writes to the cluster: run the command again"
    );
    let overtaken = Tally { overtaken: vec!["a\n".to_owned(), "b".to_owned()], ..tally };
    assert_eq!(
        rendered(&ended::outcome(&overtaken, &left).unwrap_err()),
        "2 keys were written by somebody else meanwhile and left alone, the first one \"a\\n\"\n\
         help: run the command again to see what still differs"
    );
}
