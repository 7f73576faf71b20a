//! What every input has to fulfil: the bodies of the fuzz targets, and a short run of them without
//! a fuzzer.
//!
//! A target takes any bytes and panics when a promise is broken. `tests/fuzz` runs them under
//! libFuzzer, `tests/tests/fuzz_smoke.rs` runs each over damaged fixtures.

use std::time::{Duration, Instant};

use metadump::check::Code;
use metadump::cluster::{InitialCluster, parse_member, parse_members};
use metadump::gunzip::{self, Gunzip};
use metadump::manifest::Manifest;
use metadump::record::{NodeId, Record, Text};
use metadump::rewrite::{ExpireIndex, Request, Snapshot};
use metadump::rotbl::{BLOCK_KEYS, RotblError, RotblReader, RotblWriter};
use metadump::unzstd::Unzstd;
use metadump::wal::{
    ChunkId, ChunkReader, RecordAt, WalError, WalRecord, WalReplay, encode_record, log_entry_line,
};

use serde::de::IgnoredAny;

use crate::damage::Damager;
use crate::dump::{check, check_pieces, rewrite};
use crate::sled;

/// Framing, scanning and checking any bytes as a dump.
///
/// # Panics
///
/// The report depends on how the input is cut into pieces, contradicts itself, or names a place
/// that is not there.
pub fn check_dump(data: &[u8]) {
    let report = check(data);
    let size = 1 + data.first().map_or(0, |byte| usize::from(*byte));
    let of_pieces = check_pieces(data.chunks(size));
    assert_eq!(
        serde_json::to_string(&report).ok(),
        serde_json::to_string(&of_pieces).ok(),
        "the report depends on the pieces"
    );

    let line_ends = data.iter().filter(|byte| **byte == b'\n').count() as u64;
    let unterminated = data.last().is_some_and(|byte| *byte != b'\n');
    assert_eq!(report.summary.bytes, data.len() as u64);
    assert_eq!(report.summary.lines, line_ends + u64::from(unterminated));
    let findings = &report.findings;
    for finding in findings.kept() {
        assert!(!finding.message.is_empty() && finding.message.len() <= 1100);
        let Some(place) = finding.place else { continue };
        let before = usize::try_from(place.offset_bytes).ok();
        let before = before.and_then(|before| data.get(..before));
        let lines = before.map(|before| before.iter().filter(|byte| **byte == b'\n').count());
        assert_eq!(lines.map(|lines| lines as u64 + 1), Some(place.line));
    }
    for (code, count) in findings.counts() {
        let kept = findings.kept().iter().filter(|kept| kept.code == *code);
        assert_eq!(kept.count() as u64, (*count).min(20), "{code}");
    }
    // What may only follow from lines that could not be read is reported behind all others.
    let places: Vec<_> =
        findings.kept().iter().map(|kept| (kept.place.is_none(), kept.place)).collect();
    let is_back = |pair: &&[(bool, Option<_>)]| matches!(pair, [before, after] if before > after);
    assert!(places.windows(2).filter(is_back).count() <= 1);
    let empty = findings.counts().contains_key(&Code::EmptyDump);
    assert!(empty || report.summary.lines > 0);
}

/// Scanning any bytes as a line, held against serde's derives on the record types.
///
/// # Panics
///
/// The scanner reads what serde refuses, refuses what serde reads, reads it differently, or
/// points outside the line.
pub fn scan_line(data: &[u8]) {
    let scanned = metadump::scan::scan_line(data);
    if let (Some(envelope), Ok(scanned)) = (metadump::scan::envelope(data), &scanned) {
        assert_eq!(envelope.tree_name, scanned.tree_name.as_str());
        assert_eq!(envelope.kind, scanned.record.kind());
        let value = data.get(envelope.value).map(serde_json::from_slice::<IgnoredAny>);
        // A member that no release wrote can stand behind the value.
        let alone = value.is_some_and(|value| value.is_ok());
        assert!(alone || scanned.unknown_member.is_some(), "the value is cut wrongly");
    }
    let derived = serde_json::from_slice::<(Text<'_>, Record<'_>)>(data);
    match (scanned, derived) {
        (Ok(scanned), Ok((tree_name, record))) => {
            assert_eq!(scanned.tree_name, tree_name);
            assert_eq!(scanned.record, record);
            if let Record::GenericKV(kv) = &scanned.record {
                assert_eq!(kv.value.data.len(), kv.value.data.decode().len() as u64);
            }
        }
        (Err(error), Err(_)) => assert!(error.column() <= data.len() as u64, "{error}"),
        // Text that no one reads may hold what is not UTF-8: serde steps over it.
        (Err(_), Ok(_)) if std::str::from_utf8(data).is_err() => {}
        (scanned, derived) => panic!("scanned: {scanned:?}, derived: {derived:?}"),
    }
}

