//! The service over a real socket, asked by the client of this crate.

mod calls;
mod client;
mod door;
mod power_cut;
mod restart;
mod round_trip;
mod secure;
mod snapshots;
mod watching;
mod writes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::OLDEST_CLIENT;
use super::{InitialData, Options, Reach, Running, Users};
use crate::grpc::{AdminApi, ConnectOptions, ExportOptions, Retry, Session, export};
use crate::input::Source;
use crate::progress::{Progress, Quiet};

/// Options of a service on free ports, on the data of nobody.
fn options() -> Options {
    let any = "127.0.0.1:0".parse().unwrap();
    Options {
        origin: None,
        data_dir: None,
        grpc_address: any,
        admin_address: Some(any),
        reach: Reach::ThisMachine,
        oldest_client: OLDEST_CLIENT,
        users: Users::default(),
        token_lifetime: Duration::from_secs(60),
        tls: None,
    }
}

fn dump(path: &Path) -> Option<InitialData> {
    Some(InitialData::Dump(Source::open(Some(&path.to_owned().into())).unwrap()))
}

async fn start(options: Options) -> Running {
    Running::start(options, &Progress::new(Quiet::Yes)).await.unwrap()
}

fn connect_options(running: &Running) -> ConnectOptions {
    let address = running.grpc_address.to_string().parse().unwrap();
    let retry = Retry { tries: 1, ..Retry::default() };
    ConnectOptions { retry, ..ConnectOptions::new(vec![address]) }
}

async fn session(running: &Running) -> Session {
    Session::open(&connect_options(running), &mut |_| {}).await.unwrap()
}

/// The dump that the service exports.
async fn exported(running: &Running, chunk_lines: Option<u64>) -> String {
    let mut text = String::new();
    let chunk_lines = chunk_lines.map(|lines| lines.try_into().unwrap());
    let options = ExportOptions { chunk_lines, ..ExportOptions::default() };
    export(&connect_options(running), &options, &mut |_| {}, &mut |line| {
        text.push_str(line);
        text.push('\n');
        Ok(())
    })
    .await
    .unwrap();
    text
}

/// Has a snapshot taken.
async fn snapshot(running: &Running) {
    admin_api(running).trigger_snapshot().await.unwrap();
}

fn admin_api(running: &Running) -> AdminApi {
    let minute = Duration::from_secs(60);
    AdminApi {
        address: running.admin_address.unwrap().to_string().parse().unwrap(),
        connect_timeout: minute,
        answer_timeout: minute,
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}
