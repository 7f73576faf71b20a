//! Checks a dump line by line and reports everything that is wrong with it.
//!
//! The checker never stops at the first fault. It takes every line once, in order, and at the end
//! says what the dump holds and what was found.
//!
//! **Invariant:** memory grows by 32 bytes for a key that expires and by a few bits for any other
//! (its sequence number, in a compressed set), never by the size of a key or a value. Objects take
//! a few bits each, eight bytes where one is needed before its record comes, up to 32 MiB. The end
//! of the log takes up to [`MOST_BYTES`](crate::state::claim::MOST_BYTES) beside.

mod cluster;
mod code;
mod code_groups;
mod dump;
mod expire;
mod finding;
mod foreign;
mod header;
mod history;
mod inspection;
mod keys;
mod log;
mod machines;
pub mod manifest;
mod order;
mod raft_state;
mod references;
mod summary;

pub use code::{Code, Severity, UnknownCode};
pub use dump::Dump;
pub use finding::{Finding, Findings};
pub use inspection::{Evidence, Inspection, Requirement};
pub use references::References;
pub(crate) use references::{FIRST_SYSTEM_ID, Found, Relation, Said, Target};
pub use summary::{LogSummary, OTHER_PREFIXES, Summary, Tally};

use memchr::memchr;
use serde::Serialize;

pub use crate::dump::frame::Place;
use crate::dump::frame::{LONGEST_LINE_BYTES, Line};
use crate::dump::plural::plural;
use crate::dump::record::{DataVersion, Fact, Keyed, Kind, Record, Text, Tree};
use crate::dump::scan::{LineError, ScannedLine, scan_line};
use crate::state::claim::{ClaimCheck, Verdict};
use crate::state::state_hash::StateHash;

/// Checks a dump that is in memory; [`Dump`] takes one in pieces.
///
/// ```
/// let dump = br#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#;
/// let report = metadump::check(dump);
/// let codes: Vec<_> = report.findings.kept().iter().map(|finding| finding.code.name()).collect();
/// assert_eq!(codes, ["no-final-newline", "empty-dump"]);
/// ```
pub fn check(dump: &[u8]) -> Report {
    let mut whole = Dump::default();
    whole.push(dump);
    whole.finish()
}

/// What was found in a dump. Its JSON form is the same in the terminal and in the browser.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[must_use = "what is wrong with the dump is in the report only"]
pub struct Report {
    /// What the dump holds.
    pub summary: Summary,
    /// What is wrong with it, or worth knowing.
    #[serde(flatten)]
    pub findings: Findings,
}

impl Report {
    /// What says that the file is no dump, or where it is a hole; none when it is a damaged dump.
    pub fn foreign(&self) -> Option<&Finding> {
        let says = |code: Code| code.is_of_foreign_file() || code == Code::ZeroBytes;
        self.findings.kept().iter().find(|finding| says(finding.code))
    }
}

/// Checks a dump, given line by line.
///
/// ```
/// use metadump::{Checker, Line, check::Code};
///
/// let mut checker = Checker::default();
/// let line = br#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#;
/// checker.line(&Line::new(1, 0, line, true));
/// let report = checker.finish();
/// assert!(report.findings.kept().iter().any(|finding| finding.code == Code::EmptyDump));
/// ```
#[derive(Debug, Default)]
pub struct Checker {
    findings: Findings,
    foreign: foreign::ForeignCheck,
    lines: u64,
    bytes: u64,
    tallies: summary::Tallies,
    header: header::HeaderCheck,
    order: order::OrderCheck,
    raft_state: raft_state::RaftStateCheck,
    log: log::LogCheck,
    machines: machines::Machines,
    claim: ClaimCheck,
    extent: Extent,
}

/// How much of a dump the lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Extent {
    /// All of it.
    #[default]
    Whole,
    /// What came after another dump.
    Increment,
}

