//! Data directories with traps in them: whatever stands there, an import destroys nothing outside
//! of it, and nothing inside that it was not told to replace.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{Ran, binary, command, run};
use metadump_tests::tree::{contents, names, tree};
use rustix::fs::{CWD, FileType, FlockOperation, Mode, flock, mknodat};
use tempfile::TempDir;

/// What an import says of a dump without a manifest.
const UNPROVEN: &str = "note: the dump has 1 note (completeness-unproven); \
                        `databend-metactl validate` shows them\n";

fn dump() -> PathBuf {
    fixture("v004/v004-origin.export.ndjson")
}

fn args(dir: &Path, more: &[&str]) -> Vec<PathBuf> {
    let fixed = ["import".into(), "--raft-dir".into(), dir.into(), "--db".into(), dump()];
    fixed.into_iter().chain(more.iter().map(PathBuf::from)).collect()
}

fn import(dir: &Path, more: &[&str]) -> Ran {
    run(args(dir, more))
}

fn export(dir: &Path) -> Ran {
    run([Path::new("export"), Path::new("-q"), Path::new("--raft-dir"), dir])
}

/// The import and its dry run are refused with the same words, and nothing below `home` changes.
#[track_caller]
fn check_refused(home: &Path, dir: &Path, said: &str) {
    let before = tree(home);
    for more in [&["--dry-run"], [].as_slice()] {
        let ran = import(dir, more);
        let said = said.replace("DIR", &dir.display().to_string());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(3), said.as_str()), "{more:?}");
        assert!(ran.stdout.is_empty(), "{more:?}");
    }
    assert!(tree(home) == before, "something has changed below {}", home.display());
}

const LOOK: &str = "help:  no import has left this: look into it, move it away, and import again\n";

