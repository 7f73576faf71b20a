//! The header of a dump or directory: its data version.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of the on-disk layout and of the dump dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[non_exhaustive]
pub enum DataVersion {
    /// Everything in sled; dumps without a header before 1.1.13.
    V0,
    /// As V0, in the openraft 0.8 dialect (1.1.40 to 1.2.52).
    V001,
    /// Log in sled, state machine in an NDJSON snapshot (1.2.53 to 1.2.546).
    V002,
    /// Log in sled, state machine in a rotbl snapshot (1.2.547 to 1.2.654).
    V003,
    /// Log in raft-log files, state machine in a rotbl snapshot (1.2.655 and later).
    V004,
}

impl fmt::Display for DataVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V0 => "V0",
            Self::V001 => "V001",
            Self::V002 => "V002",
            Self::V003 => "V003",
            Self::V004 => "V004",
        })
    }
}

/// The value of the header line and the content of `df_meta/VERSION`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataHeader {
    /// The data version; kept as text so that a newer one can be named in a message.
    pub version: String,
    /// The version that an interrupted upgrade was heading for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrading: Option<String>,
    /// Whether that upgrade was already removing the old data.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cleaning: bool,
}

impl DataHeader {
    /// A header without an upgrade under way.
    pub fn new(version: DataVersion) -> Self {
        Self { version: version.to_string(), upgrading: None, cleaning: false }
    }

    /// The data version, none when it is not one of V0 to V004.
    pub fn data_version(&self) -> Option<DataVersion> {
        match self.version.as_str() {
            "V0" => Some(DataVersion::V0),
            "V001" => Some(DataVersion::V001),
            "V002" => Some(DataVersion::V002),
            "V003" => Some(DataVersion::V003),
            "V004" => Some(DataVersion::V004),
            _ => None,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde asks for
fn is_false(value: &bool) -> bool {
    !value
}
