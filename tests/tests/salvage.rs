//! What `export --salvage` gives of damaged V004 directories: the newest sound snapshot and the
//! log up to the damage, never anything that was not there.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use metadump::check::Severity;
use metadump::record::{LeaderId, LogEntry, LogId, NodeId, Payload, Record, Vote};
use metadump::scan::scan_line;
use metadump::wal::{ChunkId, ChunkLimits, ChunkReader, WalError, WalWriter};
use metadump_tests::damage::Damager;
use metadump_tests::dump::{check, findings};
use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{Ran, run};
use metadump_tests::small::{add_earlier_snapshot, earlier_dump, small_dir, snapshot_of};
use metadump_tests::tree::tree;
use serde_json::{Value, json};

const LOG: &str = "df_meta/V004/log/r-00_000_000_000_000_000_000.wal";

fn export(dir: &Path, more: &[&str]) -> Ran {
    let mut args: Vec<&str> = vec!["export", "--raft-dir", dir.to_str().unwrap()];
    args.extend(more);
    run(args)
}

/// Salvages a directory: what is printed, and what is said with `DIR` for its path.
#[track_caller]
fn salvage(dir: &Path) -> (String, String) {
    let before = tree(dir);
    let ran = export(dir, &["--salvage"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(tree(dir) == before, "a salvage changes the directory");
    (String::from_utf8(ran.stdout).unwrap(), ran.stderr.replace(dir.to_str().unwrap(), "DIR"))
}

const COMPARE: &str = "warning: what is lost is not in the dump, or not as new as it was; compare \
                       it with a dump of another node\n";

/// Where the records of a log begin, and its end.
fn borders(log: &[u8]) -> Vec<usize> {
    let mut borders = Vec::new();
    let mut reader = ChunkReader::new(ChunkId(0));
    let mut each = |at: metadump::wal::RecordAt<'_>| -> Result<(), WalError> {
        borders.push(usize::try_from(at.offset_bytes).unwrap());
        Ok(())
    };
    reader.feed(log, &mut each).unwrap();
    reader.finish(&mut each).unwrap();
    borders.push(log.len());
    borders
}

/// Damages a log in one of four ways; says where the damage begins.
fn damage(log: &[u8], way: usize, damager: &mut Damager) -> (Vec<u8>, usize) {
    let mut bad = log.to_vec();
    let from = damager.below(bad.len());
    let to = (from + 1 + damager.below(300)).min(bad.len());
    match way {
        0 => bad.truncate(from),
        1 => bad[from..to].fill(0),
        2 => bad[from..to].iter_mut().for_each(|byte| *byte = damager.below(256) as u8),
        _ => bad[from] ^= 1 << damager.below(8),
    }
    let differs = bad.iter().zip(log).position(|(one, other)| one != other);
    let begins = differs.unwrap_or(bad.len());
    (bad, begins)
}

/// What is exported of the undamaged log up to a byte.
struct Prefixes {
    good: Vec<u8>,
    known: Mutex<BTreeMap<usize, Vec<u8>>>,
}

impl Prefixes {
    fn upto(&self, bytes: usize) -> Vec<u8> {
        if let Some(known) = self.known.lock().unwrap().get(&bytes) {
            return known.clone();
        }
        let (_keep, dir) = unpack("v004/v004-origin.tar.gz");
        fs::write(dir.join(LOG), &self.good[..bytes]).unwrap();
        // A log that ends before the snapshot is only exported so.
        let ran = export(&dir, &["-q", "--salvage"]);
        assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.stderr);
        self.known.lock().unwrap().insert(bytes, ran.stdout.clone());
        ran.stdout
    }
}

