//! `show`: an object or a key with everything that belongs to it, decoded.

use std::collections::HashSet;
use std::io::{BufWriter, Write};

use anyhow::Result;
use metadump::objects::{Object, ObjectRecord, ObjectRef, Objects, Owner};
use metadump::record::SeqV;
use metadump::value::ObjectKind;
use serde_json::json;

use super::Outcome;
use super::decoded::{Decoder, is_large, say_masked};
use super::objects::catalogue;
use super::state::State;
use crate::args::{Format, Show as Args};
use crate::failure::Usage;
use crate::progress::Progress;
use crate::report::{json_line, plural, printable, shown};
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let state = State::open(&args.state, progress)?;
    let (objects, as_of) = catalogue(&state, progress)?;
    let found = find(&objects, &args.object)?;
    let names = objects.names();
    let decoder = Decoder { names: &names, secrets: args.secrets.secrets(), format: args.format };
    let mut out = BufWriter::new(stdout());
    for object in &found {
        print_object(&mut out, object, args.format)?;
    }
    let owners: HashSet<Owner> = found.iter().flat_map(|object| object.owners()).collect();
    let is_shown = |key: &str, value: &SeqV<'_>| match &args.object {
        ObjectRef::Key(asked) => asked == key,
        _ => owners.contains(&ObjectRecord::of(key, &value.data).owner),
    };
    let (mut keys, mut masked) = (0, 0);
    let prepare = |key: &str, value: &SeqV<'_>| {
        is_shown(key, value).then(|| (!is_large(value)).then(|| decoder.record(key, value)))
    };
    state.for_each_key(progress, prepare, |key, value, prepared| {
        let Some(prepared) = prepared else { return Ok(()) };
        let record = prepared.unwrap_or_else(|| decoder.record(key, value));
        keys += 1;
        masked += record.masked;
        decoder.print(&mut out, &record)
    })?;
    out.flush()?;
    if keys == 0
        && let ObjectRef::Key(key) = &args.object
    {
        progress.say(&format!("note: there is no key {}", printable(key)));
        return Ok(Outcome::Missing);
    }
    progress.say(&format!("{}: {}", state.name(), as_of.describe()));
    say_masked(masked, progress);
    Ok(Outcome::Done)
}

/// The objects that are asked for; of a key none.
fn find<'o>(objects: &'o Objects, asked: &ObjectRef) -> Result<Vec<&'o Object>> {
    if matches!(asked, ObjectRef::Key(_)) {
        return Ok(Vec::new());
    }
    let found: Vec<&Object> = objects.all().iter().filter(|object| asked.names(object)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    if let ObjectRef::Name { kind: ObjectKind::Tenant, name, .. } = asked
        && objects.tenants().iter().any(|tenant| tenant.tenant.as_deref() == Some(name))
    {
        return Err(Usage::error(
            format!("tenant {name} has no key of its own"),
            &format!("`databend-metactl objects --tenant {name}` lists what it has"),
        ));
    }
    let help = match asked.near(objects.all()).as_slice() {
        [] => "`databend-metactl objects` lists what there is; key:KEY names a key".to_owned(),
        near => format!("there is: {}", near.join(", ")),
    };
    Err(Usage::error(format!("there is no {asked}"), &help))
}

fn print_object(out: &mut impl Write, object: &Object, format: Format) -> Result<()> {
    if format == Format::Json {
        writeln!(out, "{}", json_line(&json!({"object": object}))?)?;
        return Ok(());
    }
    let kind = object.kind.name().replace('_', " ");
    let name = object.full_name();
    write!(out, "{kind} {}", shown(&name))?;
    if let Some(id) = object.id {
        write!(out, ", id {id}")?;
    }
    if let Some(tenant) = object.kind.beside(object.tenant.as_ref()) {
        write!(out, ", tenant {}", shown(tenant))?;
    }
    writeln!(out, ": {}, {}", plural(object.keys, "key"), plural(object.bytes, "byte"))?;
    for (what, text) in [
        ("created", &object.created_on),
        ("updated", &object.updated_on),
        ("dropped", &object.dropped_on),
        ("owned by role", &object.owner),
    ] {
        if let Some(text) = text {
            writeln!(out, "{what} {}", shown(text))?;
        }
    }
    Ok(writeln!(out)?)
}
