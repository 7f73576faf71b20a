//! The manifest beside a dump: what makes a cut or changed dump visible.
//!
//! A dump has no trailer, so one that was cut between two lines looks complete. The manifest is a
//! small JSON file, `<dump>.manifest.json`, with the dump's hash, size and counts. docs/format.md
//! describes its members.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use twox_hash::XxHash3_128;

use crate::check::{Code, Summary};
use crate::dump::frame::Line;
use crate::dump::record::{DataVersion, Fact, Kind, LogId};
use crate::dump::scan::{ScannedLine, in_plain_words};
use crate::ordered;
use crate::state::state_hash::StateHash;

/// How much of what was lost a manifest names: it is small, so that everybody reads it whole.
const MOST_LOST: usize = 100;
const LONGEST_LOST: usize = 500;

/// The version of the manifest that this release writes.
const FORMAT_VERSION: u64 = 1;

/// What a dump is, to hold a file against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the manifest's own format.
    pub format_version: u64,
    /// The file name of the dump.
    pub dump: String,
    /// SHA-256 of the dump, hexadecimal; of its uncompressed text when it is compressed.
    pub sha256: String,
    /// The length of the (uncompressed) dump.
    pub bytes: u64,
    /// How many lines it has.
    pub lines: u64,
    /// How many lines of each kind it has.
    pub kinds: BTreeMap<Kind, u64>,
    /// Its data version.
    pub data_version: Option<DataVersion>,
    /// The last entry that its state machine holds.
    pub last_applied: Option<LogId>,
    /// The last entry of its log.
    pub last_log: Option<LogId>,
    /// The hash of the line of that entry, by which another entry of the same id is told from it;
    /// manifests of before have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_log_hash: Option<String>,
    /// The hash of its state, as `inspect` shows it; manifests of 0.1.0 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_hash: Option<StateHash>,
    /// The program that wrote it, with its version.
    pub created_by: String,
    /// When it was written, milliseconds since 1970.
    pub created_at_ms: u64,
    /// The file that the dump is encrypted in, when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<Encrypted>,
    /// What it goes on from, when it is no dump but an increment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// What of the data was lost before it was exported, a sentence each: the dump is what was left
    /// of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// The manifest of the dump that this one takes the place of, while that happens: the file
    /// under the name may be either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Box<Manifest>>,
}

/// The file that a dump is encrypted in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encrypted {
    /// How it is encrypted.
    pub format: String,
    /// The fingerprints of those who can read it: SHA-256 of the text of a recipient, hexadecimal;
    /// none when it takes a passphrase.
    pub recipients: Vec<String>,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// The length of the file.
    pub bytes: u64,
}

impl Encrypted {
    /// A file that is encrypted with age, whose bytes were measured.
    #[must_use]
    pub fn with_age(recipients: Vec<String>, file: ByteMeasure) -> Self {
        let (sha256, bytes) = file.measured();
        Self { format: "age".to_owned(), recipients, sha256, bytes }
    }
}

/// What an increment goes on from: a dump, or an increment before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its file name when the increment was written.
    pub dump: String,
    /// SHA-256 of its uncompressed text, hexadecimal: what it is known by.
    pub sha256: String,
    /// Where it ends: the increment has the entries behind this one.
    pub last_log: LogId,
    /// When it was written, milliseconds since 1970; none when nothing says.
    pub created_at_ms: Option<u64>,
}

/// A text that is no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or members are missing.
    #[error("not a manifest: {0}")]
    Malformed(String),
    /// Written by a later release.
    #[error("the manifest has the format version {0}, this release reads version 1")]
    Version(u64),
}

impl Manifest {
    /// The same with no more of what was lost than a manifest holds: the first, none longer than 500
    /// characters, and how many more there are.
    #[must_use]
    pub fn abridged(mut self) -> Self {
        // One that is abridged stays as it is.
        let more = self.lost.len().saturating_sub(MOST_LOST);
        if more > 1 {
            self.lost.truncate(MOST_LOST);
            self.lost.push(format!("and {more} more"));
        }
        for lost in &mut self.lost {
            if let Some((end, _)) = lost.char_indices().nth(LONGEST_LOST - 1)
                && lost.chars().nth(LONGEST_LOST).is_some()
            {
                lost.truncate(end);
                lost.push('…');
            }
        }
        self
    }

    /// The entry with the highest index that the dump knows of: in its log, or in its state machine.
    pub fn end(&self) -> Option<LogId> {
        let known = [self.last_log, self.last_applied].into_iter().flatten();
        known.max_by_key(|id| (id.index, *id))
    }

