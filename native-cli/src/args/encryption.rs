//! Who reads what is encrypted.

use std::path::PathBuf;

use clap::{Args, ValueHint};

/// Under which the help lists it.
const HEADING: &str = "Encryption";

/// The keys of dumps that are encrypted with age.
#[derive(Debug, Default, Args)]
pub struct Encryption {
    /// Encrypt the dump that is written with age, so that the identity of this recipient (`age1…`)
    /// reads it. A name that ends in `.age` is encrypted without it, too, for METACTL_RECIPIENTS.
    #[arg(long, value_name = "RECIPIENT", global = true, hide_short_help = true, help_heading = HEADING)]
    pub recipient: Vec<String>,

    /// The same for all recipients of a file, one per line.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, global = true, hide_short_help = true, help_heading = HEADING)]
    pub recipients_file: Vec<PathBuf>,

    /// Read dumps that are encrypted with age by the identities of this file (`AGE-SECRET-KEY-1…`,
    /// one per line), or else by those that METACTL_IDENTITY holds.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, global = true, hide_short_help = true, help_heading = HEADING)]
    pub identity: Vec<PathBuf>,

    /// Read dumps that are encrypted with the passphrase in this file, and encrypt what is called
    /// `.age` with it where no recipient is named.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, global = true, hide_short_help = true, help_heading = HEADING)]
    pub passphrase_file: Option<PathBuf>,
}