/// The bytes that some editors put in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl Checker {
    /// Of the lines of an increment: what only a whole dump has is not missed.
    pub(super) fn of_increment() -> Self {
        Self { extent: Extent::Increment, ..Self::default() }
    }

    /// Scans and checks the next line.
    pub fn line(&mut self, line: &Line<'_>) {
        self.scanned_line(line, &scan_line(line.bytes));
    }

    /// Checks the next line, which the caller has scanned.
    pub fn scanned_line(&mut self, line: &Line<'_>, scanned: &Result<ScannedLine<'_>, LineError>) {
        self.prepared(line, scanned, References::of(scanned));
    }

    /// The same, with what the line says of objects, which may have been found on another thread.
    pub fn prepared(
        &mut self,
        line: &Line<'_>,
        scanned: &Result<ScannedLine<'_>, LineError>,
        references: Option<References>,
    ) {
        let len_bytes = line.len_bytes();
        self.lines += 1;
        self.bytes += len_bytes;
        if self.foreign.line(line, scanned) == foreign::Prelude::Foreign {
            self.begin_here(line);
        }
        if line.number == 1
            && scanned.is_err()
            && let Some(rest) = line.bytes.strip_prefix(BYTE_ORDER_MARK)
        {
            let place = Place::of(line);
            self.findings.add(Code::ByteOrderMark, place, "the file starts with EF BB BF");
            // The rest of the line is still worth reading.
            let rest = Line {
                bytes: rest,
                offset_bytes: line.offset_bytes + BYTE_ORDER_MARK.len() as u64,
                ..*line
            };
            let scanned = scan_line(rest.bytes);
            self.check_content(&rest, len_bytes, &scanned, References::of(&scanned));
        } else {
            self.check_content(line, len_bytes, scanned, references);
        }
    }

    /// The dump begins in this line, after other text: what was found there is of no dump.
    fn begin_here(&mut self, line: &Line<'_>) {
        self.findings = Findings::default();
        self.header = header::HeaderCheck::of_first_line(line.number);
        let number = line.number;
        let message = format_args!(
            "the dump begins in line {number}: `tail -n +{number} FILE` leaves out what is before it"
        );
        self.findings.add(Code::TextBeforeDump, Place { line: 1, offset_bytes: 0 }, message);
    }

    /// Adds a finding of the caller's: about the manifest, or about how the dump was read.
    pub fn add(&mut self, code: Code, place: Option<Place>, message: String) {
        self.findings.add(code, place, message);
    }

    /// Adds the hash of records that were checked, which are in the state machine of this number.
    /// It takes about as long as checking them, so whoever wants it brings it, from another
    /// thread maybe.
    pub fn state_hash(&mut self, machine: u64, hash: StateHash) {
        self.machines.add_hash(machine, hash);
    }

    /// The data version, as far as the lines so far tell.
    pub fn version(&self) -> Option<DataVersion> {
        self.header.version()
    }

    fn check_content(
        &mut self,
        line: &Line<'_>,
        len_bytes: u64,
        scanned: &Result<ScannedLine<'_>, LineError>,
        references: Option<References>,
    ) {
        if line.bytes.ends_with(b"\r") {
            let message = "the line ends in CR LF";
            let place = place_in(line, line.bytes.len() as u64 - 1);
            self.findings.add(Code::CarriageReturn, place, message);
        }
        match scanned {
            Ok(scanned) => {
                if !line.terminated {
                    let message = "the last line is complete, but no line feed follows";
                    let place = place_in(line, line.len_bytes());
                    self.findings.add(Code::NoFinalNewline, place, message);
                }
                self.record(scanned, references, Place::of(line), len_bytes);
            }
            Err(error) => self.report_unreadable(line, error),
        }
    }

    fn report_unreadable(&mut self, line: &Line<'_>, error: &LineError) {
        if line.number == 1 {
            self.header.first_line_broken();
        }
        let is_cut = !line.terminated && is_cut(line.bytes, error);
        if line.is_too_long() {
            let message = format_args!("the line has more than {} MiB", LONGEST_LINE_BYTES >> 20);
            self.findings.add(Code::LineTooLong, Place::of(line), message);
            if is_cut {
                return;
            }
        } else if is_cut {
            let len = line.bytes.len() as u64;
            let held = plural(len, "byte", "bytes");
            let message = format_args!("the file ends after {held} of the line: {error}");
            self.findings.add(Code::LastLineCut, place_in(line, len), message);
            return;
        }
        if let Some(message) = zero_bytes(line) {
            self.findings.add(Code::ZeroBytes, Place::of(line), message);
            return;
        }
        let code = match error {
            LineError::Blank => Code::BlankLine,
            LineError::NotUtf8 { .. } => Code::NotUtf8,
            LineError::NotJson { .. } => Code::NotJson,
            LineError::NotEnvelope { .. } => Code::NotADumpLine,
            LineError::UnknownKind { .. } => Code::UnknownKind,
            LineError::UnknownCommand { .. } => Code::UnknownCommand,
            LineError::WrongShape { .. } => Code::WrongShape,
            LineError::OutOfRange { .. } => Code::OutOfRange,
        };
        self.findings.add(code, place_in(line, error.column()), error);
        if let LineError::UnknownCommand { log_id: Some(log_id), .. } = error {
            let version = self.header.effective_version();
            let (purged, place) = (self.raft_state.purged(), Place::of(line));
            self.log.record_position(
                *log_id,
                log::UNKNOWN,
                version,
                purged,
                place,
                &mut self.findings,
            );
        }
    }

    fn record(
        &mut self,
        scanned: &ScannedLine<'_>,
        references: Option<References>,
        place: Place,
        len_bytes: u64,
    ) {
        let tree = scanned.tree();
        let record = &scanned.record;
        self.tallies.line(record, len_bytes);
        if let Some(path) = &scanned.unknown_member {
            let message = format_args!("{}: {}", record.kind(), member_path(path));
            self.findings.add(Code::UnknownMember, place, message);
        }
        self.check_tree(tree, &scanned.tree_name, record, place);
        let findings = &mut self.findings;
        if let Record::DataHeader(header) = record {
            self.header.header(tree, header, place, findings);
            return;
        }
        self.header.record(record, place, findings);
        let version = self.header.effective_version();
        self.order.line(tree, record, version, place, findings);
        match record.fact() {
            Fact::Entry(entry) => {
                if let Record::Logs(Keyed { key, .. }) = record
                    && *key != entry.log_id.index
                {
                    let message = format_args!("the key is {key}, the entry is {}", entry.log_id);
                    findings.add(Code::LogKeyMismatch, place, message);
                }
                self.claim.entry(entry, place);
                let purged = self.raft_state.purged();
                self.log.entry(entry, version, purged, place, findings);
            }
            fact if self.raft_state.fact(&fact, record, place, findings) => {}
            fact => {
                self.claim.fact(&fact);
                if let Some(machine) = self.machines.of_tree(tree, version, place, findings) {
                    machine.fact(&fact, record, references, place, findings);
                }
            }
        }
    }

    fn check_tree(&mut self, tree: Tree, name: &Text<'_>, record: &Record<'_>, place: Place) {
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
            Record::Sequences(_)
            | Record::StateMachineMeta(_)
            | Record::Nodes(_)
            | Record::Expire(_)
            | Record::GenericKV(_)
            | Record::ClientLastResps(_)
            | Record::MetaSrvAddrs(_)
            | Record::Databases(_)
            | Record::Tables(_)
            | Record::DatabaseLookup(_)
            | Record::TableLookup(_) => matches!(tree, Tree::StateMachine(_)),
        };
        if tree == Tree::Other {
            let message = format_args!("the tree is {name:?}");
            self.findings.add(Code::UnknownTree, place, message);
        } else if !belongs {
            let message = format_args!("{} in the tree {name:?}", record.kind());
            self.findings.add(Code::KindInWrongTree, place, message);
        }
    }

    /// Checks what only the whole dump tells, and reports.
    pub fn finish(mut self) -> Report {
        let mut summary = Summary {
            lines: self.lines,
            bytes: self.bytes,
            version: self.header.version(),
            ..Summary::default()
        };
        self.tallies.into_summary(&mut summary);
        if let Some((code, message)) = self.foreign.finish() {
            // All else follows from it.
            let mut findings = Findings::default();
            findings.add(code, Place { line: 1, offset_bytes: 0 }, message);
            return Report { summary, findings };
        }
        let mut of_whole = Findings::default();
        let findings = match self.extent {
            Extent::Whole => &mut self.findings,
            Extent::Increment => &mut of_whole,
        };
        let mut kinds = summary.kinds.keys();
        if summary.lines == 0 {
            findings.add(Code::EmptyDump, None, "the dump is empty");
        } else if kinds.all(|kind| *kind == Kind::DataHeader) {
            // What a dump lacks is no news when none of its lines can be read.
            if summary.kinds.values().map(|tally| tally.lines).sum::<u64>() == summary.lines {
                findings.add(Code::EmptyDump, None, "the dump has a header and nothing else");
            }
        } else {
            let version = self.header.effective_version();
            self.header.finish(findings);
            let named = self.raft_state.live_machine();
            let mut live = self.machines.select_live(named, version, findings);
            let purged = self.raft_state.purged();
            let last_applied = live.last_applied();
            summary.last_applied = last_applied;
            let marks: Vec<_> = self.raft_state.marks().chain(live.marks()).collect();
            history::check(self.log.leaders(), &marks, findings);
            summary.log = self.log.summary(last_applied);
            self.log.finish(version, purged, last_applied, findings);
            self.raft_state.finish(version, &mut summary, findings);
            let lacking = match self.claim.verdict() {
                Verdict::Lacking(lacking) if version == DataVersion::V004 => Some(lacking),
                _ => None,
            };
            // What a state lacks of its own is said below.
            if let (None, Some(references)) = (&lacking, live.take_references()) {
                references.finish(findings);
            }
            live.finish(version, &self.log, &mut summary, findings);
            if let Some(lacking) = lacking {
                let place = lacking.gap.as_ref().map(|gap| gap.place);
                findings.add(Code::SnapshotLacksEntries, place, lacking.describe());
            }
        }
        self.findings.finish();
        Report { summary, findings: self.findings }
    }
}

