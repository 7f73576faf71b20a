//! Exports that work, and exports that the server, the limits or the consumer end.

use std::num::NonZeroU64;
use std::time::Duration;

use tonic::{Code, Status};

use super::super::fake::{Nobody, Script, start_at};
use super::super::{Address, Credentials, Retry};
use super::*;

fn script(export: Vec<Step>) -> Script {
    Script { export, ..Script::default() }
}

#[test]
fn a_real_dump_arrives_byte_by_byte() {
    wait(async {
        for chunk in [1, 32, 1000] {
            let server = start(script(steps(ORIGIN, chunk)));
            let ran = run(&server.options(), &ExportOptions::default()).await;
            assert_eq!(ran.dump(), ORIGIN);
            assert_eq!(ran.notes, [""; 0]);
            let exported = ran.ended.unwrap();
            assert_eq!(exported.address, server.address);
            assert_eq!(exported.version, ServerVersion(260_304_000_000));
            let received = Received {
                lines: 188,
                bytes: 165_456,
                last_line: ORIGIN.lines().last().unwrap().to_owned(),
            };
            assert_eq!(exported.received, received);
        }
    })
    .unwrap();
}

#[test]
fn what_arrives_is_a_dump_without_findings() {
    wait(async {
        let server = start(script(steps(DUMP, 3)));
        let mut checker = metadump::Checker::default();
        let mut framer = LineFramer::default();
        let ended =
            export(&server.options(), &ExportOptions::default(), &mut |_| (), &mut |line| {
                let mut check = |line: metadump::Line<'_>| {
                    checker.line(&line);
                    anyhow::Ok(())
                };
                framer.feed(line.as_bytes(), &mut check)?;
                framer.feed(b"\n", &mut check)
            })
            .await;
        assert_eq!(ended.unwrap().received.lines, 16);
        assert_eq!(checker.finish().findings.counts().len(), 0);
    })
    .unwrap();
}

#[test]
fn the_version_decides_the_call() {
    wait(async {
        let chunk_lines = NonZeroU64::new(7);
        for (version, chunk_lines, call) in [
            (0, chunk_lines, "Export"),
            (1_002_314, chunk_lines, "Export"),
            (1_002_315, chunk_lines, "ExportV1 7"),
            (1_002_315, None, "ExportV1"),
            (260_304_000_000, chunk_lines, "ExportV1 7"),
        ] {
            let server = start(Script { version, ..script(steps(DUMP, 5)) });
            let options = ExportOptions { chunk_lines, ..ExportOptions::default() };
            let ran = run(&server.options(), &options).await;
            assert_eq!(ran.dump(), DUMP);
            assert_eq!(server.calls(), ["Handshake root", "GetClusterStatus", call]);
        }
    })
    .unwrap();
}

#[test]
fn addresses_of_every_form_are_connected_to() {
    wait(async {
        let server = start(script(steps(DUMP, 5)));
        let port = server.address.port();
        let with_ipv6 = start_at("[::1]:0", script(steps(DUMP, 5)));
        for text in [
            format!("localhost:{port}"),
            format!("http://127.0.0.1:{port}/"),
            with_ipv6.address.to_string(),
        ] {
            let connect = options(vec![text.parse().unwrap()]);
            let ran = run(&connect, &ExportOptions::default()).await;
            assert_eq!(ran.dump(), DUMP, "{text}");
        }
    })
    .unwrap();
}

#[test]
fn a_wrong_password_is_reported_with_the_user_and_not_tried_again() {
    wait(async {
        let known = Credentials { username: "backup".to_owned(), password: "right".to_owned() };
        let wrong = Credentials { password: "wrong".to_owned(), ..known.clone() };
        let server = start(Script { users: Some(known.clone()), ..script(steps(DUMP, 5)) });
        let connect =
            ConnectOptions { credentials: wrong, retry: Retry::default(), ..server.options() };
        let ran = run(&connect, &ExportOptions::default()).await;
        assert_eq!(
            message(ran.failure()),
            format!(
                "{} refuses user \"backup\": wrong user\\nor password\n\
                 help: name the user with --user, and give the password with \
                 --password-file or in METACTL_PASSWORD",
                server.address
            )
        );
        assert_eq!(server.calls(), ["Handshake backup"]);

        let connect = ConnectOptions { credentials: known, ..server.options() };
        assert_eq!(run(&connect, &ExportOptions::default()).await.dump(), DUMP);
    })
    .unwrap();
}

