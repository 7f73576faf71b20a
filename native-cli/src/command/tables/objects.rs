//! The table `objects`: what `objects --tenant` prints of every tenant.

use anyhow::Result;
use metadump::objects::Objects;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{TAKEN_AT, always, maybe};
use crate::output::Output;
use crate::parquet_file::{Cell, Column, Holds, ParquetFile, Written};

const COLUMNS: [Column; 14] = [
    TAKEN_AT,
    maybe("tenant", Holds::Name),
    always("kind", Holds::Name),
    maybe("id", Holds::Number),
    maybe("database", Holds::Name),
    maybe("parent_id", Holds::Number),
    maybe("name", Holds::Text),
    always("keys", Holds::Number),
    always("bytes", Holds::Number),
    maybe("created_on", Holds::Time),
    maybe("updated_on", Holds::Time),
    maybe("dropped_on", Holds::Time),
    maybe("engine", Holds::Name),
    maybe("owner", Holds::Name),
];

/// Writes the table.
///
/// # Errors
///
/// When the file cannot be written.
pub fn write(objects: &Objects, taken_at: Cell<'_>, output: Output) -> Result<Written> {
    let mut file = ParquetFile::begin(output, &COLUMNS)?;
    for object in objects.all() {
        let time = |text: &Option<Box<str>>| Cell::Time(text.as_deref().and_then(ms));
        file.row([
            taken_at,
            Cell::Text(object.tenant.as_deref()),
            Cell::Text(Some(object.kind.name())),
            Cell::Number(object.id),
            Cell::Text(object.database.as_deref()),
            Cell::Number(object.parent_id),
            Cell::Text(object.name.as_deref()),
            Cell::Number(Some(object.keys)),
            Cell::Number(Some(object.bytes)),
            time(&object.created_on),
            time(&object.updated_on),
            time(&object.dropped_on),
            Cell::Text(object.engine.as_deref()),
            Cell::Text(object.owner.as_deref()),
        ])?;
    }
    file.finish()
}

/// A time as servers write it, `2026-11-28 15:26:48.072384828 UTC`, in milliseconds since 1970; none
/// when it is none.
fn ms(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix(" UTC")?.split_once(' ')?;
    let at = OffsetDateTime::parse(&format!("{date}T{time}Z"), &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_servers() {
        assert_eq!(ms("1970-01-01 00:00:01 UTC"), Some(1000));
        assert_eq!(ms("2026-11-28 15:26:48.072384828 UTC"), Some(1_795_879_608_072));
        assert_eq!(ms("1969-12-31 23:59:59.9999 UTC"), Some(-1));
        for text in ["", "UTC", "2026-11-28 UTC", "2026-11-28 15:26:48", "2026-13-28 15:26:48 UTC"]
        {
            assert_eq!(ms(text), None, "{text}");
        }
    }
}
