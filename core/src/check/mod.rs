//! Checks a dump line by line and reports everything that is wrong with it.
//!
//! The checker never stops at the first fault. It takes every line once, in order, in memory
//! that grows by at most 32 bytes a key (only for keys that expire; a few bits for the others),
//! and at the end tells what the dump holds and what was found.

mod cluster;
mod code;
mod expire;
mod finding;
mod keys;
mod log;
mod order;
mod raft_state;
mod summary;

pub use code::{Code, Severity, UnknownCode};
pub use finding::{Finding, Findings, Place};
pub use summary::{LogSummary, OTHER_PREFIXES, Summary, Tally};

use serde::Serialize;

use crate::frame::Line;
use crate::record::{DataHeader, DataVersion, ExpireKey, Keyed, Record, Text, Tree};
use crate::scan::{LineError, ScannedLine, scan_line};

/// What was found in a dump. Its JSON form is the same in the terminal and in the browser.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What the dump holds.
    pub summary: Summary,
    /// What is wrong with it, or worth knowing.
    #[serde(flatten)]
    pub findings: Findings,
}

/// Checks a dump, given line by line.
///
/// ```
/// use metadump::{Checker, Line, check::Code};
///
/// let mut checker = Checker::default();
/// let line = br#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#;
/// checker.line(&Line { number: 1, offset_bytes: 0, bytes: line, terminated: true });
/// let report = checker.finish();
/// assert!(report.findings.kept().iter().any(|finding| finding.code == Code::NoRaftLog));
/// ```
#[derive(Debug, Default)]
pub struct Checker {
    findings: Findings,
    lines: u64,
    bytes: u64,
    header: Option<Place>,
    version: Option<DataVersion>,
    version_unknown: bool,
    tallies: summary::Tallies,
    order: order::OrderCheck,
    raft_state: raft_state::RaftStateCheck,
    log: log::LogCheck,
    keys: keys::KeysCheck,
    expire: expire::ExpireCheck,
    cluster: cluster::ClusterCheck,
}

impl Checker {
    /// Scans and checks the next line.
    pub fn line(&mut self, line: &Line<'_>) {
        self.scanned(line, &scan_line(line.bytes));
    }

    /// Checks the next line, which the caller has scanned.
    pub fn scanned(&mut self, line: &Line<'_>, scanned: &Result<ScannedLine<'_>, LineError>) {
        let place = Place::of(line);
        let len_bytes = line.bytes.len() as u64 + u64::from(line.terminated);
        self.lines += 1;
        self.bytes += len_bytes;
        if line.bytes.ends_with(b"\r") {
            self.findings
                .add(Code::CarriageReturn, place, "the line ends in CR LF");
        }
        match scanned {
            Ok(scanned) => {
                if !line.terminated {
                    let message = "the last line is complete, but no line feed follows";
                    self.findings.add(Code::NoFinalNewline, place, message);
                }
                self.record(scanned, place, len_bytes);
            }
            Err(error) => self.broken(line, error, place),
        }
    }

    /// Adds a finding of the caller's: about the manifest, or about how the dump was read.
    pub fn add(&mut self, code: Code, place: Option<Place>, message: String) {
        self.findings.add(code, place, message);
    }

    /// The data version, as far as the lines so far tell.
    pub const fn version(&self) -> Option<DataVersion> {
        self.version
    }

    fn broken(&mut self, line: &Line<'_>, error: &LineError, place: Place) {
        if line.number == 1 && line.bytes.starts_with(b"\xEF\xBB\xBF") {
            let message = "the file starts with EF BB BF";
            self.findings.add(Code::ByteOrderMark, place, message);
            // The rest of the line is still worth reading.
            if let Some(rest) = line.bytes.get(3..) {
                self.lines -= 1;
                self.bytes -= rest.len() as u64 + u64::from(line.terminated);
                self.line(&Line {
                    bytes: rest,
                    ..*line
                });
            }
            return;
        }
        let code = match error {
            LineError::Blank => Code::BlankLine,
            _ if !line.terminated => Code::LastLineCut,
            LineError::NotUtf8 { .. } => Code::NotUtf8,
            LineError::NotJson { .. } => Code::NotJson,
            LineError::NotEnvelope { .. } => Code::NotADumpLine,
            LineError::UnknownKind { .. } => Code::UnknownKind,
            LineError::WrongShape { .. } => Code::WrongShape,
            LineError::OutOfRange { .. } => Code::OutOfRange,
        };
        let offset_bytes = place.offset_bytes.saturating_add(error.column());
        self.findings.add(
            code,
            Place {
                offset_bytes,
                ..place
            },
            error.to_string(),
        );
        // A broken first line may have been the header; what follows is not a V0 dump for it.
        if line.number == 1 {
            self.version_unknown = true;
        }
    }

