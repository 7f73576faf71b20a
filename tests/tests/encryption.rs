//! Dumps that are encrypted with age: those of the `age` program are read wherever a dump is, and what
//! is written is read by whom it is for, and by nobody else.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{Ran, command, run, run_with_stdin};
use metadump_tests::served::Served;
use serde_json::Value;
use tempfile::TempDir;

/// A file of the fixtures, by its name as an argument.
fn named(name: &str) -> String {
    fixture(name).display().to_string()
}

fn recipient() -> String {
    fs::read_to_string(fixture("age/recipient.txt")).unwrap().trim().to_owned()
}

#[track_caller]
fn well(ran: Ran) -> Vec<u8> {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout
}

fn run_in(dir: &Path, args: &[&str]) -> Ran {
    Ran::from(command(args).current_dir(dir).output().unwrap())
}

/// What a dump holds, byte for byte: the identity makes no other dump of it.
#[track_caller]
fn text(dump: &Path) -> Vec<u8> {
    let identity = named("age/identity.txt");
    well(run(["rewrite", "--identity", &identity, "--db", dump.to_str().unwrap(), "--output", "-"]))
}

/// A dump of 162 KiB, three pieces of age, encrypted by the command line.
fn encrypted(dir: &Path) -> PathBuf {
    let (origin, to) = (named("v004/v004-origin.export.ndjson"), dir.join("meta.db.age"));
    let recipient = recipient();
    well(run_in(
        dir,
        &["rewrite", "--db", &origin, "--output", "meta.db.age", "--recipient", &recipient],
    ));
    to
}

#[test]
fn dumps_of_the_age_program_are_read() {
    let plain = fs::read(fixture("valid/v004.ndjson")).unwrap();
    for dump in ["age/v004.ndjson.age", "age/v004.ndjson.zst.age"] {
        assert!(text(&fixture(dump)) == plain, "{dump}");
    }
    // Through a pipe, with a passphrase, and with the identity in the environment.
    let passphrase = named("age/passphrase.txt");
    let args = ["rewrite", "--passphrase-file", &passphrase, "--output", "-"];
    let input = fs::read(fixture("age/passphrase.ndjson.age")).unwrap();
    assert!(well(run_with_stdin(args, &input)) == plain);
    let mut by_environment = command(["validate", &named("age/v004.ndjson.zst.age")]);
    let identity = fs::read_to_string(fixture("age/other-identity.txt")).unwrap();
    well(Ran::from(by_environment.env("METACTL_IDENTITY", identity).output().unwrap()));
}

#[test]
fn what_cannot_be_read_is_said_in_a_sentence() {
    let said = |dump: &str, more: &[&str]| {
        let dump = named(dump);
        let ran = run(["inspect", &dump].iter().chain(more));
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        ran.stderr.replace(&dump, "DUMP")
    };
    let failed = |cause: &str, help: &str| {
        format!("error: cannot read DUMP\ncause: it is encrypted with age{cause}\nhelp:  {help}\n")
    };
    let (other, passphrase) = (named("age/other-identity.txt"), named("age/recipient.txt"));
    assert_eq!(
        said("age/v004.ndjson.age", &[]),
        failed(
            ", and no identity is named",
            "name the file of an identity with --identity, or set METACTL_IDENTITY"
        )
    );
    assert_eq!(
        said("age/v004.ndjson.age", &["--identity", &other]),
        failed(
            " for others: none of the identities that are named reads it",
            "name the identity of one of its recipients with --identity; the manifest has their \
             fingerprints: `age-keygen -y IDENTITY-FILE | tr -d '\\n' | sha256sum`"
        )
    );
    let help = "name the file that holds the passphrase with --passphrase-file";
    assert_eq!(
        said("age/passphrase.ndjson.age", &["--identity", &other]),
        failed(" and a passphrase, and none is named", help)
    );
    assert_eq!(
        said("age/passphrase.ndjson.age", &["--passphrase-file", &passphrase]),
        failed(" and another passphrase", help)
    );
    assert_eq!(
        said("age/armored.ndjson.age", &["--identity", &other]),
        failed(
            ", and then written as text",
            "decrypt it first: `age --decrypt --identity IDENTITY-FILE FILE`"
        )
    );
}

