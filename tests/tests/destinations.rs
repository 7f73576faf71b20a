//! What stands under the name that a dump is written to: files, links, devices, mount points.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{self, Ran, run, unprivileged};
use metadump_tests::strace::{NO_LOG, strace};
use metadump_tests::tree::names;
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use tempfile::TempDir;

const EXPORTED: &str =
    "exported 188 lines, 165,456 bytes, last applied T1-N1.80, log to T1-N1.95\n";

fn good() -> Vec<u8> {
    fs::read(origin()).unwrap()
}

fn origin() -> PathBuf {
    fixture("v004/v004-origin.export.ndjson")
}

/// A good data directory, and an empty directory for what is written.
struct Place {
    _scratch: TempDir,
    raft_dir: PathBuf,
    out: TempDir,
}

impl Place {
    fn new() -> Self {
        let (scratch, raft_dir) = unpack("v004/v004-origin.tar.gz");
        Self { _scratch: scratch, raft_dir, out: TempDir::new().unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.out.path().join(name)
    }

    /// Every command line that writes the good dump to a path.
    fn writers(&self, to: &Path) -> Vec<Vec<PathBuf>> {
        let lines: [&[&Path]; 4] = [
            &["export".as_ref(), "--raft-dir".as_ref(), &self.raft_dir, "--db".as_ref(), to],
            &["rewrite".as_ref(), "--db".as_ref(), &origin(), "--output".as_ref(), to],
            &[
                "export".as_ref(),
                "--raft-dir".as_ref(),
                &self.raft_dir,
                "--data-version=V004".as_ref(),
                "--db".as_ref(),
                to,
            ],
            &[
                "rewrite".as_ref(),
                "--data-version=V004".as_ref(),
                "--db".as_ref(),
                &origin(),
                "--output".as_ref(),
                to,
            ],
        ];
        lines.iter().map(|line| line.iter().map(|arg| (*arg).to_owned()).collect()).collect()
    }

    fn export(&self, to: &Path) -> Ran {
        run(&self.writers(to)[0])
    }
}

#[track_caller]
fn well(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn a_fifo_is_written_into() {
    let place = Place::new();
    let fifo = place.at("pipe");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    for line in place.writers(&fifo) {
        let reading = std::thread::spawn({
            let fifo = fifo.clone();
            move || fs::read(fifo).unwrap()
        });
        let ran = run(&line);
        well(&ran);
        let note = format!(
            "note: {} is a FIFO: the dump is written into it, without a manifest\n",
            fifo.display()
        );
        assert!(ran.stderr.contains(&note), "{}", ran.stderr);
        assert!(reading.join().unwrap() == good(), "{line:?}");
        assert!(fs::symlink_metadata(&fifo).unwrap().file_type().is_fifo(), "{line:?}");
        assert_eq!(names(place.out.path()), ["pipe"], "{line:?}");
    }
}

#[test]
fn a_fifo_with_the_ending_of_a_packed_file_gets_a_packed_dump() {
    let place = Place::new();
    let fifo = place.at("pipe.zst");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let reading = std::thread::spawn({
        let fifo = fifo.clone();
        move || fs::read(fifo).unwrap()
    });
    well(&place.export(&fifo));
    let packed = reading.join().unwrap();
    assert!(zstd::decode_all(packed.as_slice()).unwrap() == good());
}

#[test]
fn a_reader_of_a_fifo_that_goes_away_is_a_failure() {
    let place = Place::new();
    let fifo = place.at("pipe");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let reading = std::thread::spawn({
        let fifo = fifo.clone();
        // More than a pipe holds is left.
        move || File::open(fifo).unwrap().read_exact(&mut [0; 10]).unwrap()
    });
    let ran = place.export(&fifo);
    reading.join().unwrap();
    let expected = format!(
        "note: {0} is a FIFO: the dump is written into it, without a manifest\n\
         error: cannot write to {0}\ncause: Broken pipe (os error 32)\n",
        fifo.display()
    );
    assert_eq!((ran.code, ran.stderr), (Some(3), expected));
}

/// Makes a device in a folder of the test; false where that is not allowed, which is said.
fn device(path: &Path, major: u32, minor: u32) -> bool {
    let made = mknodat(
        CWD,
        path,
        FileType::CharacterDevice,
        Mode::RUSR | Mode::WUSR,
        makedev(major, minor),
    );
    if made.is_err() {
        println!("skipped: only root may make devices");
    }
    made.is_ok()
}

#[test]
fn a_device_is_written_into() {
    let place = Place::new();
    let null = place.at("null");
    if !device(&null, 1, 3) {
        return;
    }
    for line in place.writers(&null) {
        well(&run(&line));
        let kind = fs::symlink_metadata(&null).unwrap().file_type();
        assert!(kind.is_char_device(), "{line:?}");
        assert_eq!(names(place.out.path()), ["null"], "{line:?}");
    }
    let full = place.at("full");
    assert!(device(&full, 1, 7));
    let ran = place.export(&full);
    let expected = format!(
        "note: {0} is a device: the dump is written into it, without a manifest\n\
         error: cannot write to {0}\ncause: No space left on device (os error 28)\n\
         help:  free some space or inodes, or write to another disk\n",
        full.display()
    );
    assert_eq!((ran.code, ran.stderr), (Some(3), expected));
    assert_eq!(names(place.out.path()), ["full", "null"]);
}

#[test]
fn a_link_to_stdout_is_stdout() {
    let place = Place::new();
    let link = place.at("stdout");
    symlink("/proc/self/fd/1", &link).unwrap();
    for line in place.writers(&link) {
        let ran = run(&line);
        well(&ran);
        assert!(ran.stdout == good(), "{line:?}");
        assert!(link.is_symlink());
        assert_eq!(names(place.out.path()), ["stdout"], "{line:?}");
    }
}

#[test]
fn a_link_to_an_open_file_is_written_through() {
    let place = Place::new();
    let (link, file) = (place.at("third"), place.at("file"));
    symlink("/proc/self/fd/3", &link).unwrap();
    let ran = Command::new("sh")
        .args(["-c", "file=$1; shift; exec \"$@\" 3>\"$file\"", "sh"])
        .arg(&file)
        .arg(metactl::binary())
        .args(&place.writers(&link)[0])
        .output()
        .unwrap();
    let ran = Ran::from(ran);
    well(&ran);
    let expected = format!(
        "note: {} is open in a process: the dump is written into it, without a manifest\n{EXPORTED}",
        link.display()
    );
    assert_eq!(ran.stderr, expected);
    assert!(fs::read(&file).unwrap() == good());
    assert_eq!(names(place.out.path()), ["file", "third"]);
}

#[test]
fn what_a_link_leads_to_is_replaced() {
    let place = Place::new();
    fs::create_dir(place.at("data")).unwrap();
    symlink("data/real.db", place.at("middle.db")).unwrap();
    symlink("middle.db", place.at("latest.db")).unwrap();
    let (latest, real) = (place.at("latest.db"), place.at("data/real.db"));
    // At first it leads to nothing.
    for line in place.writers(&latest) {
        // Of another dump, and beside the links.
        for name in ["latest.db.manifest.json", "middle.db.manifest.json"] {
            fs::copy(fixture("v004/v004-origin.export.ndjson"), place.at(name)).unwrap();
        }
        well(&run(&line));
        assert!(fs::read(&real).unwrap() == good(), "{line:?}");
        assert_eq!(names(place.out.path()), ["data", "latest.db", "middle.db"], "{line:?}");
        assert_eq!(names(&place.at("data")), ["real.db", "real.db.manifest.json"], "{line:?}");
        assert!(latest.is_symlink() && place.at("middle.db").is_symlink());
        for path in [&latest, &real] {
            let validated =
                run(["validate".as_ref(), "--require-manifest".as_ref(), path.as_os_str()]);
            assert_eq!(validated.code, Some(0), "{}", String::from_utf8_lossy(&validated.stdout));
        }
        fs::write(&real, "an older dump").unwrap();
    }
    // The manifest that was copied beside a link counts when there is no other.
    well(&place.export(&real));
    fs::rename(place.at("data/real.db.manifest.json"), place.at("latest.db.manifest.json"))
        .unwrap();
    let validate = ["validate".as_ref(), "--require-manifest".as_ref(), latest.as_os_str()];
    assert_eq!(run(validate).code, Some(0));
}

#[test]
fn the_name_of_a_manifest_is_none_of_a_dump() {
    let place = Place::new();
    let path = place.at("meta.db.manifest.json");
    fs::write(&path, "{}").unwrap();
    let said = "error: meta.db.manifest.json is the name of a manifest\n\
                help:  the manifest of meta.db comes beside it: name the dump\n";
    for line in place.writers(&path) {
        let ran = run(&line);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), said), "{line:?}");
    }
    assert_eq!(fs::read_to_string(path).unwrap(), "{}");
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is_done() {
    let place = Place::new();
    let (dir, socket) = (place.at("dir"), place.at("socket"));
    fs::create_dir(&dir).unwrap();
    let _listening = UnixListener::bind(&socket).unwrap();
    symlink("around.db", place.at("around.db")).unwrap();
    let refused = |path: &Path, expected: &str| {
        for line in place.writers(path) {
            let ran = run(&line);
            let expected = expected.replace("PATH", &path.display().to_string());
            assert_eq!((ran.code, ran.stderr), (Some(3), expected), "{line:?}");
            assert_eq!(names(place.out.path()), ["around.db", "dir", "socket"], "{line:?}");
            assert_eq!(names(&dir), [] as [&str; 0], "{line:?}");
        }
    };
    refused(&dir, "error: PATH is a directory, not a file\n");
    refused(&dir.join(".."), "error: PATH is a directory, not a file\n");
    refused(&place.at("none/"), "error: PATH is a directory, not a file\n");
    refused(&socket, "error: PATH is a socket, not a file\n");
    refused(
        &place.at("around.db"),
        "error: cannot write PATH\ncause: Too many levels of symbolic links (os error 40)\n",
    );
    fs::remove_file(place.at("around.db")).unwrap();
    fs::create_dir(place.at("meta.db.manifest.json")).unwrap();
    let ran = place.export(&place.at("meta.db"));
    let expected = format!(
        "error: cannot replace {}\ncause: it is a directory, not a regular file\n\
         help:  remove it: a manifest of the new dump has to stand there\n",
        place.at("meta.db.manifest.json").display()
    );
    assert_eq!((ran.code, ran.stderr), (Some(3), expected));
}

