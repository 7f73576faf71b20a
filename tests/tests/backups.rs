//! `backups`: what a folder holds, whether it can be restored, what is forgotten.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use metadump::manifest::{Manifest, Parent};
use metadump::record::LogId;
use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::{Ran, command, run};
use metadump_tests::tree::names;
use serde_json::Value;
use tempfile::TempDir;

const HOUR_MS: u64 = 3_600_000;

/// 2026-01-01T00:00:00Z.
const NEW_YEAR_MS: u64 = 1_767_225_600_000;

struct Shelf {
    folder: TempDir,
    /// A dump and the manifest of it.
    dump: Vec<u8>,
    manifest: Manifest,
}

impl Shelf {
    fn new() -> Self {
        let elsewhere = TempDir::new().unwrap();
        let out = elsewhere.path().join("out.db");
        let small = fixture("valid/v004.ndjson");
        let ran = run(["rewrite", small.to_str().unwrap(), "--output", out.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let manifest = Manifest::parse(&fs::read(Manifest::path_of(&out)).unwrap()).unwrap();
        Self { folder: TempDir::new().unwrap(), dump: fs::read(out).unwrap(), manifest }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a dump there that was written so many hours after the beginning of 2026.
    fn put(&self, name: &str, hour: u64) {
        self.put_at(name, NEW_YEAR_MS + hour * HOUR_MS);
    }

    fn put_at(&self, name: &str, created_at_ms: u64) {
        let manifest = Manifest { dump: name.to_owned(), created_at_ms, ..self.manifest.clone() };
        self.put_manifest(&manifest);
    }

    fn put_manifest(&self, manifest: &Manifest) {
        let path = self.path(&manifest.dump);
        fs::write(Manifest::path_of(&path), manifest.to_json().unwrap()).unwrap();
        fs::write(path, &self.dump).unwrap();
    }

    /// Puts what stands for an increment there. Its content counts only where it is read.
    fn put_increment(&self, name: &str, hour: u64, parent: (&str, &str), index: u64) {
        let last_log = |index| LogId::new(1, 1, index);
        let parent = Parent {
            dump: parent.0.to_owned(),
            sha256: parent.1.to_owned(),
            last_log: last_log(index - 1),
            created_at_ms: None,
        };
        self.put_manifest(&Manifest {
            dump: name.to_owned(),
            sha256: format!("{name:0>64}"),
            created_at_ms: NEW_YEAR_MS + hour * HOUR_MS,
            last_applied: None,
            last_log: Some(last_log(index)),
            parent: Some(parent),
            ..self.manifest.clone()
        });
    }

    fn run(&self, line: &str) -> Ran {
        let words = line.split_whitespace();
        command(words).current_dir(self.folder.path()).output().unwrap().into()
    }

    /// The dumps that are there, without their manifests.
    fn names(&self) -> Vec<String> {
        let mut names = names(self.folder.path());
        names.retain(|name| !name.ends_with(".manifest.json"));
        names
    }
}

fn text(ran: &Ran) -> String {
    String::from_utf8(ran.stdout.clone()).unwrap()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// A chain of a dump and three increments, an hour apart, and another dump a day later.
fn with_chain() -> Shelf {
    let shelf = Shelf::new();
    shelf.put("base.db", 0);
    let sha256 = shelf.manifest.sha256.clone();
    shelf.put_increment("one.db", 1, ("base.db", &sha256), 7);
    shelf.put_increment("two.db", 2, ("one.db", &format!("{:0>64}", "one.db")), 8);
    shelf.put_increment("three.db", 3, ("two.db", &format!("{:0>64}", "two.db")), 9);
    shelf.put("later.db", 27);
    shelf
}

#[test]
fn a_folder_is_listed_by_chains() {
    let shelf = with_chain();
    fs::write(shelf.path("notes.txt"), "notes").unwrap();
    fs::create_dir(shelf.path("below")).unwrap();
    let ran = shelf.run("backups .");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let bytes = shelf.dump.len().to_string();
    let bytes = format!("{},{}", &bytes[..bytes.len() - 3], &bytes[bytes.len() - 3..]);
    let listed = text(&ran).replace(&bytes, "BYTES");
    let (table, rest) = listed.split_at(listed.find("no backup").unwrap());
    let rows: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    let expected = [
        "chain written bytes entries log to name chain is",
        "1 2026-01-01 00:00:00 UTC BYTES 3 T1-N1.6 base.db linked",
        "1 2026-01-01 01:00:00 UTC BYTES 3 T1-N1.7 one.db linked",
        "1 2026-01-01 02:00:00 UTC BYTES 3 T1-N1.8 two.db linked",
        "1 2026-01-01 03:00:00 UTC BYTES 3 T1-N1.9 three.db linked",
        "2 2026-01-02 03:00:00 UTC BYTES 3 T1-N1.6 later.db linked",
    ];
    assert_eq!(rows, expected.map(|row| row.split(' ').collect::<Vec<_>>()));
    assert!(
        rest.starts_with(
            "no backup: notes.txt: no manifest stands beside it\n\
             5 backups in 2 chains; the youngest is of 2026-01-02 03:00:00 UTC, "
        ),
        "{rest}"
    );
    let json = text(&shelf.run("backups . --format json"));
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 7);
    assert_eq!(lines[1]["file"], "one.db");
    assert_eq!(lines[1]["parent"]["dump"], "base.db");
    assert_eq!(lines[1]["fate"], Value::Null);
    assert_eq!(lines[5]["no_backup"], "notes.txt");
    let (last, youngest) = (&lines[6], NEW_YEAR_MS + 27 * HOUR_MS);
    assert_eq!((&last["backups"], &last["chains"]), (&5.into(), &2.into()));
    assert_eq!(last["youngest_ms"], youngest);
}

#[test]
fn a_check_reads_what_can_be_restored() {
    let shelf = Shelf::new();
    shelf.put("good.db", 0);
    shelf.put("damaged.db", 1);
    let fine = shelf.run("backups . --check");
    assert_eq!(fine.code, Some(0), "{}{}", text(&fine), fine.stderr);
    let mut damaged = shelf.dump.clone();
    let at = damaged.iter().rposition(|byte| *byte == b'1').unwrap();
    damaged[at] = b'2';
    fs::write(shelf.path("damaged.db"), damaged).unwrap();
    // Whoever does not read it does not see it.
    assert_eq!(shelf.run("backups .").code, Some(0));
    let ran = shelf.run("backups . --check");
    assert_eq!(ran.code, Some(1));
    let listed = text(&ran);
    assert!(listed.contains("good.db     ok\n"), "{listed}");
    assert!(listed.contains("damaged.db  1 error\n"), "{listed}");
    assert!(listed.contains("; the youngest is of 2026-01-01 00:00:00 UTC, "), "{listed}");
    // What stands for increments is none.
    let ran = with_chain().run("backups . --check --format json");
    assert_eq!(ran.code, Some(1));
    assert!(text(&ran).contains("one.db has lines that an increment does not have"), "{ran:?}");
}

#[test]
fn a_folder_that_is_validated_stands_for_its_newest_chain() {
    let shelf = Shelf::new();
    shelf.put("old.db", 0);
    let note = "beside its newest chain";
    let ran = shelf.run("validate .");
    assert!(ran.code == Some(0) && !ran.stderr.contains(note), "{}", ran.stderr);
    shelf.put("new.db", 24);
    let ran = shelf.run("validate .");
    let said = "note: . holds 1 backup beside its newest chain, which is what is checked: \
                `databend-metactl backups --check` checks all\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), said));
    assert!(text(&ran).contains("new.db: "), "{}", text(&ran));
}

#[test]
fn a_chain_with_a_gap_is_broken() {
    let shelf = with_chain();
    fs::remove_file(shelf.path("two.db")).unwrap();
    let ran = shelf.run("backups .");
    assert_eq!(ran.code, Some(1));
    let missing = "warning: ./three.db is an increment of two.db, which is not there\n";
    assert!(ran.stderr.contains(missing), "{}", ran.stderr);
    // Nothing of it is forgotten, but what can be restored is.
    let ran = shelf.run("backups . --forget --keep-last 1");
    assert!(text(&ran).contains("1 chain") || text(&ran).contains("left alone"), "{}", text(&ran));
    assert_eq!(shelf.names(), ["later.db", "three.db"]);
}

#[test]
fn an_old_backup_fails() {
    let shelf = Shelf::new();
    let says = |line: &str| {
        let ran = shelf.run(line);
        (ran.code, ran.stderr)
    };
    let none = "warning: there is no backup that can be restored\n".to_owned();
    assert_eq!(says("backups . --max-age 25h"), (Some(1), none));
    shelf.put_at("old.db", now_ms() - 26 * HOUR_MS);
    let (code, said) = says("backups . --max-age 25h");
    assert_eq!(code, Some(1));
    assert!(said.starts_with("warning: the youngest backup is of 20"), "{said}");
    assert!(said.ends_with(" UTC, 26 hours ago, which is older than --max-age\n"), "{said}");
    assert_eq!(says("backups . --max-age 2d"), (Some(0), String::new()));
    shelf.put_at("new.db", now_ms());
    assert_eq!(says("backups . --max-age 25h"), (Some(0), String::new()));
    assert_eq!(says("backups . --max-age 25").0, Some(2));
}

#[test]
fn what_no_rule_keeps_is_forgotten() {
    // Every six hours, ten days long.
    let hours = || (0..40).map(|at| at * 6);
    for (rules, kept) in [
        ("--keep-last 3", vec![222, 228, 234]),
        ("--keep-hourly 2", vec![228, 234]),
        ("--keep-daily 3", vec![186, 210, 234]),
        // Thursday 1st to Saturday 10th: to the Sunday, and to the last.
        ("--keep-weekly 2", vec![90, 234]),
        // There is one month: the oldest stays as well.
        ("--keep-monthly 2", vec![0, 234]),
        ("--keep-within 12h", vec![228, 234]),
        ("--keep-within 1d --keep-daily 2", vec![210, 216, 222, 228, 234]),
        ("--keep-last 1 --keep-weekly 2", vec![90, 234]),
    ] {
        let shelf = Shelf::new();
        let name = |hour: u64| format!("{hour:04}.db");
        hours().for_each(|hour| shelf.put(&name(hour), hour));
        let planned = shelf.run(&format!("backups . --forget {rules} --dry-run"));
        assert_eq!(planned.code, Some(0), "{}", planned.stderr);
        let gone = 40 - kept.len();
        let said = text(&planned);
        assert!(
            said.contains(&format!("\n{gone} backups would be forgotten, ")),
            "{rules}: {said}"
        );
        assert_eq!(shelf.names().len(), 40);
        let ran = shelf.run(&format!("backups . --forget {rules}"));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(text(&ran).contains(&format!("\n{gone} backups forgotten, ")), "{rules}");
        let kept: Vec<String> = kept.into_iter().map(name).collect();
        assert_eq!(shelf.names(), kept, "{rules}");
        // Their manifests, and no others.
        assert_eq!(names(shelf.folder.path()).len(), 2 * kept.len());
    }
}

#[test]
fn what_is_kept_keeps_what_it_goes_on_from() {
    let shelf = with_chain();
    // The youngest of the first day is the last increment, which needs all before it.
    let ran = shelf.run("backups . --forget --keep-daily 2");
    assert_eq!(shelf.names(), ["base.db", "later.db", "one.db", "three.db", "two.db"]);
    assert!(text(&ran).contains("keep: needed\n"), "{}", text(&ran));
    // The end of a chain can go without the rest.
    let ran = shelf.run("backups . --forget --keep-within 26h --format json");
    let lines = text(&ran);
    let fate = |at: usize| -> Value {
        let line: Value = serde_json::from_str(lines.lines().nth(at).unwrap()).unwrap();
        line["fate"].clone()
    };
    assert_eq!([0, 1, 2, 3, 4].map(fate), ["keep", "keep", "keep", "keep", "keep"]);
    let ran = shelf.run("backups . --forget --keep-last 1");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(shelf.names(), ["later.db"]);
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let shelf = with_chain();
    fs::write(shelf.path("alone.db"), &shelf.dump).unwrap();
    fs::write(shelf.path("other.db"), "something else").unwrap();
    fs::write(shelf.path("other.db.manifest.json"), "{}").unwrap();
    shelf.put("renamed.db", 5);
    fs::rename(shelf.path("renamed.db.manifest.json"), shelf.path("new.db.manifest.json")).unwrap();
    fs::rename(shelf.path("renamed.db"), shelf.path("new.db")).unwrap();
    shelf.put("longer.db", 6);
    fs::write(shelf.path("longer.db"), [&shelf.dump[..], b"more"].concat()).unwrap();
    let ran = shelf.run("backups . --forget --keep-last 1");
    // Three were to be backups, by the manifests beside them.
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(shelf.names(), ["alone.db", "later.db", "longer.db", "new.db", "other.db"]);
    let listed = text(&ran);
    for said in [
        "no backup: alone.db: no manifest stands beside it\n",
        "no backup: other.db: cannot read the manifest ./other.db.manifest.json: not a manifest: ",
        "no backup: new.db: its manifest is of renamed.db\n",
        "no backup: longer.db: it has ",
    ] {
        assert!(listed.contains(said), "{said}{listed}");
    }
}

#[test]
fn nothing_is_forgotten_for_the_sake_of_what_cannot_be_restored() {
    let shelf = Shelf::new();
    shelf.put("old.db", 0);
    shelf.put("good.db", 24);
    for (hour, name, content) in [
        (48, "damaged.db", vec![b'x'; shelf.dump.len()]),
        (49, "damaged.db.zst", b"no zstd".to_vec()),
        (50, "empty.db.zst", Vec::new()),
    ] {
        shelf.put(name, hour);
        fs::write(shelf.path(name), content).unwrap();
    }
    let planned = shelf.run("backups . --forget --keep-last 1 --dry-run");
    assert!(text(&planned).contains("\n1 backup would be forgotten, "), "{}", text(&planned));
    let ran = shelf.run("backups . --forget --keep-last 1");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(shelf.names(), ["damaged.db", "damaged.db.zst", "empty.db.zst", "good.db"]);
    assert!(text(&ran).contains("no backup: empty.db.zst: it is empty\n"), "{}", text(&ran));
}

#[test]
fn what_is_of_a_time_to_come_counts_as_no_backup() {
    let shelf = Shelf::new();
    shelf.put("old.db", 0);
    shelf.put("young.db", 24);
    for (name, at) in [("ahead.db", now_ms() + 24 * HOUR_MS), ("never.db", u64::MAX)] {
        shelf.put_at(name, at);
    }
    let ran = shelf.run("backups . --max-age 25h");
    assert_eq!(ran.code, Some(1));
    let said =
        "warning: the chain of ahead.db has a time that is still to come: it counts as no backup\n";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(ran.stderr.contains("the youngest backup is of 2026-01-02 "), "{}", ran.stderr);
    shelf.run("backups . --forget --keep-last 1");
    assert_eq!(shelf.names(), ["ahead.db", "never.db", "young.db"]);
}

#[test]
fn nothing_is_forgotten_without_a_rule() {
    let shelf = with_chain();
    for line in [
        "backups . --forget",
        "backups . --forget --keep-daily 0",
        "backups . --keep-daily 7",
        "backups . --dry-run",
        "backups . --forget --keep-within 3x",
    ] {
        let ran = shelf.run(line);
        assert_eq!(ran.code, Some(2), "{line}: {}", ran.stderr);
        assert_eq!(shelf.names().len(), 5);
    }
    let no_folder = run(["backups", shelf.path("base.db").to_str().unwrap()]);
    assert_eq!(no_folder.code, Some(3));
    assert!(no_folder.stderr.contains(" is no folder\n"), "{}", no_folder.stderr);
}

#[test]
fn a_folder_of_nothing_is_listed() {
    let folder = TempDir::new().unwrap();
    let of = |path: &Path| run(["backups", path.to_str().unwrap()]);
    let ran = of(folder.path());
    assert_eq!((ran.code, text(&ran).as_str()), (Some(0), "0 backups in 0 chains\n"));
    // Where backups were to be, none is worse than an old one.
    let checked = run(["backups", "--check", folder.path().to_str().unwrap()]);
    let said = "warning: there is no backup that can be restored\n";
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(1), said));
    assert_eq!(of(&folder.path().join("none")).code, Some(3));
}