#[test]
fn nothing_in_the_place_of_an_import_is_followed() {
    let home = TempDir::new().unwrap();
    let (victim, dir) = (home.path().join("victim"), home.path().join("dir"));
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("precious"), "precious").unwrap();
    fs::create_dir(&dir).unwrap();
    let place = dir.join(".metadump-import");

    symlink("../victim", &place).unwrap();
    let said = "error: DIR/.metadump-import is not a directory\n";
    check_refused(home.path(), &dir, &format!("{said}{LOOK}"));
    fs::remove_file(&place).unwrap();
    fs::write(&place, "a file").unwrap();
    check_refused(home.path(), &dir, &format!("{said}{LOOK}"));
    fs::remove_file(&place).unwrap();

    fs::create_dir(&place).unwrap();
    fs::set_permissions(&place, PermissionsExt::from_mode(0o777)).unwrap();
    let said = "error: more users may write into DIR/.metadump-import than into the data directory";
    check_refused(home.path(), &dir, &format!("{said}\n{LOOK}"));
    fs::set_permissions(&place, PermissionsExt::from_mode(0o700)).unwrap();

    for name in ["LOCK", "READY"] {
        symlink(victim.join("precious"), place.join(name)).unwrap();
        let said = format!(
            "error: cannot open DIR/.metadump-import/{name}\n\
             cause: Too many levels of symbolic links (os error 40)\n{LOOK}"
        );
        check_refused(home.path(), &dir, &said);
        fs::remove_file(place.join(name)).unwrap();
        mknodat(CWD, place.join(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let said = format!("error: DIR/.metadump-import/{name} is no regular file\n{LOOK}");
        check_refused(home.path(), &dir, &said);
        fs::remove_file(place.join(name)).unwrap();
    }

    // What a killed import leaves is removed, but no link in it is followed.
    symlink("../../victim", place.join("df_meta")).unwrap();
    fs::create_dir(place.join("v004")).unwrap();
    symlink("../../../victim", place.join("v004/log")).unwrap();
    // Without the lock it is somebody else's: data that was moved there, perhaps the only copy.
    let said = format!("error: DIR/.metadump-import has files, but no LOCK\n{LOOK}");
    check_refused(home.path(), &dir, &said);
    fs::write(place.join("LOCK"), "").unwrap();
    let ran = import(&dir, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(contents(&victim).len(), 1);
    assert!(export(&dir).stdout == fs::read(dump()).unwrap());
}

#[test]
fn a_forged_end_of_an_import_is_not_believed() {
    let (_keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let home = dir.parent().unwrap();
    let place = dir.join(".metadump-import");
    fs::create_dir(&place).unwrap();
    fs::set_permissions(&place, PermissionsExt::from_mode(0o700)).unwrap();
    let inode = fs::metadata(dir.join("df_meta")).unwrap().ino();
    let said = format!("error: DIR/.metadump-import/READY is not of an import\n{LOOK}");
    for ready in [
        format!(r#"{{"new_inode":{inode},"old":{{"KeptAs":"../evil"}}}}"#),
        format!(r#"{{"new_inode":{inode},"old":{{"KeptAs":"metadump-old-/../../evil"}}}}"#),
        format!(r#"{{"new_inode":{inode},"old":{{"KeptAs":"df_meta"}}}}"#),
        format!(r#"{{"new_inode":{inode},"old":"Removed","new_sled":{{"../evil":1}}}}"#),
        format!(r#"{{"new_inode":{inode},"old":"Removed","more":1}}"#),
        r#"{"new_inode":-1,"old":"Removed"}"#.to_owned(),
        String::new(),
    ] {
        fs::write(place.join("READY"), &ready).unwrap();
        check_refused(home, &dir, &said);
    }
    fs::write(place.join("READY"), vec![b' '; 1 << 17]).unwrap();
    let said = "error: DIR/.metadump-import/READY has more than 65536 bytes\n";
    check_refused(home, &dir, &format!("{said}{LOOK}"));
}

#[test]
fn a_place_of_somebody_else_is_not_used() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root gives files away");
        return;
    }
    let home = TempDir::new().unwrap();
    let dir = home.path().join("dir");
    fs::create_dir_all(dir.join(".metadump-import")).unwrap();
    chown(&dir, Some(1234), Some(1234)).unwrap();
    chown(dir.join(".metadump-import"), Some(1235), Some(1235)).unwrap();
    let said = "error: DIR/.metadump-import belongs to user 1235, who does not own the data \
                directory\n";
    check_refused(home.path(), &dir, &format!("{said}{LOOK}"));
    chown(dir.join(".metadump-import"), Some(1234), Some(1234)).unwrap();
    let ran = import(&dir, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

const PLAIN: &str = "help:  an import exchanges the old data for the new on one disk: let the data \
                     directory itself be on it, by a link or a mount, and what is in it be plain \
                     files and directories; nothing was changed\n";

#[test]
fn links_in_the_data_are_neither_followed_nor_replaced() {
    for name in ["df_meta", "df_meta/V004", "df_meta/V004/log", "df_meta/V004/snapshot"] {
        let (keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
        let elsewhere = keep.path().join("elsewhere");
        fs::rename(dir.join(name), &elsewhere).unwrap();
        symlink(&elsewhere, dir.join(name)).unwrap();
        let what = "is a symbolic link, which an import cannot replace";
        check_refused(keep.path(), &dir, &format!("error: DIR/{name} {what}\n{PLAIN}"));
    }
    let (keep, dir) = unpack("old/v003.tar.gz");
    fs::rename(dir.join("heap"), keep.path().join("elsewhere")).unwrap();
    symlink(keep.path().join("elsewhere"), dir.join("heap")).unwrap();
    let what = "is a symbolic link, which an import cannot replace";
    check_refused(keep.path(), &dir, &format!("error: DIR/heap {what}\n{PLAIN}"));
}

#[test]
fn the_data_directory_itself_may_be_a_link() {
    let (keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let link = keep.path().join("link");
    symlink(&dir, &link).unwrap();
    let ran = import(&link, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(link.is_symlink() && export(&dir).stdout == fs::read(dump()).unwrap());
    let nowhere = keep.path().join("nowhere");
    symlink(keep.path().join("missing"), &nowhere).unwrap();
    let said = "error: DIR is a link to nothing\n\
                help:  create the directory that it leads to, or remove it\n";
    check_refused(keep.path(), &nowhere, said);
    let file = keep.path().join("file");
    fs::write(&file, "").unwrap();
    let said = "error: DIR is not a directory\n\
                help:  give --raft-dir the directory that the server has as raft_dir\n";
    check_refused(keep.path(), &file, said);
}

/// Runs a script where mounting is possible and ends with it.
fn with_mounts(script: &str, dir: &Path) -> Ran {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "bash", "-euc", script, "bash"]);
    unshare.args([binary(), dir.to_owned(), dump()]).env("NO_COLOR", "1");
    unshare.output().expect("unshare is of util-linux").into()
}

#[test]
fn mount_points_in_the_data_are_found_first() {
    // Another disk, another part of the same one, and a single file.
    let mounts = [
        ("df_meta", "mount -t tmpfs none"),
        ("df_meta/V004/log", "mount -t tmpfs none"),
        ("df_meta/V004/snapshot", "mount --bind \"$2/df_meta/V004/log\""),
        ("df_meta/VERSION", "mount --bind \"$2/df_meta/V004/log/LOCK\""),
    ];
    for (name, mount) in mounts {
        let (keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
        let before = tree(keep.path());
        let script = format!(
            "{mount} \"$2/{name}\"; set +e
             \"$1\" import --raft-dir \"$2\" --db \"$3\" --dry-run; echo $?
             \"$1\" import --raft-dir \"$2\" --db \"$3\"; echo $?"
        );
        let ran = with_mounts(&script, &dir);
        let what = "is a mount point, which an import cannot replace";
        let said = format!("error: {}/{name} {what}\n{PLAIN}", dir.display());
        assert_eq!(ran.stderr, said.repeat(2));
        assert_eq!(ran.stdout, b"3\n3\n");
        assert!(tree(keep.path()) == before, "{name}: something has changed");
    }
}

#[test]
fn the_data_directory_itself_may_be_a_mount_point() {
    let (keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let script = "mkdir \"$2/../mount\"; mount --bind \"$2\" \"$2/../mount\"
                  \"$1\" import --raft-dir \"$2/../mount\" --db \"$3\"";
    let ran = with_mounts(script, &dir);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(export(&dir).stdout == fs::read(dump()).unwrap());
    drop(keep);
}

#[test]
fn a_lower_layer_of_an_overlay_keeps_its_data_with_advice() {
    let (keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let before = tree(&dir);
    // On a tmpfs, which every kernel takes as an upper layer.
    let script = "work=\"$2/../work\"; mkdir \"$work\"; mount -t tmpfs none \"$work\"
                  cd \"$work\"; mkdir upper scratch dir
                  mount -t overlay overlay -o lowerdir=\"$2\",upperdir=upper,workdir=scratch,userxattr dir
                  set +e; \"$1\" import --raft-dir dir --db \"$3\"; echo $?
                  \"$1\" export -q --raft-dir dir | cmp - \"$3\"; ls -A dir | grep -c metadump || true
                  cp -a dir/df_meta dir/copy && rm -r dir/df_meta && mv dir/copy dir/df_meta
                  \"$1\" -q import --raft-dir dir --db \"$3\"; echo $?";
    let ran = with_mounts(script, &dir);
    assert_eq!(
        ran.stderr,
        "error: dir keeps its old data\n\
         cause: cannot move dir/.metadump-import/df_meta to dir/df_meta: Invalid cross-device link \
         (os error 18)\n\
         help:  df_meta lies in a lower layer of an overlay file system, that is in an image, whose \
         directories cannot be moved: replace it by a copy of itself (cp -a, rm -r, mv), and import \
         again\n"
    );
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "3\n0\n0\n");
    assert!(tree(&dir) == before);
    drop(keep);
}

#[test]
fn the_directory_of_a_service_is_no_data_directory() {
    let home = TempDir::new().unwrap();
    let dir = home.path().join("drill");
    let mut service = command(["serve", "--grpc-api-address", "127.0.0.1:0", "--db"])
        .arg(dump())
        .args(["--admin-api-address", "127.0.0.1:0", "--data-dir"])
        .arg(&dir)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let said = "error: DIR is the data directory of `serve`\n\
                help:  give --raft-dir the directory that the server has as raft_dir\n";
    let serves = BufReader::new(service.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .any(|line| line.contains("127.0.0.1:"));
    assert!(serves, "the service has not started");
    let refused = import(&dir, &[]);
    service.kill().unwrap();
    service.wait().unwrap();
    let expected = said.replace("DIR", &dir.display().to_string());
    assert_eq!((refused.code, refused.stderr), (Some(3), expected));
    check_refused(home.path(), &dir, said);
}

#[test]
fn a_part_of_a_data_directory_is_none() {
    let home = TempDir::new().unwrap();
    let dir = home.path().join("dir");
    let part = dir.join("df_meta");
    assert_eq!(import(&dir, &[]).code, Some(0));
    let shown = fs::canonicalize(&part).unwrap();
    let said = format!(
        "error: {} has the data of a meta service, as df_meta has in its data directory\n\
         help:  give --raft-dir the directory that df_meta is in, which the server has as raft_dir\n",
        shown.display()
    );
    for part in [part.clone(), part.join("V004"), part.join("V004/new"), dir.join("./df_meta/.")] {
        check_refused(home.path(), &part, &said);
    }
    assert_eq!(import(&dir, &[]).code, Some(0));
}

/// An import that has read half of its dump and waits for the rest.
struct HalfDone {
    child: Child,
    rest: Vec<u8>,
}

impl HalfDone {
    fn start(dir: &Path, more: &[&str]) -> Self {
        let mut command = command(["import", "--raft-dir"]);
        command.arg(dir).args(more).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let dump = fs::read(dump()).unwrap();
        let (half, rest) = dump.split_at(dump.len() / 2);
        child.stdin.as_mut().unwrap().write_all(half).unwrap();
        // It is at work when its place is there and has more than a lock.
        let log = dir.join(".metadump-import/df_meta/V004/log/LOCK");
        while !log.exists() {
            assert!(child.try_wait().unwrap().is_none(), "the import has ended");
            std::thread::yield_now();
        }
        Self { child, rest: rest.to_vec() }
    }

    fn finish(mut self) -> Ran {
        let mut stdin = self.child.stdin.take().unwrap();
        stdin.write_all(&self.rest).unwrap();
        drop(stdin);
        self.child.wait_with_output().unwrap().into()
    }

    fn signal(mut self, name: &str) -> Ran {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success());
        // Its end would end the import in another way.
        let stdin = self.child.stdin.take();
        let ran = self.child.wait_with_output().unwrap().into();
        drop(stdin);
        ran
    }
}

/// Makes what a server makes when it starts on a directory, as far as an import can see it.
fn start_server(dir: &Path) -> File {
    let log = dir.join("df_meta/V004/log");
    fs::create_dir_all(&log).unwrap();
    let lock = OpenOptions::new().create(true).append(true).open(log.join("LOCK")).unwrap();
    flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    fs::write(log.join("r-00_000_000_000_000_000_000.wal"), "acknowledged").unwrap();
    lock
}

#[test]
fn a_server_that_starts_during_an_import_keeps_its_data() {
    for keep_old in [&["--keep-old"], [].as_slice()] {
        // Nothing is there that could be locked: no directory, an empty one, data without a lock.
        for old in [None, Some(""), Some("df_meta/V004/log")] {
            let home = TempDir::new().unwrap();
            let dir = home.path().join("dir");
            if let Some(old) = old {
                fs::create_dir_all(dir.join(old)).unwrap();
            }
            let running = HalfDone::start(&dir, keep_old);
            let server = start_server(&dir);
            let data = tree(&dir.join("df_meta"));
            let ran = running.finish();
            let shown = dir.display();
            let said = format!(
                "error: a server is running on {shown} (it holds {shown}/df_meta/V004/log/LOCK)\n\
                 help:  stop the server first; an import under it would lose what it has \
                 acknowledged\n"
            );
            assert_eq!((ran.code, ran.stderr), (Some(3), said));
            assert!(tree(&dir.join("df_meta")) == data, "{old:?}: the server's data has changed");
            drop(server);
            assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        }
    }
}

#[test]
fn a_server_that_ran_during_an_import_keeps_its_data() {
    for keep_old in [&["--keep-old"], [].as_slice()] {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("dir");
        fs::create_dir_all(dir.join("df_meta/V004/log")).unwrap();
        let running = HalfDone::start(&dir, keep_old);
        drop(start_server(&dir));
        let data = tree(&dir.join("df_meta"));
        let ran = running.finish();
        let said = format!(
            "error: {}/df_meta/V004/log/LOCK has changed while the import was at work\n\
             help:  stop the server that writes there, and import again\n",
            dir.display()
        );
        assert_eq!((ran.code, ran.stderr), (Some(3), said));
        assert!(tree(&dir.join("df_meta")) == data);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }
}

#[test]
fn another_import_is_not_taken_for_a_server() {
    let (keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let running = HalfDone::start(&dir, &[]);
    let said = format!(
        "error: another import into {} is running\nhelp:  wait until it has ended\n",
        dir.display()
    );
    for more in [&["--dry-run"], [].as_slice()] {
        let ran = import(&dir, more);
        assert_eq!((ran.code, &ran.stderr), (Some(3), &said), "{more:?}");
    }
    let ran = export(&dir);
    assert_eq!((ran.code, &ran.stderr), (Some(3), &said));
    assert_eq!(running.finish().code, Some(0));
    assert!(export(&dir).stdout == fs::read(dump()).unwrap());
    drop(keep);
}

#[test]
fn a_signal_leaves_nothing_behind() {
    for signal in ["INT", "TERM", "HUP", "QUIT"] {
        let (keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
        let mut before = tree(keep.path());
        let ran = HalfDone::start(&dir, &[]).signal(signal);
        let said = format!("error: interrupted by SIG{signal}; partial files are removed\n");
        assert_eq!((ran.code, ran.stderr), (None, said));
        let mut after = tree(keep.path());
        // The place came and went, which is a change of the directory itself alone.
        let own = dir.strip_prefix(keep.path()).unwrap();
        assert!(before.remove(own).is_some() && after.remove(own).is_some());
        assert!(after == before, "SIG{signal} has left something");
        let new = keep.path().join("new");
        HalfDone::start(&new, &[]).signal(signal);
        assert!(!new.exists(), "SIG{signal} has left the directory");
    }
}

#[test]
fn old_data_is_kept_under_a_name_that_is_free() {
    let (_keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let kept = |dir: &Path| -> Vec<String> {
        let mut names = names(dir);
        names.retain(|name| name.starts_with("metadump-old-"));
        names
    };
    // A clock that stands, at a time in which names are taken.
    let ran = import(&dir, &["--keep-old"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let first = kept(&dir).pop().unwrap();
    assert_eq!(
        ran.stderr,
        format!(
            "{UNPROVEN}the old data is kept in {0}/{first}\n\
             read 188 lines, 165,456 bytes\nimported into {0}: last applied T1-N1.80, 67 keys in the \
             snapshot, 96 log entries up to T1-N1.95\n",
            dir.display()
        )
    );
    // As an import left it that found its name taken and could not go on.
    let old = dir.join(".metadump-import");
    fs::create_dir(&old).unwrap();
    fs::set_permissions(&old, PermissionsExt::from_mode(0o755)).unwrap();
    fs::create_dir(old.join("df_meta")).unwrap();
    fs::write(old.join("df_meta/old"), "old").unwrap();
    fs::write(old.join("LOCK"), "").unwrap();
    let inode = fs::metadata(dir.join("df_meta")).unwrap().ino();
    let ready = format!(r#"{{"new_inode":{inode},"old":{{"KeptAs":"{first}"}},"new_sled":{{}}}}"#);
    fs::write(old.join("READY"), ready).unwrap();
    let ran = import(&dir, &[]);
    let note = format!(
        "note: an earlier import into {} was interrupted after it had replaced the data; the old \
         data is kept in",
        dir.display()
    );
    assert_eq!(
        (ran.code, ran.stderr),
        (
            Some(0),
            format!(
                "{note} {0}/{first}-2\n{UNPROVEN}\
                 read 188 lines, 165,456 bytes\nimported into {0}: last applied T1-N1.80, 67 keys in \
                 the snapshot, 96 log entries up to T1-N1.95\n",
                dir.display()
            )
        )
    );
    assert_eq!(kept(&dir), [first.clone(), format!("{first}-2")]);
    let second = dir.join(format!("{first}-2"));
    let names: Vec<_> = contents(&second).into_keys().collect();
    assert_eq!(names, [PathBuf::from("df_meta/old")]);
}

/// Every mode below a directory, the directory itself left out.
fn modes(dir: &Path) -> Vec<(PathBuf, u32)> {
    let entries = tree(dir).into_iter().filter(|(path, _)| path != Path::new(""));
    entries.map(|(path, entry)| (path, entry.mode & 0o7777)).collect()
}

#[test]
fn whoever_may_use_the_directory_may_use_what_is_restored() {
    // The mode of the directory, and those of directories and files in it, whatever the umask is.
    let cases = [
        (0o700, 0o700, 0o600),
        (0o755, 0o750, 0o640),
        (0o775, 0o770, 0o660),
        (0o777, 0o770, 0o660),
        (0o2775, 0o2770, 0o660),
    ];
    for (of_root, of_dirs, of_files) in cases {
        for umask in ["000", "022", "077"] {
            for version in ["V003", "V004"] {
                let home = TempDir::new().unwrap();
                let dir = home.path().join("dir");
                fs::create_dir(&dir).unwrap();
                fs::set_permissions(&dir, PermissionsExt::from_mode(of_root)).unwrap();
                let script = format!("umask {umask}; exec \"$0\" -q import \"$@\"");
                let mut shell = Command::new("sh");
                shell.args(["-c", &script]).arg(binary()).arg("--raft-dir").arg(&dir);
                shell.arg("--db").arg(fixture("old/v003.official-chain-export.ndjson.gz"));
                shell.args(["--data-version", version, "--accept", "lost-expiry-milliseconds"]);
                let ran: Ran = shell.output().unwrap().into();
                assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
                for (path, mode) in modes(&dir) {
                    let is_dir = dir.join(&path).is_dir();
                    let wanted = if is_dir { of_dirs } else { of_files };
                    let path = path.display();
                    assert_eq!(mode, wanted, "{path} in {of_root:o}, umask {umask}, {version}");
                }
            }
        }
    }
}

#[test]
fn a_new_directory_is_for_its_owner_alone() {
    let home = TempDir::new().unwrap();
    let dir = home.path().join("parent/dir");
    let ran = import(&dir, &["-q"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn what_root_restores_for_a_group_is_read_and_written_by_the_group() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root restores for another user");
        return;
    }
    let home = TempDir::new().unwrap();
    fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = home.path().join("databend-metactl");
    fs::copy(binary(), &program).unwrap();
    let dir = home.path().join("dir");
    fs::create_dir(&dir).unwrap();
    chown(&dir, None, Some(2000)).unwrap();
    fs::set_permissions(&dir, PermissionsExt::from_mode(0o2775)).unwrap();
    let ran = import(&dir, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // A server of another user in the group, as with fsGroup; then one of neither.
    let export_as = |group: u32| -> Ran {
        let mut export = Command::new(&program);
        export.args(["export", "-q", "--raft-dir"]).arg(&dir).uid(1000).gid(group);
        export.output().unwrap().into()
    };
    let exported = export_as(2000);
    assert!(exported.code == Some(0) && exported.stdout == fs::read(dump()).unwrap());
    for (path, mode) in modes(&dir) {
        let meta = fs::metadata(dir.join(&path)).unwrap();
        let group_may = if meta.is_dir() { 0o2770 } else { 0o660 };
        assert_eq!((meta.gid(), mode), (2000, group_may), "{}", path.display());
    }
    assert_eq!(export_as(3000).code, Some(3));
    // What the old data is kept in belongs to the owner of the directory, too.
    chown(&dir, Some(1000), Some(2000)).unwrap();
    let ran = import(&dir, &["--keep-old"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for entry in fs::read_dir(&dir).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let owner = (meta.uid(), meta.gid(), meta.mode() & 0o7777);
        assert_eq!(owner, (1000, 2000, 0o2770), "{}", entry.path().display());
    }
}
