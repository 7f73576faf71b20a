//! Where the tables of a dump go: `keys/cluster=NAME/day=2026-11-30/meta.db.20261130T041500Z.parquet` below
//! a folder, in the manner of Hive.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use metadump::Report;
use metadump::check::Evidence;
use time::OffsetDateTime;

use crate::dump_name::DumpName;
use crate::dump_writer::now_ms;
use crate::failure::WithHelp;
use crate::input::Source;
use crate::manifest::evidence;
use crate::new_dirs::NewDirs;
use crate::output::{Destination, Output};
use crate::progress::Progress;
use crate::report::{compact_time, utc};
use crate::signals::Doomed;

/// Only the owner looks in, as with dumps.
const PRIVATE_DIR: u32 = 0o700;

/// The ending of the files.
const ENDING: &str = ".parquet";

/// The place of a dump's tables.
pub struct Partition<'a> {
    /// Where the dumps of all clusters are.
    pub folder: &'a DumpName,
    /// The cluster.
    pub cluster: &'a str,
    /// What the dump is called.
    pub dump: String,
    /// When it was taken.
    pub taken_at: TakenAt,
}

/// When a dump was taken, in milliseconds since 1970, and what says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenAt {
    /// Its manifest.
    Manifest(u64),
    /// Its last write.
    LastWrite(u64),
    /// The last write before the moment that is asked for.
    Moment(u64),
    /// It is an export of now.
    Export(u64),
    /// Nothing: the time is that of the run.
    Nothing(u64),
}

impl TakenAt {
    /// When a dump was taken.
    pub fn of(source: &Source, report: &Report) -> Self {
        let has_day = |ms: &u64| date(*ms).is_some();
        let of_manifest = created_at_ms(source).filter(has_day).map(Self::Manifest);
        let last_write = report.summary.last_write_ms.filter(has_day).map(Self::LastWrite);
        of_manifest.or(last_write).unwrap_or_else(|| Self::Nothing(now_ms()))
    }

    /// It is taken now.
    pub fn now() -> Self {
        Self::Export(now_ms())
    }

    /// The same of the state at a moment, whose last write is known.
    #[must_use]
    pub fn at_moment(self, last_write_ms: Option<u64>) -> Self {
        let has_day = |ms: &u64| date(*ms).is_some();
        last_write_ms.filter(has_day).map_or(self, Self::Moment)
    }

    /// The time, in milliseconds since 1970.
    pub const fn ms(self) -> u64 {
        match self {
            Self::Manifest(ms)
            | Self::LastWrite(ms)
            | Self::Moment(ms)
            | Self::Export(ms)
            | Self::Nothing(ms) => ms,
        }
    }

    /// `2026-11-30`
    pub fn day(self) -> String {
        date(self.ms()).unwrap_or_default()
    }

    /// What says so, for programs.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Manifest(_) => "manifest",
            Self::LastWrite(_) => "last_write",
            Self::Moment(_) => "moment",
            Self::Export(_) => "export",
            Self::Nothing(_) => "now",
        }
    }

    /// The same for people.
    pub fn describe(self) -> String {
        let at = utc(self.ms());
        match self {
            Self::Manifest(_) => format!("taken {at}, as its manifest says"),
            Self::LastWrite(_) => format!("taken {at}, the time of its last write"),
            Self::Moment(_) => format!("filed under {at}, the time of the last write before that"),
            Self::Export(_) => format!("taken {at}"),
            Self::Nothing(_) => format!("taken {at}, which is now"),
        }
    }

    /// What is to be known of a time that is guessed.
    pub fn remark(self) -> Option<String> {
        matches!(self, Self::Nothing(_)).then(|| {
            "warning: neither a manifest nor a write says when the dump was taken: it is filed under \
             today"
                .to_owned()
        })
    }
}

/// When a dump was written, as the manifest of it, or of the last piece of its chain, says.
fn created_at_ms(source: &Source) -> Option<u64> {
    if let Some(chain) = source.chain() {
        return chain.last().manifest.as_ref().map(|manifest| manifest.created_at_ms);
    }
    match evidence(source) {
        Evidence::Manifest { manifest, .. } => Some(manifest.created_at_ms),
        _ => None,
    }
}

/// The day of a time in UTC; none beyond the year 9999.
fn date(ms: u64) -> Option<String> {
    let seconds = i64::try_from(ms / 1000).ok()?;
    Some(OffsetDateTime::from_unix_timestamp(seconds).ok()?.date().to_string())
}

/// What a dump is called: its file, or that of the last piece of a chain.
pub fn dump_name(source: &Source) -> String {
    let of_chain = source.chain().and_then(|chain| chain.last().name.file_name());
    let of_object = || source.object().map(|object| object.file_name().to_owned());
    let of_file = || Some(source.path()?.file_name()?.to_string_lossy().into_owned());
    of_chain.or_else(of_object).or_else(of_file).unwrap_or_else(|| source.name())
}