/// Rewriting any dump: as it is, as another cluster, with a repaired expiry index or snapshot.
///
/// # Panics
///
/// Nothing asked for changes a byte, a rewritten dump is worse than the one before, or a second
/// repair finds something to do.
pub fn rewrite_dump(data: &[u8]) {
    let Ok((same, changes)) = rewrite(data, Request::default()) else { return };
    assert!(same == data && changes.is_empty(), "an empty request changes the dump");

    let repair = || Request { expire: ExpireIndex::Repair, ..Request::default() };
    if let Ok((repaired, _)) = rewrite(data, repair()) {
        let again = rewrite(&repaired, repair());
        assert!(again.is_ok_and(|(again, changes)| again == repaired && changes.is_empty()));
    }

    let mend = || Request { snapshot: Snapshot::Repair, ..Request::default() };
    if let Ok((mended, _)) = rewrite(data, mend()) {
        let again = rewrite(&mended, mend());
        assert!(again.is_ok_and(|(again, changes)| again == mended && changes.is_empty()));
        assert!(!check(&mended).findings.counts().contains_key(&Code::SnapshotLacksEntries));
    }

    let member = |text| parse_member(text).ok();
    let members = ["1=a:1", "2=[::1]:2", "7=c:80"].into_iter().filter_map(member);
    let Ok(cluster) = InitialCluster::new(NodeId(2), members) else { return };
    let request = Request { cluster: Some(cluster), ..Request::default() };
    let Ok((rewritten, _)) = rewrite(data, request) else { return };
    let (before, after) = (check(data), check(&rewritten));
    for code in [Code::OwnIdNotMember, Code::VoterWithoutNode, Code::MembershipEmpty] {
        // A log that goes on, or several node ids, can still contradict the new cluster.
        let worse = after.findings.counts().get(&code) > before.findings.counts().get(&code);
        assert!(!worse, "{code}");
    }
    assert!(after.summary.lines > 0);
}

/// Reading any bytes as a chunk of a log, in pieces and whole.
///
/// # Panics
///
/// The records depend on how the input is cut into pieces, or are not what the bytes encode to.
pub fn read_log(data: &[u8]) {
    let read = |pieces: Vec<&[u8]>| {
        let mut records = Vec::new();
        let mut reader = ChunkReader::new(ChunkId(0));
        let mut replay = WalReplay::default();
        let mut each = |at: RecordAt<'_>| -> Result<(), WalError> {
            let mut encoded = Vec::new();
            // What servers do not write that way reads the same and encodes shorter.
            if encode_record(&at.record, &mut encoded).is_ok() {
                assert!(encoded.len() <= at.bytes.len());
            }
            if let WalRecord::Append { log_id, payload } = at.record {
                let mut line = Vec::new();
                if log_entry_line(log_id, payload, &mut line).is_ok() {
                    assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
                }
            }
            records.push((at.offset_bytes, at.bytes.len()));
            replay.apply(&at)
        };
        let mut pieces = pieces.into_iter();
        let fed = pieces.try_for_each(|piece| reader.feed(piece, &mut each));
        let ended = fed.and_then(|()| reader.finish(&mut each));
        (records, ended)
    };
    let size = 1 + data.first().map_or(0, |byte| usize::from(*byte));
    let whole = read(vec![data]);
    let of_pieces = read(data.chunks(size).collect());
    if whole.1.is_ok() {
        assert_eq!(whole, of_pieces);
    } else {
        assert!(of_pieces.1.is_err());
    }
}

/// Reading any bytes as a snapshot.
///
/// # Panics
///
/// A file that reads well is not the one that its entries are written as.
pub fn read_snapshot(data: &[u8]) {
    let Ok(snapshot) = RotblReader::open(data) else { return };
    let mut again = Vec::new();
    let mut writer = RotblWriter::new(BLOCK_KEYS, &mut again);
    let walked = snapshot.for_each(|entry| -> Result<(), RotblError> {
        let pushed = writer.push(&entry, &mut again);
        assert!(pushed.is_ok(), "{pushed:?}");
        Ok(())
    });
    if walked.is_ok() {
        assert!(writer.finish(snapshot.sys_data(), &mut again).is_ok());
        assert!(RotblReader::open(again.as_slice()).is_ok());
    }
}

