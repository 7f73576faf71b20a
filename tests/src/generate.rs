//! Made-up dumps of any size, as consistent as those of a server.
//!
//! A dump lists the expiry index before the keys, each sorted by a rule of its own. So that
//! nothing is held in memory, every record is computed from its position alone: `plan` says
//! which ids, sequence numbers and times a position has, `value` what bytes it holds, and
//! `lines` how a data version spells it. The same seed gives the same bytes on any machine.
//!
//! The history behind a dump: a cluster of three nodes got users, then databases, then tables
//! with the files that were loaded into them. The log still holds how the last tables came
//! about, the very last of them later than the snapshot.

mod lines;
mod plan;
mod value;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use self::lines::Lines;
use self::plan::Plan;

/// The data versions that can be made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DumpVersion {
    /// As a V002 server writes it: keys before the expiry index.
    V002,
    /// As a V003 server writes it.
    V003,
    /// As today's servers write it.
    #[default]
    V004,
}

impl fmt::Display for DumpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V002 => "V002",
            Self::V003 => "V003",
            Self::V004 => "V004",
        })
    }
}

/// A text that is no [`DumpVersion`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVersion(String);

impl fmt::Display for UnknownVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not one of V002, V003, V004", self.0)
    }
}

impl std::error::Error for UnknownVersion {}

impl FromStr for DumpVersion {
    type Err = UnknownVersion;
    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        let known = [Self::V002, Self::V003, Self::V004];
        let named = known.into_iter().find(|version| version.to_string() == text);
        named.ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}

/// Which dump to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DumpSpec {
    /// How large it is to be, met within 100 kB or two percent, whichever is more: a table with
    /// all that belongs to it takes some 40 kB. The smallest dump has one.
    pub bytes: u64,
    /// What the values and file names depend on.
    pub seed: u64,
    /// Its data version.
    pub version: DumpVersion,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes, line ends included.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
}

/// Writes a dump line by line, in constant memory.
///
/// # Errors
///
/// Only those of `out`.
///
/// ```
/// use metadump_tests::generate::{DumpSpec, DumpVersion, generate};
///
/// let spec = DumpSpec { bytes: 100_000, seed: 1, version: DumpVersion::V004 };
/// let mut dump = Vec::new();
/// let written = generate(&spec, &mut dump)?;
/// assert_eq!(written.bytes, dump.len() as u64);
/// assert!(dump.starts_with(br#"["header",{"DataHeader":"#));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn generate(spec: &DumpSpec, out: &mut impl Write) -> io::Result<Written> {
    let plan = fitted(spec)?;
    let mut lines = Lines::new(spec.version, spec.seed, plan, out);
    lines.all()?;
    Ok(lines.written())
}

/// The plan whose dump comes nearest to the size that is asked for.
///
/// Tables differ by chance, so the size of one is measured on the first few hundred. For a small
/// dump these are all the tables it has, and measuring again with the number found gets nearer.
fn fitted(spec: &DumpSpec) -> io::Result<Plan> {
    const MEASURED_TABLES: u64 = 400;
    const TABLE_BYTES: u64 = 40_000;

    let mut tables = spec.bytes / TABLE_BYTES;
    for _ in 0..3 {
        let measured = tables.clamp(1, MEASURED_TABLES);
        let mut lines = Lines::new(spec.version, spec.seed, Plan::new(measured), io::sink());
        lines.all()?;
        let bytes = u128::from(lines.written().bytes);
        let rounded = (u128::from(spec.bytes) * u128::from(measured) + bytes / 2) / bytes;
        tables = u64::try_from(rounded).unwrap_or(u64::MAX);
        if tables == measured || tables > MEASURED_TABLES {
            break;
        }
    }
    Ok(Plan::new(tables.max(1)))
}
