//! `redact`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::{Dump, Format};
use crate::dump_name::DumpName;

/// `redact`
#[derive(Debug, Args)]
#[command(
    mut_arg("file", |arg| arg.value_name("IN")),
    mut_arg("db", |arg| arg.value_name("IN").help("The same as IN")),
)]
pub struct Redact {
    /// The dump.
    #[command(flatten)]
    pub dump: Dump,

    /// The dump to write; without it, or with `-`, it goes to stdout.
    #[arg(long, value_name = "OUT", value_parser = DumpName::parser())]
    pub output: Option<DumpName>,

    /// Where to write the manifest of a dump that goes to stdout: for a pipe that ends in a file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output_manifest: Option<PathBuf>,

    /// Replace the names of tenants, databases, tables, columns, users, roles, stages and all other
    /// objects, comments, SQL, file paths and addresses in values by pseudonyms, too.
    #[arg(
        long,
        long_help = "Replace the names of tenants, databases, tables, columns, users, roles, stages \
            and all other objects, comments, SQL, file paths and addresses in values by pseudonyms, \
            too.\n\nA name has the same pseudonym wherever it stands, in keys, values and the log, so \
            that objects, owners and grants stay together; keys are sorted anew. Pseudonyms are of \
            this run: a random salt, which is not kept, makes them. Ids, numbers, names of nothing but \
            digits, times, types, settings, the nodes of the meta service and built-in names (default, root, account_admin, \
            public, system, information_schema) stay. What is not recognised as a key or a value is \
            replaced whole."
    )]
    pub names: bool,

    /// A file with the 32 bytes of salt that make the pseudonyms, in place of a salt of this run: dumps that
    /// are made with the same one can be compared.
    #[arg(
        long,
        value_name = "FILE",
        requires = "names",
        value_hint = ValueHint::FilePath,
        long_help = "A file with the 32 bytes of salt that make the pseudonyms, in place of a salt of this \
            run: dumps that are made with the same one can be compared (`head -c 32 /dev/urandom > salt` \
            makes one).\n\nWhoever has it can find out whether a pseudonym stands for a name that they \
            think of: keep it as you keep the dump."
    )]
    pub salt: Option<PathBuf>,

    /// Go on despite what would else keep the dump from being written; may be repeated.
    #[arg(long, value_enum)]
    pub accept: Vec<AcceptLeft>,

    /// List what would be replaced, by keys and fields, never by values; write nothing.
    #[arg(long)]
    pub dry_run: bool,

    /// How to print what would be, or what was replaced, which needs --output.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// What `redact` can let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AcceptLeft {
    /// Copies of a credential where none is expected: a password that is a user's name, too.
    Copies,
}