    /// Where the manifest of a dump is.
    ///
    /// ```
    /// use std::path::Path;
    /// use metadump::manifest::Manifest;
    ///
    /// assert_eq!(Manifest::path_of(Path::new("a/meta.db")), Path::new("a/meta.db.manifest.json"));
    /// ```
    pub fn path_of(dump: &Path) -> PathBuf {
        let mut path: OsString = dump.as_os_str().to_owned();
        path.push(".manifest.json");
        PathBuf::from(path)
    }

    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// When the text is none, or one of a later release.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u64,
        }
        let malformed =
            |error: serde_json::Error| ManifestError::Malformed(in_plain_words(json, &error));
        let Version { format_version } = serde_json::from_slice(json).map_err(malformed)?;
        if format_version != FORMAT_VERSION {
            return Err(ManifestError::Version(format_version));
        }
        serde_json::from_slice(json).map_err(malformed)
    }

    /// The text of the manifest, one member a line.
    ///
    /// # Errors
    ///
    /// Never in practice: every member can be JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        Ok(json)
    }

    /// What it says of a dump: how it differs from what is described, and what was lost before.
    pub fn findings(&self, found: &Measured) -> Vec<(Code, String)> {
        let of = self.of(found).unwrap_or(self);
        let differences = of.own_differences(found).into_iter();
        let differences = differences.map(|message| (Code::ManifestMismatch, message));
        let lost = of.lost.iter().map(|lost| salvaged(lost));
        differences.chain(lost).collect()
    }

    /// The one of a dump: itself, or the one that it takes the place of.
    fn of(&self, found: &Measured) -> Option<&Self> {
        let mut manifests = std::iter::successors(Some(self), |next| next.replaces.as_deref());
        manifests.find(|manifest| manifest.own_differences(found).is_empty())
    }

    fn own_differences(&self, found: &Measured) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, expected: String, found: String| {
            if expected != found {
                differences.push(format!("{what}: the manifest says {expected}, found {found}"));
            }
        };
        compare("bytes", self.bytes.to_string(), found.bytes.to_string());
        compare("lines", self.lines.to_string(), found.lines.to_string());
        for kind in ordered::set(self.kinds.keys().chain(found.kinds.keys())) {
            let count = |kinds: &BTreeMap<Kind, u64>| kinds.get(kind).copied().unwrap_or_default();
            compare(
                &format!("{kind} lines"),
                count(&self.kinds).to_string(),
                count(&found.kinds).to_string(),
            );
        }
        compare("sha256", self.sha256.clone(), found.sha256.clone());
        differences
    }
}

/// What is said of something that was lost before a dump was exported.
pub(super) fn salvaged(lost: &str) -> (Code, String) {
    (Code::Salvaged, format!("lost: {lost}"))
}

/// The measures of a dump that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
    /// Lines of each kind.
    pub kinds: BTreeMap<Kind, u64>,
}

/// Measures the bytes of a dump.
#[derive(Debug, Clone, Default)]
pub struct ByteMeasure {
    hasher: Sha256,
    bytes: u64,
}

impl ByteMeasure {
    /// Adds the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// SHA-256, hexadecimal, and the number of bytes.
    fn measured(self) -> (String, u64) {
        let digest = self.hasher.finalize();
        (digest.iter().map(|byte| format!("{byte:02x}")).collect(), self.bytes)
    }
}

/// Counts the lines of a dump.
#[derive(Debug, Clone, Default)]
pub struct LineCount {
    lines: u64,
    kinds: BTreeMap<Kind, u64>,
    /// The last entry of the log, and the hash of its line.
    last_entry: Option<(LogId, u128)>,
}

impl LineCount {
    /// Adds the next line, given without its end, with its record when it is one.
    pub fn add(&mut self, line: &[u8], scanned: Option<&ScannedLine<'_>>) {
        self.lines += 1;
        let Some(scanned) = scanned else { return };
        *self.kinds.entry(scanned.record.kind()).or_default() += 1;
        if let Fact::Entry(entry) = scanned.record.fact() {
            self.last_entry = Some((entry.log_id, XxHash3_128::oneshot(line)));
        }
    }
}

/// The hash of the line of a log entry: XXH3, hexadecimal.
pub(crate) fn line_hash(line: &[u8]) -> String {
    shown_hash(XxHash3_128::oneshot(line))
}

fn shown_hash(hash: u128) -> String {
    format!("{hash:032x}")
}

/// Measures a dump, line by line or in two parts.
#[derive(Debug, Clone, Default)]
pub struct ManifestBuilder {
    /// What its bytes say.
    pub bytes: ByteMeasure,
    /// What its lines say.
    pub lines: LineCount,
}