#[test]
fn a_status_in_the_middle_tells_what_had_arrived() {
    wait(async {
        let mut export = steps(DUMP, 5);
        export[2] = Step::Fail(Status::internal("disk\u{1b}[31m gone"));
        let server = start(script(export));
        let connect = ConnectOptions { retry: Retry::default(), ..server.options() };
        let ran = run(&connect, &ExportOptions::default()).await;
        let expected: Vec<&str> = DUMP.lines().take(10).collect();
        assert_eq!(ran.lines, expected);
        let bytes = ran.dump().len();
        assert_eq!(bytes, 1_394);
        assert_eq!(
            message(ran.failure()),
            format!(
                "the dump from {} is cut off after 10 lines, 1,394 bytes, the last is line 10: \
                 StateMachineMeta \"LastApplied\": Internal: disk\\u{{1b}}[31m gone\n\
                 help: what was written is not a backup; export again, from another server if \
                 need be",
                server.address
            )
        );
        // What has begun to arrive is not begun again.
        assert_eq!(server.calls().len(), 3);
    })
    .unwrap();
}

#[test]
fn a_status_before_the_first_line_is_that_of_the_call() {
    wait(async {
        let server = start(script(vec![Step::Fail(Status::internal("no permit"))]));
        let ran = run(&server.options(), &ExportOptions::default()).await;
        assert_eq!(
            message(ran.failure()),
            format!(
                "ExportV1: {} answers Internal: no permit\nhelp: the log of the server says more",
                server.address
            )
        );
    })
    .unwrap();
}

#[test]
fn an_empty_dump_is_no_dump() {
    wait(async {
        for export in [vec![], vec![Step::lines([])]] {
            let server = start(script(export));
            let failure = run(&server.options(), &ExportOptions::default()).await.failure();
            assert!(matches!(&failure, Failure::Empty { address } if *address == server.address));
            assert_eq!(failure.to_string(), format!("{} sends an empty dump", server.address));
        }
    })
    .unwrap();
}

#[test]
fn a_silent_server_is_not_waited_for() {
    wait(async {
        let idle_timeout = Duration::from_secs(4);
        let server = start(script(vec![steps(DUMP, 2).remove(0), Step::Silence]));
        let connect = ConnectOptions { idle_timeout, ..server.options() };
        let ran = run(&connect, &ExportOptions::default()).await;
        assert_eq!(
            ran.failure().to_string(),
            format!(
                "the dump from {0} is cut off after 2 lines, 96 bytes, the last is line 2: \
                 NodeId: ExportV1: no answer from {0} within 4 s",
                server.address
            )
        );

        let server = start(script(vec![Step::Silence]));
        let connect = ConnectOptions { idle_timeout, ..server.options() };
        let ran = run(&connect, &ExportOptions::default()).await;
        assert_eq!(
            message(ran.failure()),
            format!(
                "ExportV1: no answer from {} within 4 s\n\
                 help: wait longer with --idle-timeout, or ask another server",
                server.address
            )
        );
    })
    .unwrap();
}

