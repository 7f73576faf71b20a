//! The check of a whole dump: its lines, and the manifest that is expected with it.

use super::manifest::{ByteMeasure, Manifest, ManifestBuilder, salvaged};
use super::{Checker, Code, References, Report};
use crate::dump::frame::Line;
use crate::dump::record::DataVersion;
use crate::dump::scan::{LineError, ScannedLine};
use crate::state::state_hash::StateHash;

/// Whether a dump may come without its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Requirement {
    /// It may; that its completeness cannot be proven is a note.
    #[default]
    Optional,
    /// It may not.
    Required,
}

impl Requirement {
    /// As a flag that demands the manifest says.
    pub const fn of_flag(required: bool) -> Self {
        if required { Self::Required } else { Self::Optional }
    }
}

/// What is there to prove a dump complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Evidence {
    /// Its manifest.
    Manifest {
        /// What it says.
        manifest: Box<Manifest>,
        /// The file name of the dump, where the manifest stands beside it.
        dump: Option<String>,
    },
    /// It was held against that before: the pieces of a chain, each against its own, and what a dump
    /// was made of; or it comes straight from a node.
    Held {
        /// What was lost of the data before it was exported.
        lost: Vec<String>,
    },
    /// A file that is no manifest, and why.
    Unreadable(String),
    /// Nothing.
    #[default]
    Nothing,
}

impl Evidence {
    /// The content of a manifest's file.
    pub fn parse(json: &[u8], dump: Option<String>) -> Self {
        match Manifest::parse(json) {
            Ok(manifest) => Self::Manifest { manifest: Box::new(manifest), dump },
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }

    /// What there is for a dump that is made of one with this evidence.
    #[must_use]
    pub fn of_made(self) -> Self {
        match self {
            Self::Manifest { manifest, .. } => Self::Held { lost: manifest.lost },
            evidence => evidence,
        }
    }

    /// What it has against a dump of so many bytes, for who only wants to look into that, and does not
    /// hash it: a sentence without its end.
    pub fn objection(&self, bytes: u64) -> Option<String> {
        match self {
            Self::Manifest { manifest, .. } if manifest.bytes != bytes => {
                let of = manifest.bytes;
                Some(format!("it has {bytes} bytes, and its manifest is of a dump of {of} bytes"))
            }
            Self::Unreadable(error) => Some(format!("its manifest cannot be read: {error}")),
            Self::Manifest { .. } | Self::Held { .. } | Self::Nothing => None,
        }
    }
}

/// Checks the lines of a dump and holds it against its manifest. Whoever judges a dump as a whole
/// does it with this, so that all come to one verdict.
///
/// ```
/// use metadump::check::{Code, Evidence, Inspection, Requirement};
/// use metadump::{Line, scan};
///
/// let mut inspection = Inspection::new(Evidence::Nothing, Requirement::Required);
/// let line = br#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#;
/// inspection.line(&Line::new(1, 0, line, true), &scan::scan_line(line));
/// let report = inspection.finish();
/// let codes: Vec<Code> = report.findings.kept().iter().map(|finding| finding.code).collect();
/// assert!(codes.contains(&Code::ManifestMissing));
/// ```
#[derive(Debug, Default)]
pub struct Inspection {
    checker: Checker,
    /// None of what is no dump yet: a data directory, what is about to be written.
    expected: Option<(Evidence, Requirement)>,
    measured: ManifestBuilder,
    bytes_by: BytesBy,
}

/// Who measures the bytes of the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum BytesBy {
    /// The inspection, line by line.
    #[default]
    Lines,
    /// Whoever has taken the measure.
    Caller,
}

impl Inspection {
    /// Of an increment that is about to be written: what only a whole dump has is not missed.
    pub fn of_increment() -> Self {
        Self { checker: Checker::of_increment(), ..Self::default() }
    }

    /// Of a dump.
    pub fn new(evidence: Evidence, requirement: Requirement) -> Self {
        Self { expected: Some((evidence, requirement)), ..Self::default() }
    }