impl ManifestBuilder {
    /// Adds the next line, with its record when it is one.
    pub fn line(&mut self, line: &Line<'_>, scanned: Option<&ScannedLine<'_>>) {
        self.bytes.add(line.bytes);
        if line.terminated {
            self.bytes.add(b"\n");
        }
        self.lines.add(line.bytes, scanned);
    }

    /// The measures of what was added.
    pub fn measured(self) -> Measured {
        let (sha256, bytes) = self.bytes.measured();
        let LineCount { lines, kinds, .. } = self.lines;
        Measured { sha256, bytes, lines, kinds }
    }

    /// The manifest of what was added.
    #[must_use]
    pub fn finish(
        self,
        dump: &str,
        summary: &Summary,
        created_by: String,
        created_at_ms: u64,
    ) -> Manifest {
        let last_entry = self.lines.last_entry.filter(|(id, _)| Some(*id) == summary.log.last);
        let Measured { sha256, bytes, lines, kinds } = self.measured();
        Manifest {
            format_version: FORMAT_VERSION,
            dump: dump.to_owned(),
            sha256,
            bytes,
            lines,
            kinds,
            data_version: summary.version,
            last_applied: summary.last_applied,
            last_log: summary.log.last,
            last_log_hash: last_entry.map(|(_, hash)| shown_hash(hash)),
            state_hash: summary.state_hash,
            created_by,
            created_at_ms,
            encrypted: None,
            parent: None,
            lost: Vec::new(),
            replaces: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(text: &[u8]) -> ManifestBuilder {
        let mut measured = ManifestBuilder::default();
        measured.bytes.add(text);
        measured
    }

    fn manifest(text: &[u8], replaces: Option<Manifest>) -> Manifest {
        let by = "a test".to_owned();
        let manifest = measured(text).finish("meta.db", &Summary::default(), by, 0);
        Manifest { replaces: replaces.map(Box::new), ..manifest }
    }

    #[test]
    fn a_manifest_of_several_dumps_is_that_of_each() {
        let of_two = manifest(b"second", Some(manifest(b"first", None)));
        let of_three = manifest(b"third", Some(of_two.clone()));
        let json = of_three.to_json().unwrap();
        assert_eq!(Manifest::parse(json.as_bytes()), Ok(of_three.clone()));
        let differ = |manifest: &Manifest, text| manifest.findings(&measured(text).measured());
        for text in [&b"first"[..], b"second", b"third"] {
            assert_eq!(differ(&of_three, text), []);
        }
        assert_eq!(differ(&of_two, b"third"), differ(&manifest(b"second", None), b"third"));
        assert_eq!(differ(&of_two, b"third").len(), 2);
    }

    #[test]
    fn a_manifest_stays_small_whatever_was_lost() {
        let mut lost = vec!["ä".repeat(5000)];
        lost.resize(150, "x".to_owned());
        let abridged = Manifest { lost, ..manifest(b"", None) }.abridged();
        assert_eq!((abridged.lost.len(), abridged.lost[0].chars().count()), (101, 500));
        assert_eq!(abridged.lost[100], "and 50 more");
        assert_eq!(abridged.clone().abridged(), abridged);
    }

    #[test]
    fn what_is_wrong_with_a_manifest_is_said_in_plain_words() {
        let said = |json: &str| Manifest::parse(json.as_bytes()).unwrap_err().to_string();
        let json = manifest(b"", None).to_json().unwrap();
        assert_eq!(said(&json[..50]), "not a manifest: byte 50: it ends inside a string");
        assert_eq!(
            said(&json.replace("\"bytes\": 0,", "")),
            "not a manifest: byte 273: the member `bytes` is missing"
        );
        assert_eq!(
            said(&json.replace("\"bytes\": 0", "\"bytes\" 0")),
            "not a manifest: byte 136: there is no colon behind a name"
        );
    }

    #[test]
    fn what_was_lost_is_said_of_the_dump_that_it_was_lost_of() {
        let salvaged = Manifest { lost: vec!["an entry".to_owned()], ..manifest(b"left", None) };
        let of_two = manifest(b"whole", Some(salvaged.clone()));
        assert_eq!(Manifest::parse(of_two.to_json().unwrap().as_bytes()), Ok(of_two.clone()));
        let lost = (Code::Salvaged, "lost: an entry".to_owned());
        let said = |manifest: &Manifest, text| manifest.findings(&measured(text).measured());
        assert_eq!(said(&of_two, b"whole"), []);
        assert_eq!(said(&salvaged, b"other").last(), Some(&lost));
        for manifest in [salvaged, of_two] {
            assert_eq!(said(&manifest, b"left"), std::slice::from_ref(&lost));
        }
    }
}
