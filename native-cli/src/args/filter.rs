//! `filter`, `extract` and `filter-tenant`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum, ValueHint};
use metadump::moment::At;
use metadump::objects::ObjectRef;
use metadump::select;

use super::{Dump, Format};
use crate::dump_name::DumpName;

/// `filter`
#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("choice").required(true).multiple(true)),
    override_usage = "databend-metactl filter [OPTIONS] <--tenant|--object|--prefix> [IN]",
    mut_arg("file", |arg| arg.value_name("IN")),
    mut_arg("db", |arg| arg.value_name("IN").help("The same as IN")),
)]
pub struct Filter {
    /// The dump.
    #[command(flatten)]
    pub dump: Dump,

    /// Choose a tenant, with all that belongs to it; may be repeated, also with the others.
    #[arg(long, value_name = "NAME", group = "choice")]
    pub tenant: Vec<String>,

    /// Choose an object with all that belongs to it and is in it: `DATABASE.TABLE`, `DATABASE`,
    /// `table:ID`, `user:NAME`, `key:KEY`. A name is every object that has or had it.
    #[arg(long, value_name = "OBJECT", value_parser = ObjectRef::parse, group = "choice")]
    pub object: Vec<ObjectRef>,

    /// Choose keys by how they begin. The names and records of objects among them choose these; with
    /// --drop other keys go by themselves.
    #[arg(long, value_name = "PREFIX", group = "choice")]
    pub prefix: Vec<String>,

    /// Leave the choice out, and keep all else.
    #[arg(long)]
    pub drop: bool,

    /// What becomes of keys that cannot be judged: those of no known form, and with --tenant those of
    /// objects whose tenant nothing says any more.
    #[arg(long, value_enum, default_value_t)]
    pub unknown: Unknown,

    /// Where the dump comes from and goes to.
    #[command(flatten)]
    pub way: Way,
}

/// `extract`
#[derive(Debug, Args)]
pub struct Extract {
    /// The objects: `DATABASE.TABLE`, `DATABASE`, `table:ID`, `user:NAME`, `key:KEY`. A name is every
    /// object that has or had it.
    #[arg(value_name = "OBJECT", value_parser = ObjectRef::parse, required = true)]
    pub objects: Vec<ObjectRef>,

    /// The dump; without it, or with `-`, it is read from stdin. `.gz` and `.zst` are recognised.
    #[arg(long, value_name = "IN", value_hint = ValueHint::FilePath, value_parser = DumpName::parser())]
    pub db: Option<DumpName>,

    /// What becomes of keys of no known form.
    #[arg(long, value_enum, default_value_t)]
    pub unknown: Unknown,

    /// Where the dump comes from and goes to.
    #[command(flatten)]
    pub way: Way,
}

/// `filter-tenant`
#[derive(Debug, Args)]
#[command(
    mut_arg("file", |arg| arg.value_name("IN")),
    mut_arg("db", |arg| arg.value_name("IN").visible_alias("input").help("The same as IN")),
    mut_arg("at", |arg| arg.default_value("snapshot")),
)]
pub struct FilterTenant {
    /// The dump.
    #[command(flatten)]
    pub dump: Dump,

    /// The tenant.
    #[arg(long, value_name = "NAME")]
    pub tenant: String,

    /// What becomes of keys of no known form.
    #[arg(long, value_enum, default_value_t)]
    pub unknown: Unknown,

    /// Where the dump comes from and goes to.
    #[command(flatten)]
    pub way: Way,
}

/// Where a dump comes from and goes to.
#[derive(Debug, Args)]
pub struct Way {
    /// The manifest of the dump, in place of the one beside it: for a dump that comes from a pipe.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub manifest: Option<PathBuf>,

    /// The dump to write; without it, or with `-`, it goes to stdout.
    #[arg(long, value_name = "OUT", value_hint = ValueHint::FilePath, value_parser = DumpName::parser())]
    pub output: Option<DumpName>,

    /// Where to write the manifest of a dump that goes to stdout: for a pipe that ends in a file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output_manifest: Option<PathBuf>,

    /// Which moment the state is of: `snapshot`, `end` (after the last committed log entry), a log
    /// index, an entry such as `T1-N2.34`, a time such as `2026-11-28T14:28:47Z`, or `-2h` before now.
    #[arg(
        long,
        value_name = "MOMENT",
        allow_hyphen_values = true,
        value_parser = At::parse,
        default_value = "end"
    )]
    pub at: At,

    /// List everything that goes.
    #[arg(long)]
    pub list: bool,

    /// Say what would stay and go; write nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// How to print what stays and goes, or what was done, which needs --output.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// What becomes of keys that cannot be judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Unknown {
    /// They are listed, and nothing is written.
    #[default]
    Refuse,
    /// They stay.
    Keep,
    /// They go.
    Drop,
}

impl Unknown {
    /// The same for the selection.
    pub const fn fate(self) -> select::Fate {
        match self {
            Self::Refuse => select::Fate::Refuse,
            Self::Keep => select::Fate::Keep,
            Self::Drop => select::Fate::Drop,
        }
    }
}