#[test]
fn what_is_written_is_for_its_recipient_and_proven_by_its_manifest() {
    let dir = TempDir::new().unwrap();
    let dump = encrypted(dir.path());
    let origin = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let file = fs::read(&dump).unwrap();
    assert!(file.starts_with(b"age-encryption.org/v1\n-> X25519 "));
    assert!(text(&dump) == origin);

    let manifest = fs::read(dir.path().join("meta.db.age.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let sha256 = |of: &Path| {
        let sum = std::process::Command::new("sha256sum").arg(of).output().unwrap().stdout;
        String::from_utf8(sum).unwrap().split_whitespace().next().unwrap().to_owned()
    };
    let name = dir.path().join("recipient");
    fs::write(&name, recipient()).unwrap();
    assert_eq!(manifest["sha256"], sha256(&fixture("v004/v004-origin.export.ndjson")));
    assert_eq!(
        manifest["encrypted"],
        serde_json::json!({
            "format": "age",
            "recipients": [sha256(&name)],
            "sha256": sha256(&dump),
            "bytes": file.len(),
        })
    );
    let identity = named("age/identity.txt");
    let dump = dump.to_str().unwrap();
    well(run(["validate", "--require-manifest", "--identity", &identity, dump]));
}

#[test]
fn a_name_asks_for_encryption_and_a_recipient_for_that_of_every_name() {
    let dir = TempDir::new().unwrap();
    let (origin, recipient) = (named("valid/v004.ndjson"), recipient());
    let plain = fs::read(&origin).unwrap();
    let write = |output: &str, more: &[&str]| {
        let args = ["rewrite", "--db", &origin, "--output", output];
        run_in(dir.path(), &args.iter().chain(more).copied().collect::<Vec<_>>())
    };
    // For nobody.
    let ran = write("meta.db.age", &[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.starts_with("error: meta.db.age would be encrypted for nobody\n"));
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
    // Compressed first.
    let recipients_file = named("age/recipient.txt");
    well(write("meta.db.zst.age", &["--recipients-file", &recipients_file]));
    let packed = fs::metadata(dir.path().join("meta.db.zst.age")).unwrap().len();
    assert!(packed < plain.len() as u64);
    well(write("meta.db", &["--recipient", &recipient]));
    let stdout = write("-", &["--recipient", &recipient]).stdout;
    fs::write(dir.path().join("stdout"), &stdout).unwrap();
    for name in ["meta.db.zst.age", "meta.db", "stdout"] {
        assert!(!fs::read(dir.path().join(name)).unwrap().starts_with(b"["), "{name}");
        assert!(text(&dir.path().join(name)) == plain, "{name}");
    }
    // The environment names who reads what is called so, and nothing else.
    for (output, is_encrypted) in [("a.db.age", true), ("a.db", false)] {
        let mut rewrite = command(["rewrite", "--db", &origin, "--output", output]);
        let rewrite = rewrite.current_dir(dir.path()).env("METACTL_RECIPIENTS", &recipient);
        well(Ran::from(rewrite.output().unwrap()));
        let written = fs::read(dir.path().join(output)).unwrap();
        assert_eq!(written.starts_with(b"age-encryption.org/v1\n"), is_encrypted);
    }
}

#[test]
fn a_passphrase_encrypts_what_is_called_so() {
    let dir = TempDir::new().unwrap();
    let (origin, passphrase) = (named("valid/v004.ndjson"), named("age/passphrase.txt"));
    let dump = dir.path().join("meta.db.age");
    let dump = dump.to_str().unwrap();
    well(run(["rewrite", "--db", &origin, "--output", dump, "--passphrase-file", &passphrase]));
    let args = ["rewrite", "--db", dump, "--output", "-", "--passphrase-file", &passphrase];
    assert!(well(run(args)) == fs::read(&origin).unwrap());
}

#[test]
fn an_export_that_is_asked_to_encrypt_does_not_write_in_the_clear() {
    let (dir, (_keep, raft_dir)) =
        (TempDir::new().unwrap(), unpack("v004/v004-imported-plain.tar.gz"));
    let (raft_dir, passphrase) = (raft_dir.display().to_string(), named("age/passphrase.txt"));
    let export = |more: &[&str]| {
        let mut export = command([&["export", "--raft-dir", &*raft_dir], more].concat());
        let export = export.current_dir(dir.path()).env("METACTL_RECIPIENTS", recipient());
        Ran::from(export.output().unwrap())
    };
    for output in ["meta.db", "meta.age.zst", "meta.AGE", "-"] {
        let ran = export(&["--passphrase-file", &passphrase, "--db", output]);
        let shown = if output == "-" { "stdout" } else { output };
        let said =
            format!("error: --passphrase-file is given, and {shown} would not be encrypted\n");
        assert!(ran.code == Some(2) && ran.stderr.starts_with(&said), "{}", ran.stderr);
    }
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
    let ran = export(&["--db", "plain.db"]);
    let said =
        "note: plain.db is not encrypted: METACTL_RECIPIENTS is for names that end in `.age`\n";
    assert!(ran.code == Some(0) && ran.stderr.starts_with(said), "{}", ran.stderr);
    let ran = export(&["--db", "base.db.age"]);
    assert!(ran.code == Some(0) && !ran.stderr.contains("not encrypted"), "{}", ran.stderr);
    let ran = export(&["--since", "base.db.age", "--db", "next.db"]);
    let said = "warning: base.db.age is encrypted, and what goes on from it is not";
    assert!(ran.code == Some(0) && ran.stderr.contains(said), "{}", ran.stderr);
}

#[test]
fn damage_and_cuts_are_found_wherever_they_are() {
    let dir = TempDir::new().unwrap();
    let dump = encrypted(dir.path());
    fs::remove_file(dir.path().join("meta.db.age.manifest.json")).unwrap();
    let whole = fs::read(&dump).unwrap();
    let identity = named("age/identity.txt");
    let check = |bytes: &[u8]| {
        fs::write(&dump, bytes).unwrap();
        let ran = run(["validate", "--identity", &identity, dump.to_str().unwrap()]);
        assert_ne!(ran.code, Some(0), "{}", String::from_utf8_lossy(&ran.stdout));
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        ran.stderr
    };
    for at in (0..whole.len()).step_by(8111) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        check(&changed);
        check(&whole[..at]);
    }
    // Where the second piece begins, there is no sign of the end but that of the last piece.
    let header = whole.windows(5).position(|window| window == b"\n--- ").unwrap();
    let payload = header + whole[header + 1..].iter().position(|byte| *byte == b'\n').unwrap() + 2;
    let first_piece = payload + 16 + (64 << 10) + 16;
    assert!(check(&whole[..first_piece]).contains("damaged"), "{first_piece}");
    let mut more = whole.clone();
    more.extend_from_slice(b"more");
    check(&more);
    // A header without an end.
    let endless =
        [b"age-encryption.org/v1\n".as_slice(), &b"-> X25519 a\n".repeat(20_000)].concat();
    assert!(check(&endless).contains("its beginning is damaged"));
}

#[test]
fn keys_that_are_none_are_refused_and_never_shown() {
    let dir = TempDir::new().unwrap();
    let origin = named("valid/v004.ndjson");
    let said = |more: &[&str]| {
        let ran = run(["inspect", &origin].iter().chain(more));
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        ran.stderr
    };
    let secret = fs::read_to_string(fixture("age/identity.txt")).unwrap();
    let secret = secret.lines().last().unwrap();
    for more in [&["--recipient", secret][..], &["--recipients-file", &named("age/identity.txt")]] {
        let said = said(more);
        assert!(said.contains("no recipient of age: it is an identity"), "{said}");
        assert!(!said.contains(secret), "{said}");
    }
    let recipients = named("age/recipient.txt");
    assert!(
        said(&["--identity", &recipients])
            .contains("line 1: no identity of age: it is a recipient")
    );
    let empty = dir.path().join("empty");
    fs::write(&empty, "# nothing\n").unwrap();
    assert!(said(&["--identity", empty.to_str().unwrap()]).contains("holds no key"));
    // What cannot be read is not passed over: a backup would not be encrypted.
    let mut of_bytes = command(["inspect", &origin]);
    of_bytes.env("METACTL_RECIPIENTS", std::ffi::OsStr::from_bytes(b"age1\xff"));
    let ran = Ran::from(of_bytes.output().unwrap());
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.starts_with("error: the value of METACTL_RECIPIENTS is not UTF-8\n"));
}