#[test]
fn of_120_damaged_logs_exactly_the_part_before_the_damage_is_salvaged() {
    let (_keep, dir) = unpack("v004/v004-origin.tar.gz");
    let good = fs::read(dir.join(LOG)).unwrap();
    let borders = borders(&good);
    let mut damager = Damager::default();
    let cases: Vec<(Vec<u8>, usize)> =
        (0..120).map(|number| damage(&good, number % 4, &mut damager)).collect();
    let prefixes = Prefixes { good: good.clone(), known: Mutex::default() };
    let (refused, next) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let (_keep, dir) = unpack("v004/v004-origin.tar.gz");
        while let Some((bad, begins)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            fs::write(dir.join(LOG), bad).unwrap();
            let sound = *borders.iter().rfind(|border| *border <= begins).unwrap();
            assert!(sound > 0, "the damage is in the first record");
            let expected = prefixes.upto(sound);
            let exported = export(&dir, &[]);
            if exported.code == Some(0) {
                assert!(exported.stdout == expected, "byte {begins}: {}", exported.stderr);
                continue;
            }
            refused.fetch_add(1, Ordering::Relaxed);
            assert_eq!((exported.code, exported.stdout.len()), (Some(3), 0), "byte {begins}");
            assert!(exported.stderr.contains("`export --salvage` gives what is left"));
            let (salvaged, said) = salvage(&dir);
            assert!(salvaged.as_bytes() == expected, "byte {begins}: {said}");
            let report = check(salvaged.as_bytes());
            assert_eq!(report.findings.count_of(Severity::Error), 0, "{:?}", findings(&report));
            let is_cut = bad.len() < good.len();
            let lost = if is_cut { "the log in DIR/" } else { "cannot read the log in DIR/" };
            assert!(said.contains(&format!("lost: {lost}")), "{said}");
            assert!(said.ends_with(COMPARE), "{said}");
        }
    };
    std::thread::scope(|threads| {
        threads.spawn(work);
        work();
    });
    // Of the 30 that are cut, those are taken for what a crash leaves that reach the snapshot.
    assert_eq!(refused.into_inner(), 113);
}

