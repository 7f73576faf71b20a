//! TLS with certificates that are made here.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use super::super::fake::{Running, Script, start_at};
use super::super::{Address, Tls, TlsFiles, TlsProblem};
use super::*;

/// An authority, and its certificate in PEM.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key, both in PEM.
    fn sign(&self, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A service with a certificate of the authority.
fn server(config: ServerTlsConfig, identity: (String, String)) -> Running {
    server_at("127.0.0.1:0", config, identity)
}

fn server_at(
    socket: &str,
    config: ServerTlsConfig,
    (certificate, key): (String, String),
) -> Running {
    let tls = Some(config.identity(Identity::from_pem(certificate, key)));
    start_at(socket, Script { tls, export: steps(DUMP, 5), ..Script::default() })
}

/// Files for the command line.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: &str) -> Option<PathBuf> {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        Some(path)
    }

    fn trusting(&self, authority: &Authority) -> TlsFiles {
        TlsFiles { ca_cert: self.file("ca.pem", &authority.pem), ..TlsFiles::default() }
    }
}

async fn connect_and_run(address: &Address, files: &TlsFiles) -> Ran {
    let tls = files.load().unwrap();
    let connect = ConnectOptions { tls, ..options(vec![address.clone()]) };
    run(&connect, &ExportOptions::default()).await
}

#[track_caller]
fn check_problem(ran: Ran, problem: TlsProblem, text: &str) {
    let failure = ran.failure();
    let Failure::Tls { problem: found, address } = &failure else { panic!("{failure:?}") };
    assert_eq!(*found, problem);
    let address = address.clone();
    assert_eq!(message(failure), format!("no secure connection to {address}: {text}"));
}

#[test]
fn certificates_of_the_server() {
    wait(async {
        let (authority, other) = (Authority::new("ours"), Authority::new("other"));
        let files = Files::new();
        let running = server(ServerTlsConfig::new(), authority.sign(|_| ()));
        let trusting = files.trusting(&authority);
        let ran = connect_and_run(&running.address, &trusting).await;
        assert_eq!(ran.dump(), DUMP);
        let by_name: Address =
            format!("https://localhost:{}", running.address.port()).parse().unwrap();
        assert_eq!(connect_and_run(&by_name, &trusting).await.dump(), DUMP);

        let ipv6 = server_at("[::1]:0", ServerTlsConfig::new(), authority.sign(|_| ()));
        assert_eq!(connect_and_run(&ipv6.address, &trusting).await.dump(), DUMP);

        let wrong_name =
            TlsFiles { domain_name: Some("meta.example".to_owned()), ..trusting.clone() };
        check_problem(
            connect_and_run(&running.address, &wrong_name).await,
            TlsProblem::WrongName {
                expected: "meta.example".to_owned(),
                presented: ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec(),
            },
            "its certificate is not for \"meta.example\" but for [\"localhost\", \"127.0.0.1\", \"::1\"]\n\
             help: connect by a name that the certificate is for, or say with \
             --grpc-tls-domain-name which of its names to expect",
        );
        for other in [other, Authority::new("ours")] {
            check_problem(
                connect_and_run(&running.address, &files.trusting(&other)).await,
                TlsProblem::UnknownAuthority,
                "its certificate is not signed by a trusted authority\n\
                 help: give the certificate of the authority that signed the server's with \
                 --grpc-tls-ca-cert, and its name with --grpc-tls-domain-name",
            );
        }

        let named = server(
            ServerTlsConfig::new(),
            authority.sign(|params| {
                params.subject_alt_names =
                    vec![rcgen::SanType::DnsName("meta.example".try_into().unwrap())];
            }),
        );
        files.trusting(&authority);
        assert_eq!(connect_and_run(&named.address, &wrong_name).await.dump(), DUMP);

        let expired = server(
            ServerTlsConfig::new(),
            authority.sign(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)),
        );
        check_problem(
            connect_and_run(&expired.address, &files.trusting(&authority)).await,
            TlsProblem::NotInForce,
            "its certificate has expired or is not valid yet\n\
             help: renew the server's certificate, and compare the clocks of both machines",
        );
    })
    .unwrap();
}

