//! Findings: what is wrong with a dump, where, why it matters and what to do.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::{Serialize, Serializer};

use super::{Code, Severity};
use crate::dump::frame::Place;
use crate::ordered;

/// One thing that is wrong with, or worth knowing of, a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The kind of finding.
    pub code: Code,
    /// Where, none when it is about the dump as a whole.
    pub place: Option<Place>,
    /// What was found, with the names and numbers of this dump.
    pub message: String,
    /// What to do, which other findings may change.
    pub help: &'static str,
}

/// What to do in place of a repair when the dump was cut: a repair would make what is left look
/// whole.
const FETCH_AGAIN: &str = "Fetch the dump again, or take a new one: another finding shows that \
                           this one was cut. Do not repair it.";

impl Finding {
    /// How bad it is.
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// A finding as its JSON has it: with what the catalogue says of its code.
#[derive(Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "Finding"))]
struct Explained<'a> {
    code: Code,
    severity: Severity,
    line: Option<u64>,
    offset_bytes: Option<u64>,
    message: &'a str,
    why: &'static str,
    help: &'static str,
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let explained = Explained {
            code: self.code,
            severity: self.severity(),
            line: self.place.map(|place| place.line),
            offset_bytes: self.place.map(|place| place.offset_bytes),
            message: &self.message,
            why: self.code.why(),
            help: self.help,
        };
        explained.serialize(serializer)
    }
}

/// How many findings of one code are kept; the rest is counted.
const KEPT_PER_CODE: u64 = 20;

/// How long a message gets, in bytes.
const LONGEST_MESSAGE: usize = 1000;

/// Collects findings; a file of garbage yields a bounded number of them.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Findings {
    #[serde(rename = "findings")]
    #[cfg_attr(feature = "typescript", ts(as = "Vec<Explained<'_>>"))]
    kept: Vec<Finding>,
    counts: BTreeMap<Code, u64>,
    #[serde(skip)]
    more_lines: BTreeMap<(Code, String), MoreLines>,
}

/// The lines of a finding besides the first.
#[derive(Debug)]
struct MoreLines {
    count: u64,
    last: Place,
}

impl Findings {
    /// Adds a finding at a place; `message` is only made when the finding is kept, and cut when
    /// it is very long: it may quote a key of any length.
    ///
    /// What is wrong with the way in which all lines were written is one finding, at the first of
    /// these lines.
    pub fn add(&mut self, code: Code, place: impl Into<Option<Place>>, message: impl fmt::Display) {
        let place = place.into();
        if code.is_of_many_lines()
            && let Some(place) = place
        {
            let message = cut(&message);
            let is_same = |kept: &Finding| kept.code == code && kept.message == message;
            if self.kept.iter().any(is_same) {
                let more = self.more_lines.entry((code, message));
                let more = more.or_insert(MoreLines { count: 0, last: place });
                more.count += 1;
                more.last = place;
                return;
            }
            self.keep(code, Some(place), message);
        } else {
            self.keep(code, place, message);
        }
    }

    fn keep(&mut self, code: Code, place: Option<Place>, message: impl fmt::Display) {
        let count = self.counts.entry(code).or_default();
        *count += 1;
        if *count <= KEPT_PER_CODE {
            self.kept.push(Finding { code, place, message: cut(&message), help: code.help() });
        }
    }

    /// How often each code was found, those that were not kept included.
    pub const fn counts(&self) -> &BTreeMap<Code, u64> {
        &self.counts
    }

    /// How many findings of each code were not kept.
    pub fn not_kept(&self) -> impl Iterator<Item = (Code, u64)> {
        self.counts.iter().filter_map(|(code, count)| {
            let kept = self.kept.iter().filter(|kept| kept.code == *code).count() as u64;
            Some((*code, count.checked_sub(kept).filter(|more| *more > 0)?))
        })
    }

    /// How many findings have this severity, those that were not kept included.
    pub fn count_of(&self, severity: Severity) -> u64 {
        let of_severity = |(code, _): &(&Code, &u64)| code.severity() == severity;
        self.counts.iter().filter(of_severity).map(|(_, count)| count).sum()
    }

    /// The findings that were kept, in the order of their places; those about the whole follow,
    /// and what may only be missing because a line could not be read.
    pub fn kept(&self) -> &[Finding] {
        &self.kept
    }

    /// Puts the kept findings in order, and says in how many lines each was found.
    pub(super) fn finish(&mut self) {
        for finding in &mut self.kept {
            let key = (finding.code, finding.message.clone());
            if let Some(MoreLines { count, last }) = self.more_lines.remove(&key) {
                let s = if count == 1 { "" } else { "s" };
                let more = format!("; the same in {count} more line{s}, the last is {}", last.line);
                finding.message.push_str(&more);
            }
        }
        if self.counts.keys().any(|code| code.shows_cut()) {
            self.adjust_help_for_cut();
        }
        if self.counts.contains_key(&Code::Salvaged) {
            self.advise_of_salvage();
        }
        let has_unread_line = self.counts.keys().any(|code| code.is_of_unread_line());
        ordered::sort_by_key(&mut self.kept, |finding| {
            let follows = has_unread_line && finding.code.is_of_missing_line();
            (follows, finding.place.is_none(), finding.place, finding.severity(), finding.code)
        });
    }

    /// The dump is what was left: that its snapshot is missing is no sign of a young cluster, and
    /// there is no manifest to export.
    fn advise_of_salvage(&mut self) {
        self.forget(Code::NoSnapshot);
        let missing = |finding: &&mut Finding| finding.code == Code::ManifestMissing;
        for finding in self.kept.iter_mut().filter(missing) {
            finding.help = Code::Salvaged.help();
        }
    }

    fn forget(&mut self, code: Code) {
        self.forget_those(|other| other == code);
    }

    fn forget_those(&mut self, are: impl Fn(Code) -> bool) {
        self.counts.retain(|code, _| !are(*code));
        self.kept.retain(|finding| !are(finding.code));
    }

    /// The dump was cut: nothing may be said that is only true of a whole one.
    fn adjust_help_for_cut(&mut self) {
        self.forget(Code::NoSnapshot);
        self.forget_those(Code::is_of_missing_object);
        for finding in self.kept.iter_mut().filter(|finding| finding.code.is_repairable()) {
            finding.help = FETCH_AGAIN;
        }
    }
}

/// The message, or as much of it as is kept.
fn cut(message: &impl fmt::Display) -> String {
    let mut writer = TruncatingWriter(String::new());
    if write!(writer, "{message}").is_err() {
        writer.0.push('…');
    }
    writer.0
}

/// Takes text up to [`LONGEST_MESSAGE`], then fails.
struct TruncatingWriter(String);

impl fmt::Write for TruncatingWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let space = LONGEST_MESSAGE.saturating_sub(self.0.len());
        if text.len() <= space {
            self.0.push_str(text);
            return Ok(());
        }
        let fitting = text.floor_char_boundary(space);
        self.0.push_str(text.get(..fitting).unwrap_or_default());
        Err(fmt::Error)
    }
}