#[test]
fn what_is_lost_is_reported_and_the_rest_can_be_imported() {
    let (keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let mut log = fs::read(dir.join(LOG)).unwrap();
    log[40_000] ^= 4;
    fs::write(dir.join(LOG), log).unwrap();
    let (salvaged, said) = salvage(&dir);
    assert_eq!(
        said,
        format!(
            "exported 165 lines, 135,523 bytes, last applied T1-N1.80, log to T1-N1.72\n\
             lost: cannot read the log in DIR/{LOG}: r-00_000_000_000_000_000_000.wal, byte 39951: \
             the record is damaged: it says its checksum is 0xc0663cc8, computed 0xb6411b50\n\
             lost: left out of the log, because what stood before them is not known: 22 entries \
             that can still be read, from T1-N1.74 to T1-N1.95\n\
             lost: the log was committed up to T1-N1.95; the dump ends at T1-N1.80\n\
             lost: from the log 23 entries, 73 to 95; from the state what was done by 15 entries, \
             81 to 95; the snapshot holds what the others did\n{COMPARE}"
        )
    );
    // The official import committed all of the log before it wrote it.
    let whole = fs::read_to_string(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let kept = whole.lines().filter(|line| match scan_line(line.as_bytes()).unwrap().record {
        Record::LogEntry(entry) => entry.log_id.index <= 72,
        _ => true,
    });
    let kept: Vec<String> = kept.map(str::to_owned).collect();
    let kept = kept.join("\n") + "\n";
    let at = |index: u64| {
        format!(r#"{{"Committed":{{"leader_id":{{"term":1,"node_id":1}},"index":{index}}}"#)
    };
    assert_eq!(salvaged, kept.replace(&at(95), &at(80)));
    let dump = keep.path().join("dump.ndjson");
    let json = ["-q", "--salvage", "--format", "json", "--db", dump.to_str().unwrap()];
    let to_file = export(&dir, &json);
    assert_eq!((to_file.code, to_file.stderr.as_str()), (Some(1), ""));
    let restored = keep.path().join("restored");
    import(&restored, &dump);
    let lost: Vec<&str> = said.lines().filter(|line| line.starts_with("lost: ")).collect();
    let printed: Value = serde_json::from_slice(&to_file.stdout).unwrap();
    let what = lost.iter().map(|line| line.replace("DIR", dir.to_str().unwrap()));
    let what = what.map(|line| line.trim_start_matches("lost: ").to_owned());
    let expected: Value =
        what.map(|what| json!({ "code": "salvaged", "what": what, "count": 1 })).collect();
    assert_eq!(printed["lost"], expected);
    marks_what_is_lost(&dump, &lost.join("\n").replace("DIR", dir.to_str().unwrap()));
    // The state holds what the entries of the log did, and the log goes on behind it.
    let purged = r#"["raft_log",{"Purged":{"leader_id":{"term":1,"node_id":1},"index":80}}]"#;
    let expected = salvaged.lines().filter(|line| !line.contains(r#"{"LogEntry":"#));
    let expected =
        expected.map(|line| line.replace(r#"["raft_log",{"Purged":null}]"#, purged) + "\n");
    assert_eq!(
        String::from_utf8(export(&restored, &["-q"]).stdout).unwrap(),
        expected.collect::<String>()
    );
}

/// A salvaged dump is known by its manifest, and so is a rewritten one.
#[track_caller]
fn marks_what_is_lost(dump: &Path, lost: &str) {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let rewritten = dump.with_file_name("rewritten.ndjson");
    let ran = run(["rewrite", "-q", &text(dump), "--output", &text(&rewritten)]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    for dump in [dump, &rewritten] {
        let shown = text(dump);
        let validated = run(["validate", &shown]);
        let stdout = String::from_utf8(validated.stdout).unwrap();
        let (of_log, said) = stdout.split_once("\n\n").unwrap();
        assert!(of_log.starts_with("warning[applied-beyond-log] "), "{of_log}");
        let mut expected = String::new();
        for lost in lost.lines() {
            expected += &format!("warning[salvaged] {shown}: {lost}\n");
        }
        let count = lost.lines().count();
        expected += &format!(
            "  why:  What is named was lost before the dump was exported: a node that is restored \
             from it lacks it.\n  \
             help: Restore a dump of another node; this one only if there is none.\n\n\
             {shown}: 165 lines, V004, 0 errors, {} warnings, 0 notes\n",
            count + 1
        );
        assert_eq!((validated.code, said), (Some(0), expected.as_str()));
        let inspected = String::from_utf8(run(["inspect", &shown]).stdout).unwrap();
        let row = inspected.lines().find(|line| line.starts_with("manifest: ")).unwrap();
        assert!(row.ends_with(", of what was left of damaged data"), "{row}");
        let required = run(["validate", "-q", "--require-manifest", &shown]);
        let said = String::from_utf8(required.stdout).unwrap();
        let help = "Restore a dump of another node; this one only if there is none.";
        assert_eq!((required.code, said.matches(help).count()), (Some(1), 2), "{said}");
        let restored = dump.with_extension("restored");
        let imported = run(["import", "--raft-dir", &text(&restored), &shown]);
        let said = format!(
            "left out of the log: 73 entries, which end before the last applied one; the snapshot \
             holds what they did\n\
             warning: the dump has {} warnings (applied-beyond-log, {count} salvaged); \
             `databend-metactl validate` shows them\n",
            count + 1
        );
        assert!(imported.stderr.starts_with(&said), "{}", imported.stderr);
        let required =
            run(["import", "--require-manifest", "--raft-dir", &text(&restored), &shown]);
        let refused = format!(
            "error: {shown} is not imported: the manifest is of what was left of damaged data\n"
        );
        assert!(required.stderr.contains(&refused), "{}", required.stderr);
    }
}

#[track_caller]
fn import(dir: &Path, dump: &Path) {
    let args = ["import", "-q", "--raft-dir"].map(Path::new);
    let ran = run(args.into_iter().chain([dir, "--db".as_ref(), dump]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn sound_data_is_salvaged_whole() {
    let (_keep, dir) = unpack("v004/v004-imported-plain.tar.gz");
    let ran = export(&dir, &["--salvage"]);
    let sound = export(&dir, &[]);
    assert_eq!(ran, sound);
    assert_eq!(sound.code, Some(0));
}

/// The smallest directory, whose snapshot is damaged, with an earlier one beside it.
fn with_earlier_snapshot(applied: u64) -> (tempfile::TempDir, PathBuf, String) {
    let (scratch, dir) = small_dir();
    let snapshot = snapshot_of(&dir);
    add_earlier_snapshot(scratch.path(), &dir, applied);
    let mut damaged = fs::read(&snapshot).unwrap();
    damaged[100] ^= 1;
    fs::write(&snapshot, damaged).unwrap();
    let name = snapshot.file_name().unwrap().to_str().unwrap().to_owned();
    (scratch, dir, name)
}

/// What is said of the damaged snapshot, without the checksums.
fn without_checksums(said: &str) -> String {
    let lines = said.split_inclusive('\n');
    let cut = |line: &str| match line.find(": it says its checksum") {
        Some(at) => line[..at].to_owned() + "\n",
        None => line.to_owned(),
    };
    lines.map(cut).collect()
}

#[test]
fn an_older_snapshot_takes_the_place_of_a_damaged_one() {
    let (scratch, dir, name) = with_earlier_snapshot(4);
    let refused = export(&dir, &[]);
    assert_eq!((refused.code, refused.stdout.len()), (Some(3), 0));
    assert!(refused.stderr.contains("`export --salvage` gives what is left"));
    let (salvaged, said) = salvage(&dir);
    assert_eq!(salvaged, earlier_dump(4));
    assert_eq!(
        without_checksums(&said),
        format!(
            "exported 15 lines, 2,149 bytes, last applied T1-N1.4, log to T1-N1.6\n\
             lost: cannot read the snapshot DIR/df_meta/V004/snapshot/{name}: block 0 at byte 36: \
             damaged\n{COMPARE}"
        )
    );
    assert_eq!(findings(&check(salvaged.as_bytes())), [""; 0]);
    let dump = scratch.path().join("salvaged.ndjson");
    fs::write(&dump, &salvaged).unwrap();
    import(&scratch.path().join("restored"), &dump);
}

#[test]
fn a_log_that_does_not_go_on_from_the_snapshot_is_left_out() {
    let (scratch, dir, name) = with_earlier_snapshot(2);
    let (salvaged, said) = salvage(&dir);
    let at = |index: u64| format!(r#"{{"leader_id":{{"term":1,"node_id":1}},"index":{index}}}"#);
    let expected: String = earlier_dump(2)
        .split_inclusive('\n')
        .filter(|line| !line.contains("LogEntry"))
        .collect::<String>()
        .replace(&format!(r#"{{"Purged":{}"#, at(3)), &format!(r#"{{"Purged":{}"#, at(2)))
        .replace(&format!(r#"{{"Committed":{}"#, at(6)), &format!(r#"{{"Committed":{}"#, at(2)));
    assert_eq!(salvaged, expected);
    assert_eq!(
        without_checksums(&said),
        format!(
            "exported 12 lines, 1,265 bytes, last applied T1-N1.2, no log\n\
             lost: cannot read the snapshot DIR/df_meta/V004/snapshot/{name}: block 0 at byte 36: \
             damaged\n\
             lost: the snapshot that can be read holds entries up to T1-N1.2, and the log only \
             begins after T1-N1.3: the entries between are gone, and the 3 entries of the log \
             cannot be applied without them\n\
             lost: the log was committed up to T1-N1.6; the dump ends at T1-N1.2\n\
             lost: from the log 3 entries, 4 to 6; from the state what was done by 4 entries, 3 to \
             6\n{COMPARE}"
        )
    );
    assert_eq!(findings(&check(salvaged.as_bytes())), [""; 0]);
    let dump = scratch.path().join("salvaged.ndjson");
    fs::write(&dump, &salvaged).unwrap();
    import(&scratch.path().join("restored"), &dump);
}

#[test]
fn without_any_snapshot_the_log_is_all_there_is() {
    let (_scratch, dir) = small_dir();
    fs::remove_file(snapshot_of(&dir)).unwrap();
    let (salvaged, said) = salvage(&dir);
    let whole = fs::read_to_string(fixture("valid/v004.ndjson")).unwrap();
    let log: String =
        whole.split_inclusive('\n').filter(|line| !line.contains("state_machine/0")).collect();
    assert_eq!(salvaged, log);
    assert_eq!(
        said,
        format!(
            "warning: the data has 1 error; `databend-metactl validate` on the dump lists them\n\
             exported 8 lines, 1,201 bytes, last applied none, log to T1-N1.6\n\
             lost: no snapshot can be read: what the entries up to T1-N1.3 made of the state is \
             gone, and those of the log cannot be applied without it\n\
             lost: from the state what was done by 7 entries, 0 to 6\n{COMPARE}"
        )
    );
}

#[test]
fn without_any_log_the_snapshot_is_all_there_is() {
    let (scratch, dir) = small_dir();
    let whole = fs::read_to_string(fixture("valid/v004.ndjson")).unwrap();
    let state: String =
        whole.split_inclusive('\n').filter(|line| !line.contains("raft_log")).collect();
    let (header, state) = state.split_at(state.find('\n').unwrap() + 1);
    let nulls = ["NodeId", "Vote", "Committed", "Purged"];
    let nulls = nulls.map(|kind| format!("[\"raft_log\",{{\"{kind}\":null}}]\n")).concat();
    let expected = format!("{header}{nulls}{state}");
    fs::write(dir.join(LOG), "").unwrap();
    let (emptied, said) = salvage(&dir);
    assert_eq!(emptied, expected);
    let lost =
        "lost: no record of the log is left: neither the node's id, nor its vote, nor an entry\n";
    assert!(said.contains(lost), "{said}");
    fs::remove_file(dir.join(LOG)).unwrap();
    let (removed, said) = salvage(&dir);
    assert_eq!(removed, expected);
    assert!(said.contains("lost: there is no log in DIR/df_meta/V004/log\n"), "{said}");
    // It can be restored as a new cluster.
    let dump = scratch.path().join("salvaged.ndjson");
    fs::write(&dump, &removed).unwrap();
    let restored = scratch.path().join("restored");
    let args = ["import", "-q", "--id", "1", "--initial-cluster", "1=localhost:28604"];
    let args = args.iter().map(Path::new);
    let ran = run(args.chain(["--raft-dir".as_ref(), restored.as_path(), "--db".as_ref(), &dump]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

/// A directory whose log has several files: 20 entries, six records a file, nothing else.
fn with_several_files() -> (tempfile::TempDir, PathBuf, Vec<PathBuf>) {
    let scratch = tempfile::tempdir().unwrap();
    let log = scratch.path().join("df_meta/V004/log");
    fs::create_dir_all(&log).unwrap();
    fs::write(scratch.path().join("df_meta/VERSION"), r#"{"version":"V004"}"#).unwrap();
    let mut wal = WalWriter::new(ChunkLimits { records: 6, bytes: 1 << 20 }).unwrap();
    let leader_id = LeaderId { term: 1, node_id: NodeId(1) };
    wal.save_node_id(Some(NodeId(1))).unwrap();
    wal.save_vote(Vote { leader_id, committed: true }).unwrap();
    for index in 0..20 {
        wal.append(&LogEntry { log_id: LogId { leader_id, index }, payload: Payload::Blank })
            .unwrap();
    }
    let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    let Ok(()) = wal.drain(|chunk, bytes| -> Result<(), Infallible> {
        files.entry(log.join(chunk.file_name())).or_default().extend(bytes);
        Ok(())
    });
    for (path, content) in &files {
        fs::write(path, content).unwrap();
    }
    let dir = scratch.path().to_owned();
    (scratch, dir, files.into_keys().collect())
}

fn entries(dump: &str) -> Vec<u64> {
    let records = dump.lines().map(|line| scan_line(line.as_bytes()).unwrap().record);
    let index = |record| match record {
        Record::LogEntry(entry) => Some(entry.log_id.index),
        _ => None,
    };
    records.filter_map(index).collect()
}

#[test]
fn a_missing_file_ends_the_log() {
    let (_scratch, dir, files) = with_several_files();
    let whole = export(&dir, &["-q"]);
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    let whole = String::from_utf8(whole.stdout).unwrap();
    assert_eq!(entries(&whole), (0..20).collect::<Vec<_>>());
    assert_eq!(files.len(), 5);
    let second = fs::read(&files[1]).unwrap();
    fs::remove_file(&files[1]).unwrap();
    let (salvaged, said) = salvage(&dir);
    let kept = entries(&salvaged);
    assert!(!kept.is_empty() && whole.starts_with(&salvaged), "{salvaged}");
    let next = kept.len();
    assert!(said.contains("a file between them is missing"), "{said}");
    let behind = "lost: left out of the log, because what stood before them is not known: ";
    assert!(said.contains(behind) && said.contains("to T1-N1.19"), "{said}");
    fs::write(&files[1], second).unwrap();
    // Without the first file nothing of the log can be applied.
    fs::remove_file(&files[0]).unwrap();
    let (salvaged, said) = salvage(&dir);
    assert_eq!(entries(&salvaged), (next as u64..20).collect::<Vec<_>>());
    let first = files[1].file_name().unwrap().to_str().unwrap();
    let last = LogId::new(1, 1, next as u64 - 1);
    assert!(
        said.contains(&format!(
            "lost: a file of the log before {first} is missing: the entries up to {last} are in \
             none\n\
             lost: no snapshot can be read: what the entries up to {last} made of the state is \
             gone, and those of the log cannot be applied without it\n"
        )),
        "{said}"
    );
}