    fn record(&mut self, scanned: &ScannedLine<'_>, place: Place, len_bytes: u64) {
        let tree = scanned.tree();
        let record = &scanned.record;
        self.tallies.line(record, len_bytes);
        if let Some(path) = &scanned.unknown_member {
            let message = format!("{}: {}", record.kind(), member_path(path));
            self.findings.add(Code::UnknownMember, place, message);
        }
        self.tree(tree, &scanned.tree_name, record, place);
        if let Record::DataHeader(header) = record {
            self.header(tree, header, place);
            return;
        }
        self.without_header(record, place);
        let version = self.version.unwrap_or(DataVersion::V004);
        self.order
            .line(tree, record, version, place, &mut self.findings);
        if matches!(tree, Tree::StateMachine(_)) {
            self.cluster.state_machine_line();
        }
        let findings = &mut self.findings;
        match record {
            Record::Logs(Keyed { key, value }) => {
                if *key != value.log_id.index {
                    let message = format!("the key is {key}, the entry is {}", value.log_id);
                    findings.add(Code::LogKeyMismatch, place, message);
                }
                let purged = self.raft_state.purged();
                self.log.entry(value, version, purged, place, findings);
            }
            Record::LogEntry(entry) => {
                let purged = self.raft_state.purged();
                self.log.entry(entry, version, purged, place, findings);
            }
            Record::Sequences(sequence) => {
                self.keys
                    .sequence(&sequence.key, sequence.value, place, findings);
            }
            Record::StateMachineMeta(meta) => self.cluster.meta(meta, place, findings),
            Record::Nodes(node) => self.cluster.node(node.key, &node.value, place, findings),
            Record::Expire(entry) => {
                self.expire
                    .entry(entry.key, &entry.value.key, place, findings);
            }
            Record::GenericKV(kv) => {
                self.keys.key(&kv.key, &kv.value, place, findings);
                if let Some(time_ms) = kv.value.expire_ms() {
                    let at = ExpireKey {
                        time_ms,
                        seq: kv.value.seq,
                    };
                    self.expire.key(at, &kv.key, place, findings);
                }
            }
            _ => self.raft_state.line(record, place, findings),
        }
    }

    fn tree(&mut self, tree: Tree, name: &Text<'_>, record: &Record<'_>, place: Place) {
        let belongs = match record {
            Record::DataHeader(_) => matches!(tree, Tree::Header | Tree::StateMachine(_)),
            Record::RaftStateKV(_) => tree == Tree::RaftState,
            Record::Logs(_)
            | Record::LogMeta(_)
            | Record::NodeId(_)
            | Record::Vote(_)
            | Record::Committed(_)
            | Record::Purged(_)
            | Record::LogEntry(_) => tree == Tree::RaftLog,
            _ => matches!(tree, Tree::StateMachine(_)),
        };
        if tree == Tree::Other {
            self.findings
                .add(Code::UnknownTree, place, format!("the tree is {name:?}"));
        } else if !belongs {
            let message = format!("{} in the tree {name:?}", record.kind());
            self.findings.add(Code::KindInWrongTree, place, message);
        }
    }

