//! Which data counts in a directory whose upgrade was interrupted.
//!
//! An upgrade first says where it goes, then makes the new data beside the old, then says that it
//! cleans, then removes the old data, and at last says the new version. A server that starts in
//! between makes the new data again, or goes on cleaning.

use anyhow::Result;
use metadump::record::{DataHeader, DataVersion};

use crate::failure::WithHelp;

/// The data of a directory that is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complete {
    /// Its version.
    pub version: DataVersion,
    /// What should be known of it.
    pub warning: Option<String>,
}

impl Complete {
    /// What a header tells.
    ///
    /// # Errors
    ///
    /// When it names a version that is not known.
    pub fn of(header: &DataHeader) -> Result<Self> {
        let version = known(&header.version)?;
        let Some(to) = &header.upgrading else {
            return Ok(Self { version, warning: None });
        };
        let from = &header.version;
        let upgrade = format!("an upgrade from {from} to {to} was interrupted here");
        if header.cleaning {
            let warning = format!(
                "{upgrade}; the data of {to} is complete and is read, what is left of {from} is not"
            );
            return Ok(Self { version: known(to)?, warning: Some(warning) });
        }
        let warning = format!(
            "{upgrade}; the data of {from} is complete and is read, what there is of {to} is not"
        );
        Ok(Self { version, warning: Some(warning) })
    }
}

fn known(version: &str) -> Result<DataVersion> {
    DataHeader { version: version.to_owned(), upgrading: None, cleaning: false }
        .data_version()
        .ok_or_else(|| anyhow::anyhow!("the data version {version:?} is not known"))
        .help("it is of a newer release: export it with that release's own tool")
}
