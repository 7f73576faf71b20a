//! `backups`.

use clap::{ArgGroup, Args, ValueHint};
use metadump::chain::{Retention, Within};
use metadump::moment::parse_span;

use super::Format;
use super::values::whole;
use crate::dump_name::DumpName;

/// Under which the help lists what `--forget` keeps.
const KEEP: &str = "What is kept";

/// `backups`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("keep").multiple(true)))]
pub struct Backups {
    /// The folder, or the URL of a prefix (`s3://BUCKET/PATH/`), whose dumps and increments it is
    /// about. What is in folders below it is not.
    #[arg(value_name = "PLACE", value_hint = ValueHint::DirPath, value_parser = DumpName::parser())]
    pub place: DumpName,

    /// Read every chain from its first line to its last, and see whether it can be restored.
    #[arg(long)]
    pub check: bool,

    /// Fail when the youngest backup is older than this: `90s`, `5m`, `25h`, `2d`.
    #[arg(long, value_name = "AGE", value_parser = parse_span)]
    pub max_age: Option<u64>,

    /// Remove the backups that no rule keeps, by the rules of restic. What one that is kept goes on
    /// from stays, too, and so does all that is not known to be a backup.
    #[arg(long, requires = "keep")]
    pub forget: bool,

    /// What is kept.
    #[command(flatten)]
    pub keep: Keep,

    /// With --forget, only show what would be removed.
    #[arg(long, requires = "forget")]
    pub dry_run: bool,

    /// How to print them.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// The rules of `--forget`.
#[derive(Debug, Args)]
pub struct Keep {
    /// Keep the N youngest.
    #[arg(long, value_name = "N", help_heading = KEEP, group = "keep", requires = "forget", value_parser = number)]
    pub keep_last: Option<u64>,

    /// Keep the youngest of each of the N youngest hours that have any; UTC, as all others.
    #[arg(long, value_name = "N", help_heading = KEEP, group = "keep", requires = "forget", value_parser = number)]
    pub keep_hourly: Option<u64>,

    /// The same of days.
    #[arg(long, value_name = "N", help_heading = KEEP, group = "keep", requires = "forget", value_parser = number)]
    pub keep_daily: Option<u64>,

    /// The same of weeks, which begin on Monday.
    #[arg(long, value_name = "N", help_heading = KEEP, group = "keep", requires = "forget", value_parser = number)]
    pub keep_weekly: Option<u64>,

    /// The same of months.
    #[arg(long, value_name = "N", help_heading = KEEP, group = "keep", requires = "forget", value_parser = number)]
    pub keep_monthly: Option<u64>,

    /// The same of years.
    #[arg(long, value_name = "N", help_heading = KEEP, group = "keep", requires = "forget", value_parser = number)]
    pub keep_yearly: Option<u64>,

    /// Keep all that are less than so much older than the youngest: `1y5m7d2h`, where `m` are months.
    #[arg(long, value_name = "TIME", help_heading = KEEP, group = "keep", requires = "forget", value_parser = within)]
    pub keep_within: Option<Within>,
}

fn number(text: &str) -> Result<u64, String> {
    whole::<u64>(text, "below 2^64")
}

fn within(text: &str) -> Result<Within, String> {
    text.parse().map_err(|error: metadump::chain::NotWithin| error.to_string())
}

impl Keep {
    /// The same as rules.
    pub const fn retention(&self) -> Retention {
        Retention {
            last: self.keep_last,
            hourly: self.keep_hourly,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
            within: self.keep_within,
        }
    }
}
