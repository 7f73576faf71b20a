//! `import --dry-run` foretells the import: the same exit code, the same refusal, the same losses.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use metadump_tests::fixtures::{fixture, in_folder, unpack};
use metadump_tests::metactl::{Ran, binary, run};
use metadump_tests::tree::tree;
use rustix::fs::{FlockOperation, flock};

/// A way to run the binary on a directory.
type Run<'a> = &'a dyn Fn(&[PathBuf]) -> Ran;

fn plainly(args: &[PathBuf]) -> Ran {
    run(args)
}

/// On a read-only mount.
fn read_only(dir: &Path) -> impl Fn(&[PathBuf]) -> Ran {
    move |args| {
        let script = "dir=\"$0\"; mount --bind \"$dir\" \"$dir\"
                      mount -o remount,bind,ro \"$dir\"; exec \"$@\"";
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "bash", "-euc", script]);
        unshare.arg(dir).arg(binary()).args(args).env("NO_COLOR", "1");
        unshare.output().expect("unshare is of util-linux").into()
    }
}

/// A dry run and then the import; gives the exit code of both.
#[track_caller]
fn check(dir: &Path, dump: &Path, more: &[&str], run: Run<'_>) -> i32 {
    let args = |first: &[&str]| -> Vec<PathBuf> {
        let mut args: Vec<PathBuf> = vec!["import".into()];
        args.extend(first.iter().chain(more).map(PathBuf::from));
        args.extend(["--raft-dir".into(), dir.into(), "--db".into(), dump.into()]);
        args
    };
    let at = format!("{} {more:?}", dump.display());
    let before = tree(dir);
    let dry = run(&args(&["--dry-run"]));
    assert!(tree(dir) == before, "{at}: a dry run has changed the directory");
    let real = run(&args(&[]));
    assert_eq!(dry.code, real.code, "{at}: {}\n{}", dry.stderr, real.stderr);
    let code = real.code.unwrap();
    if code == 0 {
        assert_eq!(dry.stderr, "", "{at}");
        let (remarks, done) = real.stderr.trim_end().rsplit_once('\n').unwrap_or(("", ""));
        let done = if done.is_empty() { real.stderr.as_str() } else { done };
        assert!(done.starts_with("imported "), "{at}: {}", real.stderr);
        let foretold = String::from_utf8(dry.stdout).unwrap();
        for remark in remarks.lines() {
            assert!(foretold.lines().any(|line| line == remark), "{at}: {foretold}\n{remark}");
        }
    } else {
        assert_eq!((dry.stderr, dry.stdout), (real.stderr, real.stdout), "{at}");
        let mut after = tree(dir);
        // The place came and went, which is a change of the directory itself alone.
        after.insert(PathBuf::new(), before[Path::new("")].clone());
        assert!(after == before, "{at}: a refused import has changed the directory");
    }
    code
}