    fn header(&mut self, tree: Tree, header: &Keyed<Text<'_>, DataHeader>, place: Place) {
        if header.key.as_str() != "header" {
            let message = format!("the key is {:?}", header.key);
            self.findings.add(Code::HeaderKey, place, message);
        }
        if matches!(tree, Tree::StateMachine(_)) {
            self.snapshot_header(&header.value, place);
            return;
        }
        if let Some(first) = self.header {
            let message = format!("the first header is in line {}", first.line);
            self.findings.add(Code::HeaderRepeated, place, message);
            return;
        }
        self.header = Some(place);
        if place.line != 1 {
            let message = format!("the header is line {}", place.line);
            self.findings.add(Code::HeaderNotFirst, place, message);
        }
        let version = header.value.data_version();
        if version.is_none() {
            let message = format!("the version is {:?}", header.value.version);
            self.findings.add(Code::VersionUnknown, place, message);
            self.version_unknown = true;
        }
        self.version = version;
        let interrupted = &header.value.upgrading;
        if interrupted.is_some() || header.value.cleaning {
            let target = interrupted.as_deref().unwrap_or("the same version");
            let message = format!("{} was being upgraded to {target}", header.value.version);
            self.findings.add(Code::UpgradeInterrupted, place, message);
        }
    }

    /// V002 snapshots start with a header of their own, which tells the version of a dump
    /// that has no other.
    fn snapshot_header(&mut self, header: &DataHeader, place: Place) {
        match (self.header, header.data_version()) {
            (None, Some(version)) => self.version = Some(version),
            (Some(_), Some(version)) if Some(version) == self.version => {}
            _ => {
                let message = format!("a snapshot of version {:?}", header.version);
                self.findings.add(Code::HeaderRepeated, place, message);
            }
        }
    }

    /// Judges the first record of a dump without a header, and kinds that the version lacks.
    fn without_header(&mut self, record: &Record<'_>, place: Place) {
        let of_v004 = matches!(
            record,
            Record::NodeId(_)
                | Record::Vote(_)
                | Record::Committed(_)
                | Record::Purged(_)
                | Record::LogEntry(_)
        );
        let of_older = matches!(
            record,
            Record::RaftStateKV(_) | Record::Logs(_) | Record::LogMeta(_)
        );
        match self.version {
            None if self.version_unknown => {}
            None if of_v004 => {
                self.version = Some(DataVersion::V004);
                let message = format!("the first record is a {}", record.kind());
                self.findings.add(Code::HeaderMissing, place, message);
            }
            None => {
                self.version = Some(DataVersion::V0);
                let message = format!("the first record is a {}", record.kind());
                self.findings.add(Code::HeaderAbsent, place, message);
            }
            Some(version) => {
                let wrong = (version >= DataVersion::V004 && of_older)
                    || (version < DataVersion::V004 && of_v004);
                if wrong {
                    let message = format!("{} in a {version} dump", record.kind());
                    self.findings.add(Code::KindOfOtherVersion, place, message);
                }
            }
        }
    }

    /// Checks what only the whole dump tells, and reports.
    pub fn finish(mut self) -> Report {
        let findings = &mut self.findings;
        let mut summary = Summary {
            lines: self.lines,
            bytes: self.bytes,
            version: self.version,
            ..Summary::default()
        };
        self.tallies.into_summary(&mut summary);
        if self.lines == 0 {
            findings.add(Code::EmptyDump, None, "the dump is empty");
            return Report {
                summary,
                findings: self.findings,
            };
        }
        if summary.kinds.is_empty() {
            // Not one line is a record: what a dump lacks is no news then.
            findings.sort();
            return Report {
                summary,
                findings: self.findings,
            };
        }
        let last_applied = self.cluster.last_applied();
        summary.last_applied = last_applied;
        summary.log = self.log.summary(last_applied);
        summary.expiring_keys = self.expire.expiring_keys();
        self.log
            .finish(self.raft_state.purged(), last_applied, findings);
        self.raft_state.finish(&mut summary, findings);
        self.keys.finish(&mut summary, findings);
        self.cluster.finish(&self.log, &mut summary, findings);
        self.expire
            .finish(self.version.unwrap_or(DataVersion::V004), findings);
        findings.sort();
        Report {
            summary,
            findings: self.findings,
        }
    }
}

/// The path of an unknown member without the envelope: `value.meta.flags`.
fn member_path(path: &str) -> &str {
    // serde_ignored starts with the index in the outer array and the newtype of the kind.
    path.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '?'))
}
