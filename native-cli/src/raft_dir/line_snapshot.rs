//! The snapshot of V002: a file of lines.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metadump::LineFramer;
use metadump::node::SystemState;
use metadump::record::{Kind, Record};
use metadump::rotbl::SnapshotId;
use metadump::sled_items::{RecordDecoder, decode_line, is_line_of};

use super::remarks::AtDamage;
use super::sled_reader::learn;
use super::snapshot_files::{FROM_ANOTHER_NODE, assert_named, newest};
use crate::failure::WithHelp;
use crate::files::open_regular;
use crate::report::{grouped, plural};

/// How much of a file is read at a time.
const READ_BYTES: usize = 1 << 20;

/// A snapshot whose keys stay in the file.
#[derive(Debug)]
pub struct LineSnapshot {
    path: PathBuf,
    system: SystemState,
    warning: Option<String>,
}

impl LineSnapshot {
    /// Opens the newest complete snapshot, and reads all of it but keys and expiry; those, too, where
    /// damage must not come later. None in a young directory.
    pub fn newest(dir: &Path, at_damage: AtDamage) -> Result<Option<Self>> {
        let Some((id, path)) = newest(dir)? else { return Ok(None) };
        let mut system = SystemState::default();
        let mut lines = 0;
        for_each_line(&path, |line| {
            lines += 1;
            if is_line_of(Kind::GenericKV, line) || is_line_of(Kind::Expire, line) {
                return Ok(());
            }
            learn(&mut system, &decode_line(line)?)
        })?;
        assert_named(&path, &id, &system)?;
        let warning = miscounted(&path, &id, lines);
        let snapshot = Self { path, system, warning };
        if at_damage == AtDamage::GoOn {
            for kind in [Kind::Expire, Kind::GenericKV] {
                snapshot.for_each(kind, |_| Ok(()))?;
            }
        }
        Ok(Some(snapshot))
    }

    /// Everything but keys and expiry.
    pub const fn system(&self) -> &SystemState {
        &self.system
    }

    /// What should be known of it.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Calls `each` with every record of a kind, in the order of the file.
    pub fn for_each(
        &self,
        kind: Kind,
        mut each: impl FnMut(Record<'_>) -> Result<()>,
    ) -> Result<()> {
        let others: Vec<Kind> = Kind::ALL.into_iter().filter(|other| *other != kind).collect();
        let mut decoder = RecordDecoder::default();
        for_each_line(&self.path, |line| {
            if !is_line_of(kind, line) && others.iter().any(|other| is_line_of(*other, line)) {
                return Ok(());
            }
            let record = decoder.line(line)?;
            if record.kind() == kind { each(record) } else { Ok(()) }
        })
    }
}

/// Some releases say in the name how many lines there are: a cut file has fewer.
fn miscounted(path: &Path, id: &SnapshotId, lines: u64) -> Option<String> {
    let expected = id.keys.filter(|expected| *expected != lines)?;
    let shown = path.display();
    Some(format!(
        "{shown} has {}, its name says {}: compare the dump with one of another node",
        plural(lines, "line"),
        grouped(expected)
    ))
}

fn for_each_line(path: &Path, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let shown = path.display();
    let file = open_regular(path).with_context(|| format!("cannot open {shown}"))?;
    let mut input = BufReader::with_capacity(READ_BYTES, file);
    let mut framer = LineFramer::default();
    let mut each = |line: metadump::Line<'_>| {
        let number = line.number;
        each(line.bytes)
            .with_context(|| format!("cannot read the snapshot {shown}, line {number}"))
            .help(FROM_ANOTHER_NODE)
    };
    loop {
        let piece = input.fill_buf().with_context(|| format!("cannot read {shown}"))?;
        let len = piece.len();
        if len == 0 {
            return framer.finish(each);
        }
        framer.feed(piece, &mut each)?;
        input.consume(len);
    }
}
