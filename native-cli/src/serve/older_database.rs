//! The database of data directories of before November 2026: a sled tree with versions of keys.
//! It becomes one of today when a service starts on it.
//!
//! | row | value |
//! |---|---|
//! | `r` key `00 01` version | a record |
//! | `e` time, sequence number, version | an entry of the expiry index |
//! | `l` index | an entry of the log, as a line of a dump |
//! | `g` … | nothing: a row that is no longer needed |
//! | `n` name | a note |
//!
//! Numbers are big-endian; a version is stored complemented, so that the newest comes first. In a
//! key, `00` is spelled `00 FF`. A value begins with 1, or is 0 when the key was removed.

use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use anyhow::{Context, Result};
use metadump::record::ExpireKey;

use super::data_dir::{Layout, sync_dir};
use super::database::{Batch, Database, StorageError, journal_path};
use super::notes;
use super::stored::{self, number};
use crate::failure::WithHelp;
use crate::open_dir::remove_all;
use crate::progress::Progress;

/// How many rows, and how many bytes of them, are written at a time.
const PIECE_ROWS: usize = 10_000;
const PIECE_BYTES: usize = 8 << 20;

/// Makes the older database of a directory, if it has one, into one of today. The older one stays
/// until the new one is complete and on disk.
///
/// # Errors
///
/// When it cannot be read.
pub fn take_over(layout: &Layout, progress: &Progress) -> Result<()> {
    let (older, newer, part) = (layout.older_database(), layout.database(), layout.database_part());
    if !older.exists() {
        return Ok(());
    }
    if !newer.exists() {
        progress.say("note: the database is of an earlier release and is rewritten");
        remove_if_there(&part)?;
        remove_if_there(&journal_path(&part))?;
        let copied = panic::catch_unwind(AssertUnwindSafe(|| copy(&older, &part)));
        copied
            .unwrap_or_else(|_| Err(StorageError::Corrupt("page").into()))
            .with_context(|| format!("cannot read {}", older.display()))
            .help("nothing was lost: an earlier release of this program may still start on it")?;
        for (from, to) in [(&journal_path(&part), &journal_path(&newer)), (&part, &newer)] {
            fs::rename(from, to).with_context(|| format!("cannot rename {}", from.display()))?;
        }
        sync_parent(&newer)?;
    }
    remove_all(&older)
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn sync_parent(path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), sync_dir)
}

/// Copies the newest version of everything.
fn copy(older: &Path, part: &Path) -> Result<()> {
    let tree = sled::Config::new().path(older).flush_every_ms(None).open()?;
    let version = tree.get("nversion")?.context("it is not complete")?;
    let version = number(&version)?;
    let newer = Database::create(part)?;
    let mut writing = Writing { newer: &newer, batch: Batch::default(), rows: 0, bytes: 0 };
    let mut settled = Vec::new();
    for row in tree.iter() {
        let (row, value) = row?;
        let (kind, rest) = row.split_first().context("it has a row without a name")?;
        match kind {
            b'r' | b'e' => {
                let (stem, written) = row.split_last_chunk().ok_or(StorageError::Corrupt("key"))?;
                if !u64::from_be_bytes(*written) > version || settled == stem {
                    continue;
                }
                settled = stem.to_vec();
                let Some((1, value)) = value.split_first() else { continue };
                writing.put(stem, value)?;
            }
            b'l' => writing.batch.log.push((number(rest)?, value.to_vec())),
            b'n' => {
                let name = notes::NAMES.into_iter().find(|name| name.as_bytes() == rest);
                writing.batch.notes.extend(name.map(|name| (name, value.to_vec())));
            }
            _ => continue,
        }
        writing.took(value.len())?;
    }
    newer.commit(&writing.batch)?;
    Ok(newer.close()?)
}

struct Writing<'d> {
    newer: &'d Database,
    batch: Batch,
    rows: usize,
    bytes: usize,
}

impl Writing<'_> {
    fn put(&mut self, stem: &[u8], value: &[u8]) -> Result<(), StorageError> {
        let changes = &mut self.batch.changes;
        if let Some(spelled) = stem.strip_prefix(b"r") {
            changes.records.insert(key_of(spelled)?, Some(stored::record(value)?));
        } else {
            let at = stem.split_at_checked(1).and_then(|(_, at)| at.split_at_checked(8));
            let (time_ms, seq) = at.ok_or(StorageError::Corrupt("key"))?;
            let at = ExpireKey { time_ms: number(time_ms)?, seq: number(seq)? };
            changes.expiries.insert(at, Some(stored::expiry(value)?));
        }
        Ok(())
    }

    fn took(&mut self, bytes: usize) -> Result<(), StorageError> {
        self.rows += 1;
        self.bytes += bytes;
        if self.rows >= PIECE_ROWS || self.bytes >= PIECE_BYTES {
            self.newer.commit(&std::mem::take(&mut self.batch))?;
            (self.rows, self.bytes) = (0, 0);
        }
        Ok(())
    }
}

fn key_of(spelled: &[u8]) -> Result<String, StorageError> {
    let corrupt = || StorageError::Corrupt("key");
    let spelled = spelled.strip_suffix(&[0, 1]).ok_or_else(corrupt)?;
    let mut key = Vec::with_capacity(spelled.len());
    let mut bytes = spelled.iter();
    while let Some(byte) = bytes.next() {
        key.push(*byte);
        if *byte == 0 {
            bytes.next();
        }
    }
    String::from_utf8(key).map_err(|_| corrupt())
}