#[test]
fn a_file_that_was_put_where_older_releases_wrote_is_left_alone() {
    let place = Place::new();
    fs::write(place.at("victim"), "precious").unwrap();
    symlink("victim", place.at("meta.db.part")).unwrap();
    well(&place.export(&place.at("meta.db")));
    assert_eq!(fs::read(place.at("victim")).unwrap(), b"precious");
    let expected = ["meta.db", "meta.db.manifest.json", "meta.db.part", "victim"];
    assert_eq!(names(place.out.path()), expected);
}

/// Runs a command line that cannot rename anything to a path, as if that was a mount point.
fn with_mounted(path: &Path, args: &[PathBuf]) -> Ran {
    let renames = "rename,renameat,renameat2";
    let mut strace = strace(renames, NO_LOG, &[format!("{renames}:error=EBUSY")]);
    strace.arg("-P").arg(path).arg(metactl::binary()).args(args);
    Ran::from(strace.output().expect("strace is installed by make"))
}

#[test]
fn a_mount_point_is_overwritten() {
    let place = Place::new();
    let db = place.at("meta.db");
    fs::write(&db, "an older dump").unwrap();
    let inode = fs::metadata(&db).unwrap().ino();
    for line in place.writers(&db) {
        // Longer than the new one, so that what is left of it would be seen.
        fs::write(&db, [good(), good()].concat()).unwrap();
        let ran = with_mounted(&db, &line);
        well(&ran);
        let warning = format!(
            "warning: {} is a mount point: its content is overwritten, which takes more than one \
             step; an interruption would leave neither the old nor the new dump\n",
            db.display()
        );
        assert!(ran.stderr.contains(&warning), "{}", ran.stderr);
        assert!(fs::read(&db).unwrap() == good(), "{line:?}");
        assert_eq!(fs::metadata(&db).unwrap().ino(), inode);
        assert_eq!(names(place.out.path()), ["meta.db", "meta.db.manifest.json"]);
        let validate = ["validate".as_ref(), "--require-manifest".as_ref(), db.as_os_str()];
        assert_eq!(run(validate).code, Some(0));
    }
}