/// How often imports of all the fixtures end with which exit code, with flags that depend on the
/// fixture's code.
#[track_caller]
fn tally(flags: impl Fn(&str) -> Vec<String>) -> [usize; 2] {
    let mut tally = [0, 0];
    let (mut keep, mut dir) = unpack("v004/v004-imported-plain.tar.gz");
    for dump in in_folder("findings").unwrap() {
        let flags = flags(dump.file_stem().unwrap().to_str().unwrap());
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        match check(&dir, &dump, &flags, &plainly) {
            0 => {
                tally[0] += 1;
                (keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
            }
            3 => tally[1] += 1,
            other => panic!("{}: exit code {other}", dump.display()),
        }
    }
    drop(keep);
    tally
}

#[test]
fn dumps_are_taken_or_refused_as_foretold() {
    let [taken, refused] = tally(|_| Vec::new());
    assert!(taken > 10 && refused > 40, "{taken} taken, {refused} refused");
}

#[test]
fn accepted_faults_pass_as_foretold() {
    let [taken, refused] = tally(|code| vec!["--accept".to_owned(), code.to_owned()]);
    assert!(taken > 40 && refused > 0, "{taken} taken, {refused} refused");
}

#[test]
fn a_manifest_is_required_as_foretold() {
    assert_eq!(tally(|_| vec!["--require-manifest".to_owned()])[0], 0);
    let with = |_: &str| ["--require-manifest", "--accept", "manifest-missing"].map(str::to_owned);
    let [taken, refused] = tally(|code| with(code).to_vec());
    assert!(taken > 10 && refused > 40, "{taken} taken, {refused} refused");
}

#[test]
fn a_manifest_of_another_dump_counts_as_foretold() {
    let (keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let dump = keep.path().join("dump.db");
    let origin = fixture("v004/v004-origin.export.ndjson");
    let args = [Path::new("rewrite"), "-q".as_ref(), "--db".as_ref(), &origin];
    let ran = run(args.into_iter().chain([Path::new("--output"), &dump]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let content = fs::read_to_string(&dump).unwrap();
    fs::write(&dump, content.replacen("\"seq\":", "\"seq\": ", 1)).unwrap();
    assert_eq!(check(&dir, &dump, &[], &plainly), 3);
    assert_eq!(check(&dir, &dump, &["--accept", "manifest-mismatch"], &plainly), 0);
}

/// Directories into which no dump is imported.
#[test]
fn a_directory_is_refused_as_foretold() {
    let (_server, server) = unpack("v004/v004-imported-plain.tar.gz");
    let lock = File::open(server.join("df_meta/V004/log/LOCK")).unwrap();
    flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    let (_foreign, foreign) = unpack("v004/v004-imported-plain.tar.gz");
    fs::write(foreign.join("df_meta/backup.db"), "precious").unwrap();
    let (_mounted, mounted) = unpack("v004/v004-imported-plain.tar.gz");
    for dump in in_folder("findings").unwrap() {
        assert_eq!(check(&server, &dump, &[], &plainly), 3, "a server runs");
        assert_eq!(check(&foreign, &dump, &[], &plainly), 3, "a backup would be removed");
        assert_eq!(check(&mounted, &dump, &[], &read_only(&mounted)), 3, "a read-only mount");
    }
}

#[test]
fn older_versions_are_written_as_foretold() {
    let (_keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let dump = fixture("old/v003.official-chain-export.ndjson.gz");
    let version = ["--data-version", "V003"];
    assert_eq!(check(&dir, &dump, &version, &plainly), 3);
    let too_new = fixture("v004/v004-origin.export.ndjson");
    let accept = [version.as_slice(), &["--accept", "lost-expiry-milliseconds"]].concat();
    assert_eq!(check(&dir, &too_new, &accept, &plainly), 3);
    assert_eq!(check(&dir, &dump, &accept, &plainly), 0);
}

#[test]
fn new_clusters_are_made_as_foretold() {
    let cluster = ["--id", "1", "--initial-cluster", "1=localhost:1"];
    for folder in ["findings", "valid"] {
        for dump in in_folder(folder).unwrap() {
            let (_keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
            let code = dump.file_stem().unwrap().to_str().unwrap();
            check(&dir, &dump, &cluster, &plainly);
            if folder == "findings" {
                let accept = [cluster.as_slice(), &["--accept", code]].concat();
                check(&dir, &dump, &accept, &plainly);
            }
        }
    }
}

#[test]
fn a_dry_run_without_room_says_where_it_needs_some() {
    let (_keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let script = "mkdir \"$2/../tmp\"; mount -t tmpfs -o size=40k none \"$2/../tmp\"
                  TMPDIR=\"$2/../tmp\" \"$1\" import --dry-run --raft-dir \"$2\" --db \"$3\"";
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "bash", "-euc", script, "bash"]);
    unshare.arg(binary()).arg(&dir).arg(fixture("v004/v004-origin.export.ndjson"));
    let ran: Ran = unshare.output().expect("unshare is of util-linux").into();
    let said = format!(
        "error: cannot write the log\n\
         cause: No space left on device (os error 28)\n\
         help:  a dry run writes the data into {}/../tmp: have TMPDIR name a directory with room \
         for it\n",
        dir.display()
    );
    assert_eq!((ran.code, ran.stderr), (Some(3), said));
}

#[test]
fn what_an_interrupted_import_has_left_is_named() {
    let (_keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let dump = fixture("v004/v004-origin.export.ndjson");
    let place = dir.join(".metadump-import");
    let begun = || {
        fs::create_dir(&place).unwrap();
        fs::set_permissions(&place, PermissionsExt::from_mode(0o700)).unwrap();
        fs::create_dir(place.join("df_meta")).unwrap();
        fs::write(place.join("LOCK"), "").unwrap();
    };
    let remarks = |more: &[&str]| -> Vec<String> {
        let args = ["import", "--format", "json", "--raft-dir", dir.to_str().unwrap()];
        let ran = run(args.iter().chain(&[dump.to_str().unwrap()]).chain(more));
        let object: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
        serde_json::from_value(object["remarks"].clone()).unwrap()
    };
    let unproven =
        "note: the dump has 1 note (completeness-unproven); `databend-metactl validate` shows them";
    let check = |planned: &str, done: &str| {
        let before = tree(&dir);
        assert_eq!(remarks(&["--dry-run"]), [planned, unproven]);
        assert!(tree(&dir) == before);
        assert_eq!(remarks(&[]), [done, unproven]);
        assert_eq!(remarks(&["--dry-run"]), [unproven]);
    };
    begun();
    let earlier = format!("note: an earlier import into {} was interrupted", dir.display());
    let replaced_nothing = format!("{earlier} before it replaced anything; its partial files");
    check(
        &format!("{replaced_nothing} would be removed"),
        &format!("{replaced_nothing} were removed"),
    );
    begun();
    let inode = fs::metadata(dir.join("df_meta")).unwrap().ino();
    let ready = format!(r#"{{"new_inode":{inode},"old":"Removed","new_sled":{{}}}}"#);
    fs::write(place.join("READY"), ready).unwrap();
    check(
        &format!("{earlier} while or after it replaced the data; it would be finished first"),
        &format!("{earlier} after it had replaced the data; the old data was cleaned up"),
    );
}