#[test]
fn certificates_of_the_client() {
    wait(async {
        let (authority, other) = (Authority::new("ours"), Authority::new("other"));
        let files = Files::new();
        let config = ServerTlsConfig::new().client_ca_root(Certificate::from_pem(&authority.pem));
        let running = server(config, authority.sign(|_| ()));
        let with_certificate = |authority_of_client: &Authority| {
            let (certificate, key) = authority_of_client.sign(|_| ());
            TlsFiles {
                client_cert: files.file("client.pem", &certificate),
                client_key: files.file("client.key", &key),
                ..files.trusting(&authority)
            }
        };
        let ran = connect_and_run(&running.address, &with_certificate(&authority)).await;
        assert_eq!(ran.dump(), DUMP);
        check_problem(
            connect_and_run(&running.address, &files.trusting(&authority)).await,
            TlsProblem::ClientCertificateMissing,
            "it asks for a client certificate\n\
             help: give a certificate that the server accepts with --grpc-tls-client-cert and \
             --grpc-tls-client-key",
        );
        check_problem(
            connect_and_run(&running.address, &with_certificate(&other)).await,
            TlsProblem::ClientCertificateRefused,
            "it refuses the client certificate\n\
             help: give a certificate that is signed by an authority the server trusts",
        );
    })
    .unwrap();
}

#[test]
fn one_side_without_tls() {
    wait(async {
        let authority = Authority::new("ours");
        let files = Files::new();
        let plain = start(Script { export: steps(DUMP, 5), ..Script::default() });
        check_problem(
            connect_and_run(&plain.address, &files.trusting(&authority)).await,
            TlsProblem::NotTls,
            "it does not speak TLS\n\
             help: leave out https:// and the options for TLS if the server speaks plain text, \
             and check that the port is the gRPC port",
        );
        let secure = server(ServerTlsConfig::new(), authority.sign(|_| ()));
        let failure = connect_and_run(&secure.address, &TlsFiles::default()).await.failure();
        assert!(matches!(failure, Failure::Broken { call: "Handshake", .. }), "{failure}");

        let http: Address = format!("http://{}", secure.address).parse().unwrap();
        let failure = connect_and_run(&http, &files.trusting(&authority)).await.failure();
        assert_eq!(
            message(failure),
            format!(
                "{http} is to be reached in plain text, but there are options for TLS\n\
                 help: write the address without http://, or leave the options for TLS out"
            )
        );
    })
    .unwrap();
}

#[test]
fn a_server_that_does_not_shake_hands() {
    wait(async {
        let tls = Files::new().trusting(&Authority::new("ours")).load().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address: Address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let connect_timeout = Duration::from_secs(2);
        let connect = ConnectOptions { tls, connect_timeout, ..options(vec![address.clone()]) };
        assert_eq!(
            run(&connect, &ExportOptions::default()).await.failure().to_string(),
            format!("cannot connect to {address} within 2 s")
        );
    })
    .unwrap();
}

#[test]
fn files_that_hold_something_else() {
    let authority = Authority::new("ours");
    let (certificate, key) = authority.sign(|_| ());
    let files = Files::new();
    let load = |tls: TlsFiles| tls.load().map(|tls: Option<Tls>| tls.is_some());
    let message = |tls: TlsFiles| {
        let error = load(tls).unwrap_err();
        error.chain().map(|cause| cause.to_string()).collect::<Vec<_>>().join(": ")
    };
    assert!(!load(TlsFiles::default()).unwrap());
    assert!(load(files.trusting(&authority)).unwrap());
    let path = files.0.path().display();

    let ca_cert = files.file("key.pem", &key);
    assert_eq!(
        message(TlsFiles { ca_cert, ..TlsFiles::default() }),
        format!(
            "a certificate in PEM stands between BEGIN and END lines that name it: \
             {path}/key.pem holds no certificate in PEM"
        )
    );
    let ca_cert = Some(files.0.path().join("none"));
    assert_eq!(
        message(TlsFiles { ca_cert, ..TlsFiles::default() }),
        format!(
            "cannot read the certificate in {path}/none: No such file or directory (os error 2)"
        )
    );
    let client_cert = files.file("client.pem", &certificate);
    let client_key = files.file("client.key", &certificate);
    assert_eq!(
        message(TlsFiles { client_cert: client_cert.clone(), client_key, ..TlsFiles::default() }),
        format!(
            "a private key in PEM stands between BEGIN and END lines that name it: \
             {path}/client.key holds no private key in PEM"
        )
    );
    assert_eq!(
        message(TlsFiles { client_cert, ..TlsFiles::default() }),
        "give both --grpc-tls-client-cert and --grpc-tls-client-key: \
         a client certificate and its key only go together"
    );
}