/// Reading any bytes as the log of a sled database: as it is, and from there on with every
/// checksum right, since almost no damaged bytes get past those.
///
/// # Panics
///
/// A database that opens gives items out of order, or a salvage gives fewer than a strict reading.
pub fn read_sled(data: &[u8]) {
    const CONF: &[u8] = b"segment_size: 4096\nuse_compression: false\nversion: 0.34\n";
    let mut conf = CONF.to_vec();
    conf.extend(crc32fast::hash(CONF).to_le_bytes());
    for log in [data.to_vec(), sled::sealed(data)] {
        let files = vec![("conf".to_owned(), conf.clone()), ("db".to_owned(), log)];
        let strict = sled::listing(&files);
        let salvaged = sled::salvaged_listing(&files);
        assert!(salvaged.is_ok(), "{salvaged:?}");
        if let (Ok(strict), Ok((salvaged, faults))) = (strict, salvaged) {
            assert!(faults.is_empty() && strict == salvaged, "{faults:?}");
        }
    }
}

/// Reading any text as a member of a cluster, and any bytes as a manifest.
///
/// # Panics
///
/// A member does not read the same again, or an error points outside the text.
pub fn parse_arguments(data: &[u8]) {
    if let Ok(manifest) = Manifest::parse(data) {
        let again = manifest.to_json().map(|json| Manifest::parse(json.as_bytes()));
        assert!(again.is_ok_and(|again| again == Ok(manifest)));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse_members(text) {
        Ok(members) => {
            let each = members.iter().map(|member| format!("{}={}", member.id, member.endpoint));
            let again = each.collect::<Vec<_>>().join(",");
            assert_eq!(parse_members(&again), Ok(members));
        }
        Err(error) => assert!(text.is_char_boundary(error.column)),
    }
}

/// The environment variable that says how many seconds each target runs at least.
pub const SECONDS: &str = "FUZZ_SECONDS";

/// Unpacking any bytes as gzip and as zstd, whole and in pieces.
///
/// # Panics
///
/// What comes out depends on how the input is cut into pieces, or more comes at a time than is
/// allowed.
pub fn unpack(data: &[u8]) {
    let size = 1 + data.first().map_or(0, |byte| usize::from(*byte));
    let gzip = |pieces: &[&[u8]]| {
        let mut gzip = Gunzip::default();
        let out = unpacked(pieces, |piece, out| gzip.feed(piece, out).is_ok())?;
        let mut rest = Vec::new();
        gzip.finish(&mut rest).ok().map(|()| [out, rest].concat())
    };
    let zstd = |pieces: &[&[u8]]| {
        let mut zstd = Unzstd::default();
        let out = unpacked(pieces, |piece, out| zstd.feed(piece, out).is_ok())?;
        let mut rest = Vec::new();
        zstd.finish(&mut rest).ok().map(|()| [out, rest].concat())
    };
    let pieces: Vec<&[u8]> = data.chunks(size).collect();
    assert!(gzip(&[data]) == gzip(&pieces), "gzip depends on the pieces");
    assert!(zstd(&[data]) == zstd(&pieces), "zstd depends on the pieces");
}

/// More is not unpacked: a small input can become terabytes.
const MOST_UNPACKED_BYTES: usize = 16 << 20;

/// What `feed` makes of the pieces; none when it fails or makes too much.
fn unpacked(
    pieces: &[&[u8]],
    mut feed: impl FnMut(&[u8], &mut Vec<u8>) -> bool,
) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    for piece in pieces {
        let mut next = *piece;
        loop {
            let mut out = Vec::new();
            if !feed(next, &mut out) {
                return None;
            }
            assert!(out.len() < 2 * gunzip::MOST_OUT_BYTES, "{} bytes at once", out.len());
            if out.is_empty() {
                break;
            }
            all.append(&mut out);
            if all.len() > MOST_UNPACKED_BYTES {
                return None;
            }
            next = &[];
        }
    }
    Some(all)
}

/// Runs a target over the seeds and over damaged ones: always the same, and as many more as the
/// time of [`SECONDS`] allows. The same ones in the same order also then, so that a failure can be
/// had again.
///
/// # Panics
///
/// When the target does, and when the variable is no number.
pub fn smoke(seeds: &[Vec<u8>], rounds: u64, target: fn(&[u8])) {
    let seconds = std::env::var(SECONDS).map_or(0, |text| match text.parse() {
        Ok(seconds) => seconds,
        Err(error) => panic!("{SECONDS}={text}: {error}"),
    });
    let until = Instant::now() + Duration::from_secs(seconds);
    for seed in seeds {
        run(target, seed);
    }
    let mut damager = Damager::default();
    let mut round = 0;
    while round < rounds || Instant::now() < until {
        run(target, &damager.damaged(seeds));
        round += 1;
    }
}

/// Runs a target; shows the input when it panics.
fn run(target: fn(&[u8]), input: &[u8]) {
    struct Shown<'a>(&'a [u8]);
    impl Drop for Shown<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("the input was b\"{}\"", self.0.escape_ascii());
            }
        }
    }
    let shown = Shown(input);
    target(shown.0);
}