#[test]
fn a_file_in_a_directory_that_takes_no_new_one_is_overwritten() {
    let place = Place::new();
    let (dir, spool) = (place.at("dir"), place.at("spool"));
    let (db, manifest) = (dir.join("meta.db"), dir.join("meta.db.manifest.json"));
    let mode = |mode| fs::set_permissions(&dir, fs::Permissions::from_mode(mode)).unwrap();
    fs::create_dir(&dir).unwrap();
    fs::create_dir(&spool).unwrap();
    mode(0o555);
    let ran = unprivileged(&place.writers(&db)[0]);
    let expected = format!(
        "error: cannot write {}\ncause: Permission denied (os error 13)\n\
         help:  run it as the user that owns the files, or as root\n",
        db.display()
    );
    assert_eq!((ran.code, ran.stderr), (Some(3), expected));
    for line in place.writers(&db) {
        mode(0o755);
        fs::write(&db, "an older dump").unwrap();
        let _ = fs::remove_file(&manifest);
        mode(0o555);
        let ran = unprivileged(&line);
        well(&ran);
        let said = format!(
            "warning: {0} is in a directory that takes no new file: its content is overwritten, \
             which takes more than one step; an interruption would leave neither the old nor the \
             new dump\n\
             note: no manifest is written: the directory of {0} takes no new file\n",
            db.display()
        );
        assert!(ran.stderr.contains(&said), "{}", ran.stderr);
        assert!(fs::read(&db).unwrap() == good(), "{line:?}");
        assert_eq!(names(&dir), ["meta.db"]);
        // A manifest that is there already is overwritten, too.
        mode(0o755);
        fs::write(&manifest, "an older manifest").unwrap();
        fs::write(&db, "an older dump").unwrap();
        mode(0o555);
        let ran = unprivileged(&line);
        well(&ran);
        let validate = ["validate".as_ref(), "--require-manifest".as_ref(), db.as_os_str()];
        assert_eq!(run(validate).code, Some(0), "{line:?}");
        // One that cannot be written keeps the dump as it is.
        fs::write(&db, "an older dump").unwrap();
        fs::set_permissions(&manifest, fs::Permissions::from_mode(0o444)).unwrap();
        let ran = unprivileged(&line);
        let expected = format!(
            "error: cannot write {0}\ncause: Permission denied (os error 13)\n\
             help:  run it as the user that owns the files, or as root; {0} is as it was\n",
            db.display()
        );
        assert_eq!((ran.code, ran.stderr), (Some(3), expected));
        assert_eq!(fs::read(&db).unwrap(), b"an older dump");
        fs::set_permissions(&manifest, fs::Permissions::from_mode(0o644)).unwrap();
    }
    mode(0o755);
}