#[test]
fn a_message_over_the_limit_names_the_option_and_the_line_before() {
    wait(async {
        let large = format!(r#"["state_machine/0",{{"GenericKV":"{}"}}]"#, "a".repeat(5 << 20));
        let mut export = steps(DUMP, 4);
        export.push(Step::lines([large.as_str()]));
        let server = start(script(export));
        // The default of gRPC, 4 MiB, does not apply.
        let ran = run(&server.options(), &ExportOptions::default()).await;
        assert_eq!(ran.ended.unwrap().received.lines, 17);

        let connect = ConnectOptions { max_message_bytes: 5_000_000, ..server.options() };
        let ran = run(&connect, &ExportOptions::default()).await;
        assert_eq!(ran.dump(), DUMP);
        let failure = ran.failure();
        assert!(matches!(
            &failure,
            Failure::MessageTooLarge {
                message_bytes: Some(5_242_921),
                limit_bytes: 5_000_000,
                received,
                ..
            } if received.lines == 16
        ));
        assert_eq!(
            message(failure),
            format!(
                "{} sends 5,242,921 bytes in one message, more than the 5,000,000 that are taken, \
                 after 16 lines, 2,282 bytes, the last is line 16: GenericKV \"fruit/plain/0\"\n\
                 help: take larger messages with --max-message-bytes 5242921, or fewer lines a \
                 message with --chunk-size 1",
                server.address
            )
        );
    })
    .unwrap();
}

#[test]
fn a_message_over_the_limit_of_the_server_is_reported_apart() {
    wait(async {
        let server = start(Script { max_encoding_bytes: 400, ..script(steps(DUMP, 5)) });
        let ran = run(&server.options(), &ExportOptions::default()).await;
        assert_eq!(
            message(ran.failure()),
            format!(
                "{} cannot send a message as large as the next one, after nothing: Error, \
                 encoded message length too large: found 1084 bytes, the limit is: 400 bytes\n\
                 help: ask for fewer lines a message with --chunk-size 1; if that is not \
                 enough, raise the server's own limit, or export from its stopped data directory",
                server.address
            )
        );
        // As releases before 1.2.880 word it.
        let status = Status::out_of_range(
            "Error, message length too large: found 5000000 bytes, the limit is: 4194304 bytes",
        );
        let server = start(script(vec![Step::lines(["a"]), Step::Fail(status)]));
        let failure = run(&server.options(), &ExportOptions::default()).await.failure();
        assert_eq!(
            failure.to_string(),
            format!(
                "{} cannot send a message as large as the next one, after 1 line, 2 bytes: Error, \
                 message length too large: found 5000000 bytes, the limit is: 4194304 bytes",
                server.address
            )
        );
    })
    .unwrap();
}

#[test]
fn what_the_consumer_fails_with_comes_back_as_it_was() {
    wait(async {
        let server = start(script(vec![Step::lines(["garbage", "more"])]));
        let mut calls = 0;
        let ended =
            export(&server.options(), &ExportOptions::default(), &mut |_| (), &mut |line| {
                calls += 1;
                assert_eq!(line, "garbage");
                Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
                Ok(())
            })
            .await;
        let error = ended.unwrap_err().explained();
        let cause = error.downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(cause.kind(), std::io::ErrorKind::BrokenPipe);
        assert_eq!(error.to_string(), "broken pipe");
        assert_eq!(calls, 1);
    })
    .unwrap();
}

#[test]
fn a_line_that_is_two_is_refused() {
    wait(async {
        let server = start(script(vec![Step::lines(["a", "[1,\n2]", "b"])]));
        let ran = run(&server.options(), &ExportOptions::default()).await;
        assert_eq!(ran.lines, ["a"]);
        assert_eq!(
            ran.failure().to_string(),
            format!("{} sends line 2 with a line break in it", server.address)
        );
    })
    .unwrap();
}

#[test]
fn what_may_be_better_next_time_is_tried_again() {
    wait(async {
        let retry = Retry { tries: 3, first_pause: Duration::from_millis(1) };
        let server = start(Script { unavailable: 2, ..script(steps(DUMP, 5)) });
        let connect = ConnectOptions { retry, ..server.options() };
        let ran = run(&connect, &ExportOptions::default()).await;
        assert_eq!(ran.dump(), DUMP);
        let note = |pause| {
            let address = &server.address;
            format!("ExportV1: {address} answers Unavailable: starting; trying again in {pause} s")
        };
        assert_eq!(ran.notes, [note("0.001"), note("0.002")]);

        let server = start(Script { unavailable: 3, ..script(steps(DUMP, 5)) });
        let connect = ConnectOptions { retry, ..server.options() };
        let failure = run(&connect, &ExportOptions::default()).await.failure();
        assert!(matches!(failure, Failure::Call { code: Code::Unavailable, .. }), "{failure}");
    })
    .unwrap();
}

#[test]
fn a_server_that_does_not_shake_hands() {
    wait(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address: Address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let connect_timeout = Duration::from_secs(2);
        let connect = ConnectOptions { connect_timeout, ..options(vec![address.clone()]) };
        assert_eq!(
            message(run(&connect, &ExportOptions::default()).await.failure()),
            format!(
                "Handshake: no answer from {address} within 2 s\n\
                 help: wait longer with --connect-timeout, or ask another server; a server that \
                 speaks TLS only does not understand plain text (--grpc-tls-ca-cert)"
            )
        );
    })
    .unwrap();
}

#[test]
fn nobody_listens() {
    wait(async {
        let nobody = Nobody::new();
        let address = nobody.address.clone();
        let ran = run(&options(vec![address.clone()]), &ExportOptions::default()).await;
        assert_eq!(
            message(ran.failure()),
            format!(
                "cannot connect to {address}: Connection refused (os error 111)\n\
                 help: check that the server runs and that this is its gRPC address (port 9191 by \
                 default), or give another one with --grpc-api-address"
            )
        );
        let ran = run(&options(vec![]), &ExportOptions::default()).await;
        assert_eq!(
            message(ran.failure()),
            "none of 0 servers can be used: \n\
             help: give the gRPC address of a server with --grpc-api-address"
        );
    })
    .unwrap();
}
