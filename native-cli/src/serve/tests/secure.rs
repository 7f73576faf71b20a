//! TLS.

use std::fs;

use super::{options, start};
use crate::grpc::{ConnectOptions, Failure, Retry, Session, TlsFiles, member_list};
use crate::serve::{Options, Running};

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_the_certificate_that_is_given() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let tls = Some((certificate.clone().into_bytes(), key.into_bytes()));
    let running = start(Options { tls, ..options() }).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    fs::write(&path, certificate).unwrap();
    let trusting = TlsFiles { ca_cert: Some(path), ..TlsFiles::default() };
    let session = connect(&running, &trusting).await.unwrap();
    let address = running.grpc_address.to_string();
    assert_eq!(member_list(&session).await.unwrap(), [address]);
    assert!(connect(&running, &TlsFiles::default()).await.is_err());
    running.stop().await;
}

async fn connect(running: &Running, tls: &TlsFiles) -> Result<Session, Failure> {
    let address = format!("localhost:{}", running.grpc_address.port()).parse().unwrap();
    let retry = Retry { tries: 1, ..Retry::default() };
    let tls = tls.load().unwrap();
    let options = ConnectOptions { tls, retry, ..ConnectOptions::new(vec![address]) };
    Session::open(&options, &mut |_| {}).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_certificate_is_refused() {
    let tls = Some((b"none".to_vec(), b"none".to_vec()));
    let failed = Running::start(
        Options { tls, ..options() },
        &crate::progress::Progress::new(crate::progress::Quiet::Yes),
    )
    .await;
    let Err(error) = failed else { panic!("it started") };
    assert!(
        format!("{error:#}").starts_with("the certificate and the key cannot be used"),
        "{error:#}"
    );
}
