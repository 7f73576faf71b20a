//! The Debian package: what it installs works, and it leaves nothing when it is removed.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::binary;
use metadump_tests::tree::tree;
use tempfile::TempDir;

/// Runs a command that has to succeed; gives what it prints.
#[track_caller]
fn run(command: &mut Command) -> String {
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command:?}: {said}");
    String::from_utf8(ran.stdout).unwrap()
}

/// dpkg with a root of its own.
fn dpkg(root: &Path) -> Command {
    let mut dpkg = Command::new("dpkg");
    dpkg.arg(format!("--root={}", root.display())).args(["--force-not-root", "--no-triggers"]);
    dpkg.arg("--log=/dev/null").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    dpkg
}

#[test]
fn the_package_installs_what_works_and_is_removed_without_a_trace() {
    let place = TempDir::new().unwrap();
    let package = place.path().join("metactl.deb");
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
    // Unpacked, a binary for tests is large.
    run(Command::new(scripts.join("deb.sh"))
        .arg(binary())
        .arg(&package)
        .env("DPKG_DEB_COMPRESSOR_TYPE", "none"));

    let root = place.path().join("root");
    fs::create_dir_all(root.join("var/lib/dpkg/info")).unwrap();
    fs::create_dir_all(root.join("var/lib/dpkg/updates")).unwrap();
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    run(dpkg(&root).arg("--install").arg(&package));
    let status = run(dpkg(&root).args(["--status", "databend-metactl"]));
    assert!(status.contains("\nStatus: install ok installed\n"), "{status}");
    assert_eq!(run(dpkg(&root).arg("--verify")), "");

    let installed = root.join("usr/bin/databend-metactl");
    let version = run(Command::new(&installed).arg("--version"));
    let number = version.split(' ').nth(2).unwrap();
    assert!(status.contains(&format!("\nVersion: {}\n", number.trim())), "{version}{status}");
    run(Command::new(&installed).arg("validate").arg(fixture("valid/v004.ndjson")));
    let page = root.join("usr/share/man/man1/databend-metactl-export.1.gz");
    let page = run(Command::new("gzip").args(["--decompress", "--stdout"]).arg(page));
    assert!(page.contains(".TH databend-metactl-export 1"), "{page}");
    for file in [
        "share/bash-completion/completions/databend-metactl",
        "share/zsh/vendor-completions/_databend-metactl",
        "share/fish/vendor_completions.d/databend-metactl.fish",
        "share/doc/databend-metactl/copyright",
    ] {
        assert!(root.join("usr").join(file).is_file(), "{file}");
    }
    let units = root.join("usr/lib/systemd/system");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--recursive-errors=no"]);
    run(verify.arg(units.join("databend-meta-backup.timer")));

    run(dpkg(&root).args(["--purge", "databend-metactl"]));
    let left = tree(&root).into_keys().filter(|path| !path.starts_with("var"));
    assert_eq!(Vec::from_iter(left), [Path::new("")]);
}
