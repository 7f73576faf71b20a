//! The table `keys`: what `keys` prints, with the object that each belongs to.

use std::collections::HashMap;

use anyhow::Result;
use metadump::objects::{Names, Object, ObjectRecord, Objects, Owner};
use metadump::record::SeqV;
use metadump::value::{Secrets, Stored};

use super::rest::Rest;
use super::{TAKEN_AT, always, maybe};
use crate::args::Format;
use crate::command::decoded::{Decoder, is_large};
use crate::output::Output;
use crate::parquet_file::{Cell, Column, Holds, ParquetFile, Written};
use crate::progress::Progress;

const COLUMNS: [Column; 13] = [
    TAKEN_AT,
    maybe("tenant", Holds::Name),
    maybe("kind", Holds::Name),
    maybe("id", Holds::Number),
    maybe("database", Holds::Name),
    maybe("name", Holds::Name),
    always("key", Holds::Text),
    always("seq", Holds::Number),
    maybe("expire_at", Holds::Time),
    always("bytes", Holds::Number),
    always("form", Holds::Name),
    maybe("error", Holds::Name),
    maybe("value", Holds::Json),
];

/// Writes the table; gives it, and how many credentials are masked in it.
///
/// # Errors
///
/// When the dump cannot be read or the file cannot be written.
pub fn write(
    rest: &Rest,
    taken_at: Cell<'_>,
    output: Output,
    progress: &Progress,
) -> Result<(Written, u64)> {
    let mut file = ParquetFile::begin(output, &COLUMNS)?;
    let names = Names::default();
    let decoder = Decoder { names: &names, secrets: Secrets::Masked, format: Format::Json };
    let of = |key: &str, value: &SeqV<'_>| {
        (decoder.record(key, value), ObjectRecord::of(key, &value.data).owner)
    };
    let known = Known::of(&rest.objects);
    let mut masked = 0;
    rest.state.for_each_key(
        progress,
        |key, value| (!is_large(value)).then(|| of(key, value)),
        |key, value, prepared| {
            let (stored, owner) = prepared.unwrap_or_else(|| of(key, value));
            masked += stored.masked;
            let Place { tenant, kind, id, database, name } = known.place(&owner);
            let Stored { key, seq, expire_at_ms, bytes, form, error, value, .. } = &stored;
            file.row([
                taken_at,
                Cell::Text(tenant),
                Cell::Text(kind),
                Cell::Number(id),
                Cell::Text(database),
                Cell::Text(name),
                Cell::Text(Some(key)),
                Cell::Number(Some(*seq)),
                Cell::moment(*expire_at_ms),
                Cell::Number(Some(*bytes)),
                Cell::Text(Some(form)),
                Cell::Text(error.as_deref()),
                Cell::Text(value.as_ref().map(|json| json.get())),
            ])
        },
    )?;
    Ok((file.finish()?, masked))
}

/// The objects of a state, by what their records say.
struct Known<'o>(HashMap<Owner, &'o Object>);

/// The object that a record belongs to, as far as it is known.
struct Place<'o> {
    tenant: Option<&'o str>,
    kind: Option<&'static str>,
    id: Option<u64>,
    database: Option<&'o str>,
    name: Option<&'o str>,
}

impl<'o> Known<'o> {
    fn of(objects: &'o Objects) -> Self {
        let objects = objects.all().iter();
        Self(objects.flat_map(|object| object.owners().map(move |owner| (owner, object))).collect())
    }

    fn place<'p>(&'p self, owner: &'p Owner) -> Place<'p> {
        if let Some(object) = self.0.get(owner) {
            return Place {
                tenant: object.tenant.as_deref(),
                kind: Some(object.kind.name()),
                id: object.id,
                database: object.database.as_deref(),
                name: object.name.as_deref(),
            };
        }
        let none = Place { tenant: None, kind: None, id: None, database: None, name: None };
        match owner {
            Owner::Id(kind, id) => Place { kind: Some(kind.name()), id: Some(*id), ..none },
            // A name that no object has any more.
            Owner::Name(kind, tenant, name) => {
                Place { kind: Some(kind.name()), tenant: Some(tenant), name: Some(name), ..none }
            }
            Owner::Rest(kind, tenant) => {
                Place { kind: kind.map(|kind| kind.name()), tenant: tenant.as_deref(), ..none }
            }
        }
    }
}