/// A place within a line, by its column.
const fn place_in(line: &Line<'_>, column: u64) -> Place {
    Place { line: line.number, offset_bytes: line.offset_bytes.saturating_add(column) }
}

/// What is said of a line with zero bytes, which no text has.
fn zero_bytes(line: &Line<'_>) -> Option<String> {
    let from = memchr(0, line.bytes)? as u64;
    let count = memchr::memchr_iter(0, line.bytes).count() as u64;
    let zeros = plural(count, "zero byte", "zero bytes");
    Some(if !line.is_whole() {
        format!(
            "{zeros} and more in the line, from byte {} of the file on",
            line.offset_bytes + from
        )
    } else if count == line.bytes.len() as u64 && !line.terminated {
        format!("the file ends in {zeros}")
    } else {
        format!("{zeros} in the line, from byte {} of the file on", line.offset_bytes + from)
    })
}

/// Whether a line without a line end is only the beginning of a line.
fn is_cut(line: &[u8], error: &LineError) -> bool {
    match error {
        LineError::NotUtf8 { .. } => {
            std::str::from_utf8(line).is_err_and(|error| error.error_len().is_none())
        }
        LineError::NotJson { column, .. } => *column == line.len() as u64,
        _ => false,
    }
}

/// The path of an unknown member without the envelope: `value.meta.flags`.
fn member_path(path: &str) -> String {
    // It starts with the index in the outer array and the kind; options are steps, too.
    path.strip_prefix("1.?.").unwrap_or(path).replace(".?", "")
}
