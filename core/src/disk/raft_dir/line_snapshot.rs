//! The snapshot of V002: a file of lines.

use super::chunks::opened;
use super::error::DirError;
use super::files::DirFiles;
use super::remarks::AtDamage;
use super::sled_reader::learn;
use super::snapshots::{FROM_ANOTHER_NODE, assert_named, cannot_read, newest};
use crate::disk::read_at::ReadAt;
use crate::disk::rotbl::SnapshotId;
use crate::disk::sled_items::{ItemError, RecordDecoder, decode_line, is_line_of};
use crate::dump::frame::{Line, LineFramer};
use crate::dump::record::{Kind, Record};
use crate::state::node::SystemState;
use crate::value::{counted, grouped};

/// How much of a file is read at a time.
const READ_BYTES: usize = 1 << 20;

/// A snapshot whose keys stay in the file.
#[derive(Debug)]
pub(super) struct LineSnapshot<F> {
    shown: String,
    file: F,
    system: SystemState,
    warning: Option<String>,
}

impl<F: ReadAt> LineSnapshot<F> {
    /// Opens the newest complete snapshot, and reads all of it but keys and expiry; those, too, where
    /// damage must not come later. None in a young directory.
    pub(super) fn newest<D: DirFiles<File = F>>(
        dir: &D,
        snapshots: &str,
        at_damage: AtDamage,
    ) -> Result<Option<Self>, DirError> {
        let Some((id, path)) = newest(dir, snapshots)? else { return Ok(None) };
        let (shown, file) = (dir.shown(&path), opened(dir, &path)?);
        let mut snapshot = Self { shown, file, system: SystemState::default(), warning: None };
        let mut system = SystemState::default();
        let mut lines = 0;
        snapshot.for_each_line(&mut |line| {
            lines += 1;
            if is_line_of(Kind::GenericKV, line.bytes) || is_line_of(Kind::Expire, line.bytes) {
                return Ok(());
            }
            let learned = decode_line(line.bytes).and_then(|record| learn(&mut system, &record));
            learned.map_err(|error| snapshot.damaged(line, &error))
        })?;
        snapshot.system = system;
        assert_named(&snapshot.shown, &id, &snapshot.system)?;
        snapshot.warning = snapshot.miscounted(&id, lines);
        if at_damage == AtDamage::GoOn {
            for kind in [Kind::Expire, Kind::GenericKV] {
                snapshot.for_each(kind, &mut |_| Ok(()))?;
            }
        }
        Ok(Some(snapshot))
    }

    /// Everything but keys and expiry.
    pub(super) const fn system(&self) -> &SystemState {
        &self.system
    }

    /// What should be known of it.
    pub(super) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Calls `each` with every record of a kind, in the order of the file.
    pub(super) fn for_each(
        &self,
        kind: Kind,
        each: &mut dyn FnMut(Record<'_>) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        let others: Vec<Kind> = Kind::ALL.into_iter().filter(|other| *other != kind).collect();
        let mut decoder = RecordDecoder::default();
        self.for_each_line(&mut |line| {
            let is_line = |kind| is_line_of(kind, line.bytes);
            if !is_line(kind) && others.iter().any(|other| is_line(*other)) {
                return Ok(());
            }
            let record = decoder.line(line.bytes).map_err(|error| self.damaged(line, &error))?;
            if record.kind() == kind { each(record) } else { Ok(()) }
        })
    }

    /// Some releases say in the name how many lines there are: a cut file has fewer.
    fn miscounted(&self, id: &SnapshotId, lines: u64) -> Option<String> {
        let expected = id.keys.filter(|expected| *expected != lines)?;
        Some(format!(
            "{} has {}, its name says {}: compare the dump with one of another node",
            self.shown,
            counted(lines, "line"),
            grouped(expected)
        ))
    }

    fn damaged(&self, line: Line<'_>, error: &ItemError) -> DirError {
        DirError::of(error)
            .within(format!("{}, line {}", cannot_read(&self.shown), line.number))
            .with_help(FROM_ANOTHER_NODE)
    }

    fn for_each_line(
        &self,
        each: &mut dyn FnMut(Line<'_>) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        let mut framer = LineFramer::default();
        let (mut at, size_bytes) = (0, self.file.size_bytes());
        let mut piece = Vec::new();
        while at < size_bytes {
            let left = usize::try_from(size_bytes - at).unwrap_or(READ_BYTES);
            piece.resize(left.min(READ_BYTES), 0);
            self.file.read_at(at, &mut piece).map_err(|error| {
                DirError::of(&error).within(format!("cannot read {}", self.shown))
            })?;
            framer.feed(&piece, &mut *each)?;
            at += piece.len() as u64;
        }
        framer.finish(each)
    }
}
