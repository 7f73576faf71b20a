//! The header: which data version the lines follow, as the header declares it or, without one, as
//! the lines themselves show it.

use super::{Code, Findings, Place};
use crate::dump::record::{DataHeader, DataVersion, Keyed, Kind, Record, Text, Tree};

/// Finds out the data version and checks that one header says it, in the first line.
#[derive(Debug, Default)]
pub(super) struct HeaderCheck {
    header: Option<Place>,
    /// How many lines stand before the dump, none of them a record.
    lines_before: u64,
    /// The header that V002 servers write into the state machine.
    snapshot: Option<Place>,
    /// What a header says, when this release knows the version.
    declared: Option<DataVersion>,
    /// A header was read, or line 1 could have been one but could not be read.
    unknown: bool,
    /// The first record that is not a header.
    first_record: Option<(Kind, Place)>,
    /// The version of the first record that only one dialect has.
    inferred: Option<DataVersion>,
}

impl HeaderCheck {
    /// The dump begins in this line.
    pub(super) fn of_first_line(number: u64) -> Self {
        Self { lines_before: number.saturating_sub(1), ..Self::default() }
    }

    /// The version that the next line is read by.
    pub(super) fn effective_version(&self) -> DataVersion {
        let guess = if self.unknown { DataVersion::V004 } else { DataVersion::V0 };
        self.declared.or(self.inferred).unwrap_or(guess)
    }

    /// The data version as far as the lines so far tell; none before the first record and when
    /// the header cannot be understood.
    pub(super) fn version(&self) -> Option<DataVersion> {
        if self.declared.is_some() {
            return self.declared;
        }
        self.first_record.filter(|_| !self.unknown).map(|_| self.effective_version())
    }

    /// Line 1 is broken: it may have been the header.
    pub(super) const fn first_line_broken(&mut self) {
        self.unknown = true;
    }

    /// A header line.
    pub(super) fn header(
        &mut self,
        tree: Tree,
        header: &Keyed<Text<'_>, DataHeader>,
        place: Place,
        findings: &mut Findings,
    ) {
        if header.key.as_str() != "header" {
            let message = format_args!("the key is {:?}", header.key);
            findings.add(Code::HeaderKey, place, message);
        }
        if matches!(tree, Tree::StateMachine(_)) {
            self.of_snapshot(&header.value, place, findings);
            return;
        }
        if let Some(first) = self.header {
            let message = format_args!("the first header is in line {}", first.line);
            findings.add(Code::HeaderRepeated, place, message);
            return;
        }
        self.header = Some(place);
        if place.line != self.lines_before + 1 {
            let message = format_args!("the header is line {}", place.line);
            findings.add(Code::HeaderNotFirst, place, message);
        }
        self.state(&header.value, place, findings);
    }

    fn state(&mut self, header: &DataHeader, place: Place, findings: &mut Findings) {
        self.declared = header.data_version();
        if self.declared.is_none() {
            self.unknown = true;
            let message = if is_newer(&header.version) {
                format!(
                    "the version is {:?}, the newest that this release knows is V004",
                    header.version
                )
            } else {
                format!("the version is {:?}", header.version)
            };
            findings.add(Code::VersionUnknown, place, message);
        }
        if header.upgrading.is_some() || header.cleaning {
            let target = header.upgrading.as_deref().unwrap_or("the same version");
            let message = format_args!("{} was being upgraded to {target}", header.version);
            findings.add(Code::UpgradeInterrupted, place, message);
        }
    }

    /// V002 snapshots start with a header of their own, which tells the version of a dump that
    /// has no other.
    fn of_snapshot(&mut self, header: &DataHeader, place: Place, findings: &mut Findings) {
        let version = header.data_version();
        if let Some(first) = self.snapshot {
            let message = format_args!("the snapshot's first header is in line {}", first.line);
            findings.add(Code::HeaderRepeated, place, message);
            return;
        }
        self.snapshot = Some(place);
        if self.header.is_none() && version.is_some() {
            self.declared = version;
        } else if version.is_none()
            || self.declared.is_some_and(|declared| version != Some(declared))
        {
            let message = format_args!("a snapshot of version {:?}", header.version);
            findings.add(Code::HeaderRepeated, place, message);
        }
    }

    /// Any other record: tells the version of a dump without a header, and is judged by it.
    pub(super) fn record(&mut self, record: &Record<'_>, place: Place, findings: &mut Findings) {
        self.first_record.get_or_insert((record.kind(), place));
        let retired = is_retired(record.kind());
        if retired {
            let message = format_args!("a record of kind {}", record.kind());
            findings.add(Code::RetiredKind, place, message);
        }
        let Some(only_of) = only_dialect(record) else {
            return;
        };
        let version = match self.declared {
            Some(declared) => declared,
            None => *self.inferred.get_or_insert(only_of),
        };
        if (version >= DataVersion::V004) != (only_of >= DataVersion::V004) {
            let message = format_args!("{} in a {version} dump", record.kind());
            findings.add(Code::KindOfOtherVersion, place, message);
        }
    }

    /// Reports a missing header.
    pub(super) fn finish(&self, findings: &mut Findings) {
        let (None, false, Some((kind, place))) = (self.header, self.unknown, self.first_record)
        else {
            return;
        };
        let version = self.effective_version();
        let (code, message) = if version >= DataVersion::V004 {
            let message = format!("the first record is a {kind}, and the log is a {version} one");
            (Code::HeaderMissing, message)
        } else {
            let message = format!("the first record is a {kind}, the dump is read as {version}");
            (Code::HeaderAbsent, message)
        };
        findings.add(code, place, message);
    }
}

/// The oldest version of the one dialect that has the record's kind; none when both have it.
const fn only_dialect(record: &Record<'_>) -> Option<DataVersion> {
    match record {
        Record::NodeId(_)
        | Record::Vote(_)
        | Record::Committed(_)
        | Record::Purged(_)
        | Record::LogEntry(_) => Some(DataVersion::V004),
        Record::RaftStateKV(_) | Record::Logs(_) | Record::LogMeta(_) => Some(DataVersion::V0),
        Record::DataHeader(_)
        | Record::Sequences(_)
        | Record::StateMachineMeta(_)
        | Record::Nodes(_)
        | Record::Expire(_)
        | Record::GenericKV(_)
        | Record::ClientLastResps(_)
        | Record::MetaSrvAddrs(_)
        | Record::Databases(_)
        | Record::Tables(_)
        | Record::DatabaseLookup(_)
        | Record::TableLookup(_) => None,
    }
}

/// Whether no server of today reads records of the kind.
const fn is_retired(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::ClientLastResps
            | Kind::MetaSrvAddrs
            | Kind::Databases
            | Kind::Tables
            | Kind::DatabaseLookup
            | Kind::TableLookup
    )
}

/// Whether a version that is none of ours has the form of a later one: `V005`.
fn is_newer(version: &str) -> bool {
    let number = version.strip_prefix('V').and_then(|v| v.parse().ok());
    number.is_some_and(|number: u64| number > 4)
}
