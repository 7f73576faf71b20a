//! The units of deploy/systemd: systemd takes them, and their commands make a backup.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use metadump_tests::fixtures::fixture;
use metadump_tests::metactl;
use metadump_tests::served::Served;
use metadump_tests::tree::names;
use tempfile::TempDir;

fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd")
}

/// What a shell gets of the command of a unit.
fn script(unit: &str, of: &str) -> String {
    let start = format!("\n{of}=/bin/sh -euc '");
    let (_, rest) = unit.split_once(&start).unwrap();
    let (script, _) = rest.split_once('\'').unwrap();
    script.replace("\\\n", " ").replace("%%", "%")
}

/// Runs a command of the service with its settings.
fn run(of: &str, state: &Path, address: &str) -> Output {
    let unit = fs::read_to_string(units().join("databend-meta-backup.service")).unwrap();
    let binary = metactl::command::<&str>([]).get_program().to_owned();
    let place = Path::new(&binary).parent().unwrap().to_str().unwrap();
    Command::new("/bin/sh")
        .args(["-euc", &script(&unit, of)])
        .env("STATE_DIRECTORY", state)
        .env("GRPC_API_ADDRESS", address)
        .env("KEEP_DAYS", "14")
        .env("PATH", format!("{place}:{}", std::env::var("PATH").unwrap()))
        .output()
        .unwrap()
}

#[test]
fn systemd_takes_the_units() {
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--recursive-errors=no"]);
    for unit in names(&units()) {
        verify.arg(units().join(unit));
    }
    let verified = verify.output().expect("systemd-analyze is there: scripts/setup.sh test");
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");
}

#[test]
fn a_service_makes_a_backup_and_old_ones_go() {
    let state = TempDir::new().unwrap();
    let old = state.path().join("meta-20200101T020000Z.db.zst");
    let other = state.path().join("notes.txt");
    for file in [&old, &other] {
        fs::write(file, "old").unwrap();
        let days = Duration::from_secs(20 * 24 * 3600);
        let written = SystemTime::now().checked_sub(days).unwrap();
        fs::File::options().write(true).open(file).unwrap().set_modified(written).unwrap();
    }
    let db = fixture("valid/v004.ndjson");
    let served = Served::start(["--db", db.to_str().unwrap()]);
    let ran = run("ExecStart", state.path(), &served.grpc.to_string());
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(old.exists());
    assert!(run("ExecStartPost", state.path(), "").status.success());
    assert!(!old.exists() && other.exists());
    let mut found = names(state.path());
    found.retain(|name| name.starts_with("meta-2") && name.ends_with("Z.db.zst"));
    let [backup] = found.as_slice() else { panic!("{found:?}") };
    assert!(state.path().join(format!("{backup}.manifest.json")).exists());
    for metrics in ["export.prom", "validate.prom"] {
        let text = fs::read_to_string(state.path().join(metrics)).unwrap();
        assert!(text.contains("run_exit_code") && text.contains("} 0\n"), "{text}");
    }
}

#[test]
fn a_service_that_fails_says_so_in_its_metrics() {
    let state = TempDir::new().unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = run("ExecStart", state.path(), &nobody.to_string());
    assert!(!ran.status.success());
    assert_eq!(names(state.path()), ["export.prom"]);
}
