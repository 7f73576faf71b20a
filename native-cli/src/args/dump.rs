//! The dump that a command reads: `FILE`, or `--db FILE` as the official tool has it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueHint};

use super::values::file_or_dash;
use crate::failure::Usage;

/// The dump that a command reads.
#[derive(Debug, Args)]
pub struct Dump {
    /// The dump; without it, or with `-`, it is read from stdin. `.gz` and `.zst` are recognised.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,

    /// The same as FILE.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = file_or_dash())]
    pub db: Option<PathBuf>,
}

impl Dump {
    /// The dump, however it is named; none when it is not.
    ///
    /// # Errors
    ///
    /// A [`Usage`] error when it is named in both ways, and each names another one.
    pub fn path(&self) -> Result<Option<&Path>> {
        let [file, db] = [&self.file, &self.db].map(Option::as_slice);
        Ok(one_of(file, db)?.first().map(PathBuf::as_path))
    }
}

/// The dumps that a command reads, in turn.
#[derive(Debug, Args)]
pub struct Dumps {
    /// The dumps; `-`, or none, is stdin. `.gz` and `.zst` are recognised.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,

    /// The same as FILE; may be repeated.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = file_or_dash())]
    pub db: Vec<PathBuf>,
}

impl Dumps {
    /// The dumps, however they are named; none when they are not.
    ///
    /// # Errors
    ///
    /// As [`Dump::path`].
    pub fn paths(&self) -> Result<&[PathBuf]> {
        one_of(&self.files, &self.db)
    }
}

fn one_of<'a>(files: &'a [PathBuf], db: &'a [PathBuf]) -> Result<&'a [PathBuf]> {
    match (files, db) {
        (files, []) => Ok(files),
        ([], db) => Ok(db),
        (files, db) if files == db => Ok(files),
        (files, db) => {
            let shown = |paths: &[PathBuf]| {
                let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
                shown.join(" ")
            };
            Err(Usage::error(
                format!("FILE is {}, but --db is {}", shown(files), shown(db)),
                "name the dump once: FILE and --db FILE mean the same",
            ))
        }
    }
}
