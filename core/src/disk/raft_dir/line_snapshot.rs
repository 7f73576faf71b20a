//! The snapshot of V002: a file of lines.

use std::collections::BTreeMap;
use std::ops::Range;

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
    /// Where the lines of each kind are.
    extents: BTreeMap<Kind, Extent>,
    warning: Option<String>,
}

/// A part of the file, from the first line of a kind to the last.
#[derive(Debug, Clone, Default)]
struct Extent {
    bytes: Range<u64>,
    /// How many lines precede it.
    lines_before: u64,
}

impl Extent {
    /// All of a file.
    const fn all(size_bytes: u64) -> Self {
        Self { bytes: 0..size_bytes, lines_before: 0 }
    }

    /// That of a line alone.
    const fn of(line: Line<'_>) -> Self {
        let (start, bytes) = (line.offset_bytes, line.bytes.len() as u64 + line.elided_bytes);
        Self { bytes: start..start + bytes, lines_before: line.number.saturating_sub(1) }
    }
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
        let (system, extents) = (SystemState::default(), BTreeMap::new());
        let mut snapshot = Self { shown, file, system, extents, warning: None };
        let (mut system, mut extents) = (SystemState::default(), BTreeMap::<_, Extent>::new());
        let mut lines = 0;
        snapshot.for_each_line(&Extent::all(snapshot.file.size_bytes()), &mut |line| {
            lines += 1;
            let is_kind = |kind: &Kind| is_line_of(*kind, line.bytes);
            let kind = if let Some(kind) = [Kind::GenericKV, Kind::Expire].into_iter().find(is_kind)
            {
                kind
            } else {
                let record = decode_line(line.bytes);
                let record = record.map_err(|error| snapshot.damaged(line, &error))?;
                learn(&mut system, &record).map_err(|error| snapshot.damaged(line, &error))?;
                record.kind()
            };
            let of_line = Extent::of(line);
            let end = of_line.bytes.end;
            extents.entry(kind).or_insert(of_line).bytes.end = end;
            Ok(())
        })?;
        (snapshot.system, snapshot.extents) = (system, extents);
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
        let Some(extent) = self.extents.get(&kind) else { return Ok(()) };
        let others: Vec<Kind> = Kind::ALL.into_iter().filter(|other| *other != kind).collect();
        let mut decoder = RecordDecoder::default();
        self.for_each_line(extent, &mut |line| {
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
        Extent { bytes, lines_before }: &Extent,
        each: &mut dyn FnMut(Line<'_>) -> Result<(), DirError>,
    ) -> Result<(), DirError> {
        let mut framer = LineFramer::default();
        let mut each = |line: Line<'_>| {
            each(line.at(lines_before + line.number, bytes.start + line.offset_bytes))
        };
        let mut at = bytes.start;
        let mut piece = Vec::new();
        while at < bytes.end {
            let left = usize::try_from(bytes.end - at).unwrap_or(READ_BYTES);
            piece.resize(left.min(READ_BYTES), 0);
            self.file.read_at(at, &mut piece).map_err(|error| {
                DirError::of(&error).within(format!("cannot read {}", self.shown))
            })?;
            framer.feed(&piece, &mut each)?;
            at += piece.len() as u64;
        }
        framer.finish(each)
    }
}