impl Partition<'_> {
    /// Begins the file of each table, which has not got its name yet, and makes the directories.
    ///
    /// # Errors
    ///
    /// When one cannot be created.
    pub fn open<const N: usize>(
        &self,
        tables: [&str; N],
        progress: &Progress,
    ) -> Result<(Dirs, [(DumpName, Output); N])> {
        if let DumpName::Path(folder) = self.folder {
            anyhow::ensure!(
                !folder.exists() || folder.is_dir(),
                "{} is a file, and tables go into a folder",
                folder.display()
            );
        }
        let (mut dirs, mut files) = (Dirs::default(), Vec::new());
        for table in tables {
            let place = self.place_of(table);
            if let Some(dir) = place.path().and_then(Path::parent) {
                // The first that was made is the last to go.
                dirs.made.insert(0, NewDirs::make(dir, PRIVATE_DIR)?);
            }
            let output = Output::open(Destination::from_arg(Some(&place))?, progress)?;
            files.push((place, output));
        }
        dirs.doomed = dirs.made.iter().flat_map(NewDirs::doomed).collect();
        let files = files.try_into().ok().context("a file is missing")?;
        Ok((dirs, files))
    }

    /// Where a table goes.
    fn place_of(&self, table: &str) -> DumpName {
        let (cluster, day) = (escaped(self.cluster), self.taken_at.day());
        let file = file_name(&self.dump, self.taken_at);
        self.folder.in_folder(&format!("{table}/cluster={cluster}/day={day}/{file}"))
    }
}

/// Directories that were made for the tables, and go again if nothing comes of those.
#[derive(Default)]
pub struct Dirs {
    made: Vec<NewDirs>,
    doomed: Vec<Doomed>,
}

impl Dirs {
    /// Keeps them, since the files in them have their names.
    ///
    /// # Errors
    ///
    /// When their names cannot be put on disk.
    pub fn keep(mut self) -> Result<()> {
        self.doomed.clear();
        let synced = self.made.iter().try_for_each(NewDirs::sync);
        self.made.iter_mut().for_each(NewDirs::keep);
        synced.help("the tables are complete; run `sync` so that they outlast a power cut")
    }
}

/// The name of a dump's file in each table: of several dumps of one name and day, each has its own. Engines
/// pass over files whose names begin with a dot or an underscore.
fn file_name(dump: &str, taken_at: TakenAt) -> String {
    let name = format!("{}.{}", escaped(dump), compact_time(taken_at.ms() / 1000));
    let hidden = name.strip_prefix('.').map(|rest| ("%2E", rest));
    let hidden = hidden.or_else(|| name.strip_prefix('_').map(|rest| ("%5F", rest)));
    match hidden {
        Some((escape, rest)) => format!("{escape}{rest}{ENDING}"),
        None => format!("{name}{ENDING}"),
    }
}

/// A value as it stands in the name of a directory, with the escapes of Hive.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        if letter.is_ascii_control() || "\"#%'*/:=?\\{[]^".contains(letter) {
            // Writing to a text does not fail.
            let _ = write!(escaped, "%{:02X}", u32::from(letter));
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_hive_does() {
        for (name, expected) in [
            ("prod-eu.1", "prod-eu.1"),
            ("a/b=c", "a%2Fb%3Dc"),
            ("../..", "..%2F.."),
            ("50%", "50%25"),
            ("x\ny\u{7f}", "x%0Ay%7F"),
            ("größe 東京", "größe 東京"),
            ("\"#'*:?\\{[]^", "%22%23%27%2A%3A%3F%5C%7B%5B%5D%5E"),
        ] {
            assert_eq!(escaped(name), expected);
        }
    }

    #[test]
    fn no_file_is_hidden_from_engines() {
        for (dump, expected) in [
            ("meta.db.zst", "meta.db.zst"),
            (".meta.db", "%2Emeta.db"),
            ("_meta.db", "%5Fmeta.db"),
            ("127.0.0.1:9191", "127.0.0.1%3A9191"),
        ] {
            let name = file_name(dump, TakenAt::Manifest(1_795_996_799_999));
            assert_eq!(name, format!("{expected}.20261129T235959Z.parquet"));
        }
    }

    #[test]
    fn days_are_those_of_utc() {
        assert_eq!(date(0).unwrap(), "1970-01-01");
        assert_eq!(date(1_795_996_799_999).unwrap(), "2026-11-29");
        assert_eq!(date(1_795_996_800_000).unwrap(), "2026-11-30");
        assert_eq!(date(253_402_300_800_000), None);
        assert_eq!(date(u64::MAX), None);
    }
}
