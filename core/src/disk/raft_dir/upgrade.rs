//! Which data counts in a directory whose upgrade was interrupted.
//!
//! An upgrade first says where it goes, then makes the new data beside the old, then says that it
//! cleans, then removes the old data, and at last says the new version. A server that starts in
//! between makes the new data again, or goes on cleaning.

use super::error::DirError;
use crate::dump::record::{DataHeader, DataVersion};

/// The data of a directory that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Complete {
    /// Its version.
    pub version: DataVersion,
    /// The version that an interrupted upgrade was going to, which had not come to an end.
    pub interrupted: Option<DataVersion>,
    /// The version that an interrupted upgrade came from: its data was being removed.
    pub cleaned: Option<DataVersion>,
}

impl Complete {
    /// No upgrade is under way.
    pub(super) const fn all_of(version: DataVersion) -> Self {
        Self { version, interrupted: None, cleaned: None }
    }

    /// What a header shows.
    ///
    /// # Errors
    ///
    /// When it names a version that is not known.
    pub(super) fn of(header: &DataHeader) -> Result<Self, DirError> {
        let version = known(&header.version)?;
        let Some(to) = &header.upgrading else {
            return Ok(Self::all_of(version));
        };
        let to = known(to)?;
        Ok(if header.cleaning {
            Self { version: to, interrupted: None, cleaned: Some(version) }
        } else {
            Self { version, interrupted: Some(to), cleaned: None }
        })
    }

    /// What should be known of an interrupted upgrade.
    pub(super) fn warning(&self) -> Option<String> {
        let version = self.version;
        if let Some(from) = self.cleaned {
            return Some(format!(
                "an upgrade from {from} to {version} was interrupted here; the data of {version} \
                 is complete and is read, what is left of {from} is not"
            ));
        }
        let to = self.interrupted?;
        Some(format!(
            "an upgrade from {version} to {to} was interrupted here; the data of {version} is \
             complete and is read, what there is of {to} is not"
        ))
    }
}

fn known(version: &str) -> Result<DataVersion, DirError> {
    DataHeader { version: version.to_owned(), upgrading: None, cleaning: false }
        .data_version()
        .ok_or_else(|| {
            DirError::new(format!("the data version {version:?} is not known"))
                .with_help("it is of a newer release: export it with that release's own tool")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Result<(DataVersion, Option<&str>), &str>) {
        let header: DataHeader = serde_json::from_str(json).unwrap();
        let found = Complete::of(&header).map(|complete| (complete.version, complete.warning()));
        let found = found.map_err(|error| error.to_string());
        let expected = expected.map(|(version, warning)| (version, warning.map(str::to_owned)));
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn an_upgrade_counts_from_when_it_cleans() {
        check(r#"{"version":"V001","upgrading":null}"#, Ok((DataVersion::V001, None)));
        check(
            r#"{"version":"V002","upgrading":"V003"}"#,
            Ok((
                DataVersion::V002,
                Some(
                    "an upgrade from V002 to V003 was interrupted here; the data of V002 is \
                     complete and is read, what there is of V003 is not",
                ),
            )),
        );
        check(
            r#"{"version":"V003","upgrading":"V004","cleaning":true}"#,
            Ok((
                DataVersion::V004,
                Some(
                    "an upgrade from V003 to V004 was interrupted here; the data of V004 is \
                     complete and is read, what is left of V003 is not",
                ),
            )),
        );
    }

    #[test]
    fn a_version_that_is_not_known_is_refused() {
        let unknown = "the data version \"V005\" is not known";
        check(r#"{"version":"V005"}"#, Err(unknown));
        check(r#"{"version":"V004","upgrading":"V005"}"#, Err(unknown));
    }
}
