//! `objects`: which objects a state has, by tenant, and how much space they take.

use std::io::{BufWriter, Write};

use anyhow::Result;
use metadump::moment::AsOf;
use metadump::objects::{Catalogue, Object, ObjectRecord, Objects, Tenant, near};
use serde::Serialize;

use super::Outcome;
use super::state::State;
use crate::args::{Format, Objects as Args, Sort};
use crate::failure::Usage;
use crate::progress::Progress;
use crate::report::{grouped, json_line, plural, printable, several};
use crate::stdout::stdout;
use crate::table::{Column, print_table};

/// Runs the command.
pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let state = State::open(&args.state, progress)?;
    let (objects, as_of) = catalogue(&state, progress)?;
    let mut out = BufWriter::new(stdout());
    if args.tenant.is_empty() && args.kind.is_empty() {
        let mut tenants = objects.tenants();
        match args.sort {
            Sort::Name => {}
            Sort::Bytes => tenants.sort_by_key(|tenant| std::cmp::Reverse(tenant.sum.bytes)),
            Sort::Keys => tenants.sort_by_key(|tenant| std::cmp::Reverse(tenant.sum.keys)),
        }
        print_tenants(&mut out, &tenants, args.format)?;
    } else {
        print_objects(&mut out, &chosen(&objects, args)?, args.format)?;
    }
    out.flush()?;
    progress.say(&format!("{}: {}", state.name(), as_of.describe()));
    Ok(Outcome::Done)
}

/// The objects of a state.
pub fn catalogue(state: &State, progress: &Progress) -> Result<(Objects, AsOf)> {
    let mut catalogue = Catalogue::default();
    let prepare =
        |key: &str, value: &metadump::record::SeqV<'_>| ObjectRecord::of(key, &value.data);
    let as_of = state.for_each_key_in_any_order(progress, prepare, |_, _, record| {
        catalogue.add(record);
        Ok(())
    })?;
    Ok((catalogue.finish(), as_of))
}

/// Refuses a tenant that a state does not have.
///
/// # Errors
///
/// A [`Usage`] error that names those near it.
pub fn assert_tenants(asked: &[String], names: &[&str]) -> Result<()> {
    let Some(unknown) = asked.iter().find(|asked| !names.contains(&asked.as_str())) else {
        return Ok(());
    };
    let help = match near(unknown, names.iter().copied()).as_slice() {
        [] => "the state names no tenant".to_owned(),
        near => format!("there is: {}", near.join(", ")),
    };
    Err(Usage::error(format!("there is no tenant {unknown}"), &help))
}

/// The objects of the tenants and kinds that are asked for, in the order that is asked for.
fn chosen<'o>(objects: &'o Objects, args: &Args) -> Result<Vec<&'o Object>> {
    let tenants = objects.tenants();
    let names: Vec<&str> = tenants.iter().filter_map(|tenant| tenant.tenant.as_deref()).collect();
    assert_tenants(&args.tenant, &names)?;
    let is_asked = |object: &&Object| {
        let of_tenant = args.tenant.is_empty()
            || object.tenant.as_deref().is_some_and(|name| args.tenant.iter().any(|t| t == name));
        let of_kind = args.kind.is_empty() || args.kind.contains(&object.kind);
        of_tenant && of_kind
    };
    let mut chosen: Vec<&Object> = objects.all().iter().filter(is_asked).collect();
    match args.sort {
        Sort::Name => {}
        Sort::Bytes => chosen.sort_by_key(|object| std::cmp::Reverse(object.bytes)),
        Sort::Keys => chosen.sort_by_key(|object| std::cmp::Reverse(object.keys)),
    }
    Ok(chosen)
}

fn print_tenants(out: &mut impl Write, tenants: &[Tenant], format: Format) -> Result<()> {
    if format == Format::Json {
        return print_lines(out, tenants);
    }
    let columns = [
        Column::Text("tenant"),
        Column::Number("keys"),
        Column::Number("bytes"),
        Column::Text("objects"),
    ];
    let row = |tenant: &Tenant| {
        [
            tenant.tenant.as_deref().map_or_else(|| "(none)".to_owned(), printable),
            grouped(tenant.sum.keys),
            grouped(tenant.sum.bytes),
            kinds(tenant),
        ]
    };
    Ok(print_table(out, "", columns, || tenants.iter().map(row))?)
}

/// `3 databases, 12 tables (2 dropped), 40 keys of tokens`.
fn kinds(tenant: &Tenant) -> String {
    let kind = |(name, sum): (&&str, &metadump::objects::KindSum)| {
        if sum.count + sum.dropped == 0 {
            return format!("{} of {}", plural(sum.sum.keys, "key"), plural_of(name));
        }
        let name = if sum.count == 1 { name.replace('_', " ") } else { plural_of(name) };
        let dropped = match sum.dropped {
            0 => String::new(),
            dropped => format!(" ({} dropped)", grouped(dropped)),
        };
        format!("{} {name}{dropped}", grouped(sum.count))
    };
    tenant.kinds.iter().map(kind).collect::<Vec<_>>().join(", ")
}

/// The name of a kind for more than one: `masking policies`.
fn plural_of(kind: &str) -> String {
    match kind {
        "unknown" => "an unknown form".to_owned(),
        kind => several(&kind.replace('_', " ")),
    }
}

fn print_objects(out: &mut impl Write, objects: &[&Object], format: Format) -> Result<()> {
    if format == Format::Json {
        return print_lines(out, objects);
    }
    let columns = [
        Column::Text("tenant"),
        Column::Text("kind"),
        Column::Number("id"),
        Column::Text("name"),
        Column::Number("keys"),
        Column::Number("bytes"),
        Column::Text("created"),
        Column::Text("dropped"),
    ];
    let row = |object: &&Object| {
        let text = |text: &Option<Box<str>>| text.as_deref().map_or_else(String::new, printable);
        [
            text(&object.tenant),
            object.kind.name().to_owned(),
            object.id.map_or_else(String::new, |id| id.to_string()),
            printable(&object.full_name()),
            grouped(object.keys),
            grouped(object.bytes),
            text(&object.created_on),
            text(&object.dropped_on),
        ]
    };
    Ok(print_table(out, "", columns, || objects.iter().map(row))?)
}

fn print_lines(out: &mut impl Write, rows: &[impl Serialize]) -> Result<()> {
    for row in rows {
        writeln!(out, "{}", json_line(row)?)?;
    }
    Ok(())
}
