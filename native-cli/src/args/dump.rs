//! The dump that a command reads: `FILE`, or `--db FILE` as the official tool has it.

use anyhow::Result;
use clap::{Args, ValueHint};

use crate::dump_name::DumpName;
use crate::failure::Usage;

/// The dump that a command reads.
#[derive(Debug, Args)]
pub struct Dump {
    /// The dump, a file or the URL of an object (`s3://BUCKET/PATH`, `gs://`, `azblob://` …); without
    /// it, or with `-`, it is read from stdin. `.gz` and `.zst` are recognised. A folder, or a URL that
    /// ends with a slash, stands for the newest chain of a dump and increments in it.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = DumpName::parser())]
    pub file: Option<DumpName>,

    /// The same as FILE; given several times, a dump and the increments behind it, in any order.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = DumpName::parser_or_dash())]
    pub db: Vec<DumpName>,
}

impl Dump {
    /// The dump, however it is named; none when it is not. Several names are those of a chain.
    ///
    /// # Errors
    ///
    /// A [`Usage`] error when it is named in both ways, and each names another one.
    pub fn name(&self) -> Result<Option<DumpName>> {
        Ok(match one_of(self.file.as_slice(), &self.db)? {
            [] => None,
            [name] => Some(name.clone()),
            pieces => Some(DumpName::Chain(pieces.to_vec())),
        })
    }
}

/// The dumps that a command reads, in turn.
#[derive(Debug, Args)]
pub struct Dumps {
    /// The dumps, files or URLs of objects, or patterns of both, such as `s3://BUCKET/backups/**`; `-`,
    /// or none, is stdin. `.gz` and `.zst` are recognised.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = DumpName::parser())]
    pub files: Vec<DumpName>,

    /// The same as FILE; may be repeated.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = DumpName::parser_or_dash())]
    pub db: Vec<DumpName>,
}

impl Dumps {
    /// The dumps, however they are named; none when they are not.
    ///
    /// # Errors
    ///
    /// As [`Dump::name`].
    pub fn names(&self) -> Result<&[DumpName]> {
        one_of(&self.files, &self.db)
    }
}

fn one_of<'a>(files: &'a [DumpName], db: &'a [DumpName]) -> Result<&'a [DumpName]> {
    match (files, db) {
        (files, []) => Ok(files),
        ([], db) => Ok(db),
        (files, db) if files == db => Ok(files),
        (files, db) => {
            let shown = |names: &[DumpName]| {
                Vec::from_iter(names.iter().map(ToString::to_string)).join(" ")
            };
            Err(Usage::error(
                format!("FILE is {}, but --db is {}", shown(files), shown(db)),
                "name the dump once: FILE and --db FILE mean the same",
            ))
        }
    }
}