#[test]
fn tables_are_of_what_is_encrypted_and_are_not() {
    let dir = TempDir::new().unwrap();
    encrypted(dir.path());
    let identity = named("age/identity.txt");
    let tables = ["rewrite", "meta.db.age", "--to", "parquet", "--output", "lake"];
    let with = |more: &[&str]| {
        let cluster = ["--cluster", "c", "--identity", &identity];
        let args = tables.iter().chain(&cluster).chain(more);
        run_in(dir.path(), &args.copied().collect::<Vec<_>>())
    };
    let refused = with(&["--recipient", &recipient()]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.starts_with("error: tables are not encrypted"), "{}", refused.stderr);
    let made = with(&[]);
    assert!(made.stderr.contains("as its manifest says"), "{}", made.stderr);
    well(made);
}

#[test]
fn a_chain_of_encrypted_pieces_is_made_and_checked_without_the_identity() {
    let dir = TempDir::new().unwrap();
    let (origin, recipient) = (named("v004/v004-origin.export.ndjson"), recipient());
    let served = Served::start(["--db", &origin]);
    let address = served.address();
    let export = |more: &[&str]| {
        let args = ["export", "--grpc-api-address", &address, "--recipient", &recipient];
        well(run_in(dir.path(), &args.iter().chain(more).copied().collect::<Vec<_>>()));
    };
    export(&["--db", "base.db.zst.age"]);
    well(run(["upsert", "--grpc-api-address", &address, "--key", "k", "--value", "v"]));
    export(&["--db", "one.db.age", "--since", "base.db.zst.age"]);
    let identity = named("age/identity.txt");
    let place = dir.path().to_str().unwrap();
    well(run(["validate", "--identity", &identity, place]));
    let ran = run(["validate", place]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let said = "and no identity is named\nhelp:  name the file of an identity with --identity";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);

    let checked = |more: &[&str]| {
        let ran = run(["backups", place, "--check"].iter().chain(more));
        (ran.code, String::from_utf8(ran.stdout).unwrap())
    };
    let (code, listed) = checked(&["--identity", &identity]);
    assert!(code == Some(0) && listed.contains(" ok"), "{listed}");
    let (other, passphrase) = (named("age/other-identity.txt"), named("age/passphrase.txt"));
    for keys in [&[][..], &["--identity", &other], &["--passphrase-file", &passphrase]] {
        let (code, listed) = checked(keys);
        assert!(code == Some(0) && listed.contains(" sealed"), "{keys:?}: {listed}");
    }
    let one = dir.path().join("one.db.age");
    let mut bytes = fs::read(&one).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&one, bytes).unwrap();
    for keys in [&[][..], &["--identity", &other]] {
        let (code, listed) = checked(keys);
        assert!(code == Some(1) && listed.contains(" broken"), "{keys:?}: {listed}");
    }
}