    /// The data version, as far as the lines so far tell.
    pub fn version(&self) -> Option<DataVersion> {
        self.checker.version()
    }

    /// Checks the next line.
    pub fn line(&mut self, line: &Line<'_>, scanned: &Result<ScannedLine<'_>, LineError>) {
        self.prepared(line, scanned, References::of(scanned));
    }

    /// The same, with what the line says of objects, as [`Checker::prepared`] takes it.
    pub fn prepared(
        &mut self,
        line: &Line<'_>,
        scanned: &Result<ScannedLine<'_>, LineError>,
        references: Option<References>,
    ) {
        self.checker.prepared(line, scanned, references);
        if self.measures() {
            match self.bytes_by {
                BytesBy::Lines => self.measured.line(line, scanned.as_ref().ok()),
                BytesBy::Caller => self.measured.lines.add(line.bytes, scanned.as_ref().ok()),
            }
        }
    }

    /// Whether the dump is measured: hashing costs as much as checking, and is only done when there
    /// is something to compare with.
    const fn measures(&self) -> bool {
        matches!(self.expected, Some((Evidence::Manifest { .. }, _)))
    }

    /// Gives away the measure of the dump's bytes, none of which were seen yet: who sees them on
    /// another thread adds them there, line ends included, and gives it back with
    /// [`set_byte_measure`](Self::set_byte_measure) before the end. None when there is no manifest to
    /// compare with.
    pub fn take_byte_measure(&mut self) -> Option<ByteMeasure> {
        self.measures().then(|| {
            self.bytes_by = BytesBy::Caller;
            std::mem::take(&mut self.measured.bytes)
        })
    }

    /// Takes the measure back, with all bytes of the dump.
    pub fn set_byte_measure(&mut self, bytes: ByteMeasure) {
        self.measured.bytes = bytes;
    }

    /// Adds the hash of records that were checked, as [`Checker::state_hash`] does.
    pub fn state_hash(&mut self, machine: u64, hash: StateHash) {
        self.checker.state_hash(machine, hash);
    }

    /// Ends the dump and reports.
    pub fn finish(self) -> Report {
        let Self { mut checker, expected, measured, .. } = self;
        match expected {
            Some((Evidence::Manifest { manifest, dump }, requirement)) => {
                if let Some(dump) = dump.filter(|dump| *dump != manifest.dump) {
                    let message =
                        format!("the manifest is of {:?}, the file is {dump:?}", manifest.dump);
                    checker.add(Code::ManifestOfOtherName, None, message);
                }
                add(&mut checker, manifest.findings(&measured.measured()), requirement);
            }
            Some((Evidence::Held { lost }, requirement)) => {
                let lost = lost.iter().map(|lost| salvaged(lost)).collect();
                add(&mut checker, lost, requirement);
            }
            Some((Evidence::Unreadable(message), _)) => {
                checker.add(Code::ManifestUnreadable, None, message);
            }
            Some((Evidence::Nothing, Requirement::Required)) => {
                let message = "no manifest beside the dump";
                checker.add(Code::ManifestMissing, None, message.to_owned());
            }
            Some((Evidence::Nothing, Requirement::Optional)) => {
                let message = "completeness cannot be proven";
                checker.add(Code::CompletenessUnproven, None, message.to_owned());
            }
            None => {}
        }
        checker.finish()
    }
}

/// What a manifest has against a dump; one of what was left of damaged data proves nothing complete.
fn add(checker: &mut Checker, findings: Vec<(Code, String)>, requirement: Requirement) {
    let is_salvaged = findings.iter().any(|(code, _)| *code == Code::Salvaged);
    for (code, message) in findings {
        checker.add(code, None, message);
    }
    if is_salvaged && requirement == Requirement::Required {
        let message = "the manifest is of what was left of damaged data";
        checker.add(Code::ManifestMissing, None, message.to_owned());
    }
}
