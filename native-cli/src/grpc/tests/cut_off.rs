//! No export that is cut off looks complete, wherever and however it is cut.

use std::sync::atomic::Ordering;

use metadump_proto::meta::ExportedChunk;

use super::super::fake::{End, Script, ending, shortened, talking};
use super::*;

#[test]
fn a_connection_that_breaks_after_any_byte() {
    wait(async {
        let server = start(Script { export: steps(ORIGIN, 2), ..Script::default() });
        let (proxy, passed) = shortened(&server.address, u64::MAX).await;
        let whole = run(&options(vec![proxy]), &ExportOptions::default()).await;
        assert_eq!(whole.dump(), ORIGIN);
        let bytes = passed.load(Ordering::SeqCst);

        let mut truncated = 0;
        for cut in (0..bytes).step_by(997) {
            let (proxy, _) = shortened(&server.address, cut).await;
            let ran = run(&options(vec![proxy.clone()]), &ExportOptions::default()).await;
            assert!(ORIGIN.starts_with(&ran.dump()), "{cut}");
            let lines = ran.lines.len() as u64;
            match ran.ended {
                // After the status nothing is needed any more.
                Ok(exported) => assert_eq!((lines, exported.received.lines), (188, 188), "{cut}"),
                Err(Failure::Truncated { address, received, cause }) => {
                    assert_eq!((&address, received.lines), (&proxy, lines), "{cut}");
                    assert!(cause.starts_with("the connection broke: "), "{cut}: {cause}");
                    assert!(lines > 0);
                    truncated += 1;
                }
                Err(Failure::Broken { .. } | Failure::Unreachable { .. }) => {
                    assert_eq!(lines, 0, "{cut}");
                }
                Err(other) => panic!("{cut}: {other}"),
            }
        }
        assert!(truncated > 100, "{truncated} of {bytes} bytes");
    })
    .unwrap();
}

#[test]
fn a_stream_that_ends_without_a_status() {
    wait(async {
        let ends = [
            End::WithoutStatus,
            End::Reset(h2::Reason::NO_ERROR),
            End::Reset(h2::Reason::CANCEL),
            End::Reset(h2::Reason::INTERNAL_ERROR),
        ];
        for end in ends {
            let data = DUMP.lines().map(str::to_owned).collect();
            let address = ending(ExportedChunk { data }, end).await;
            let ran = run(&options(vec![address.clone()]), &ExportOptions::default()).await;
            assert_eq!(ran.dump(), DUMP, "{end:?}");
            let failure = ran.failure();
            let start = format!(
                "the dump from {address} is cut off after 16 lines, 2,282 bytes, the last is \
                 line 16: GenericKV \"fruit/plain/0\": "
            );
            assert!(failure.to_string().starts_with(&start), "{end:?}: {failure}");
        }
    })
    .unwrap();
}

#[test]
fn a_server_of_another_kind() {
    wait(async {
        let (address, _) = talking("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let failure = run(&options(vec![address]), &ExportOptions::default()).await.failure();
        assert!(matches!(failure, Failure::Broken { call: "Handshake", .. }), "{failure}");
        assert_eq!(
            failure.help(),
            "check that the port is the gRPC port (9191 by default), whether the server asks for \
             TLS (--grpc-tls-ca-cert) or for a client certificate (--grpc-tls-client-cert), and \
             its log"
        );
    })
    .unwrap();
}
