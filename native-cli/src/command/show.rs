//! `show`: an object or a key with everything that belongs to it, decoded.

use std::io::{BufWriter, Write};

use anyhow::Result;
use metadump::objects::{Names, Object, ObjectRecord, ObjectRef, Objects, Owner};
use metadump::record::SeqV;
use metadump::value::{
    KeyParts, MOST_UNPACKED_BYTES, Meaning, Secrets, Shown, ShownContent, Viewer, unpacked,
};
use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::Outcome;
use super::objects::catalogue;
use super::state::State;
use crate::args::{Format, Show as Args};
use crate::failure::Usage;
use crate::progress::Progress;
use crate::report::{grouped, json_line, plural, printable, shown, utc};
use crate::stdout::stdout;
use crate::table::{Column, print_table};

/// How many lines and bytes of text of a value are shown.
const MOST_LINES: usize = 100_000;
const MOST_TEXT_BYTES: usize = 64 << 20;

/// Runs the command.
pub fn run(args: &Args, progress: &Progress) -> Result<Outcome> {
    let state = State::open(&args.state, progress)?.repeatable(progress)?;
    let (objects, as_of) = catalogue(&state, progress)?;
    let found = find(&objects, &args.object)?;
    let names = objects.names();
    let printer = Printer { names: &names, secrets: args.secrets(), format: args.format };
    let mut out = BufWriter::new(stdout());
    for object in &found {
        printer.object(&mut out, object)?;
    }
    let is_shown = |key: &str, value: &SeqV<'_>| match &args.object {
        ObjectRef::Key(asked) => asked == key,
        _ => owns(&found, &ObjectRecord::of(key, &value.data.decode()).owner),
    };
    let (mut keys, mut masked) = (0, 0);
    let prepare = |key: &str, value: &SeqV<'_>| {
        is_shown(key, value).then(|| printer.record(key, value)).transpose()
    };
    state.for_each_key(progress, prepare, |record| {
        let Some(record) = record? else { return Ok(()) };
        keys += 1;
        masked += record.masked;
        printer.print(&mut out, &record)
    })?;
    out.flush()?;
    if keys == 0
        && let ObjectRef::Key(key) = &args.object
    {
        progress.say(&format!("note: there is no key {}", printable(key)));
        return Ok(Outcome::Missing);
    }
    progress.say(&format!("{}: {}", state.name(), as_of.describe()));
    if masked > 0 {
        let are = if masked == 1 { "is" } else { "are" };
        progress.say(&format!(
            "note: {} {are} masked; --show-secrets shows them",
            plural(masked, "credential")
        ));
    }
    Ok(Outcome::Done)
}

/// The objects that are asked for; of a key none.
fn find<'o>(objects: &'o Objects, asked: &ObjectRef) -> Result<Vec<&'o Object>> {
    if matches!(asked, ObjectRef::Key(_)) {
        return Ok(Vec::new());
    }
    let found: Vec<&Object> = objects.all().iter().filter(|object| asked.names(object)).collect();
    if found.is_empty() {
        return Err(Usage::error(
            format!("there is no {asked}"),
            "`databend-metactl objects --tenant NAME` lists what there is",
        ));
    }
    Ok(found)
}

/// Whether a record belongs to one of the objects.
fn owns(objects: &[&Object], owner: &Owner) -> bool {
    objects.iter().any(|object| match owner {
        Owner::Id(kind, id) => object.kind == kind.name() && object.id == Some(*id),
        Owner::Name(kind, tenant, name) => {
            object.kind == kind.name()
                && object.tenant.as_ref() == Some(tenant)
                && object.name.as_ref() == Some(name)
        }
        Owner::Rest(..) => false,
    })
}

/// A record, decoded, as `--format json` prints it.
#[derive(Serialize)]
struct Record {
    key: String,
    seq: u64,
    expire_at_ms: Option<u64>,
    bytes: u64,
    /// The name of the message, or what else the value is.
    form: String,
    /// Why the value is not what it is to be.
    error: Option<String>,
    value: Option<Box<RawValue>>,
    /// The same for people.
    #[serde(skip)]
    content: ShownContent,
    /// How many credentials are masked.
    #[serde(skip)]
    masked: u64,
}

struct Printer<'n> {
    names: &'n Names<'n>,
    secrets: Secrets,
    format: Format,
}

impl Printer<'_> {
    fn object(&self, out: &mut impl Write, object: &Object) -> Result<()> {
        if self.format == Format::Json {
            writeln!(out, "{}", json_line(&json!({"object": object}))?)?;
            return Ok(());
        }
        let kind = object.kind.replace('_', " ");
        let name = object.full_name();
        write!(out, "{kind} {}", shown(&name))?;
        if let Some(id) = object.id {
            write!(out, ", id {id}")?;
        }
        if let Some(tenant) = &object.tenant {
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

    fn record(&self, key: &str, value: &SeqV<'_>) -> Result<Record> {
        let bytes = value.data.decode();
        let parts = KeyParts::of(key);
        let hides_key = parts.filter(|_| self.secrets == Secrets::Masked);
        let masked_key = hides_key.and_then(|parts| parts.masked());
        let mut record = Record {
            masked: u64::from(masked_key.is_some()),
            key: masked_key.unwrap_or_else(|| key.to_owned()),
            seq: value.seq,
            expire_at_ms: value.expire_ms(),
            bytes: bytes.len() as u64,
            form: "value of an unknown form".to_owned(),
            error: None,
            content: ShownContent::Text(raw(&bytes)),
            value: None,
        };
        let Some(parts) = parts else { return Ok(record) };
        let plain = unpacked(&bytes, MOST_UNPACKED_BYTES);
        let meaning = match &plain {
            Ok(plain) => parts.meaning(plain).unwrap_or(Ok(Meaning::Empty)),
            Err(misfit) => Err(misfit.clone()),
        };
        match meaning {
            Ok(mut meaning) => {
                if self.secrets == Secrets::Masked {
                    record.masked += meaning.mask(parts.form);
                }
                record.form = form(&meaning);
                record.value = Some(as_json(&meaning)?);
                let names = |kind, id| self.names.get(kind, id);
                let viewer = Viewer::new(MOST_LINES, MOST_TEXT_BYTES, &names);
                record.content = viewer.show(&meaning, parts.form.kind);
            }
            Err(misfit) => record.error = Some(misfit.to_string()),
        }
        Ok(record)
    }

    fn print(&self, out: &mut impl Write, record: &Record) -> Result<()> {
        if self.format == Format::Json {
            writeln!(out, "{}", json_line(record)?)?;
            return Ok(());
        }
        writeln!(out, "{}", shown(&record.key))?;
        write!(out, "  {}, {}, seq {}", record.form, plural(record.bytes, "byte"), record.seq)?;
        if let Some(expires) = record.expire_at_ms {
            write!(out, ", expires {}", utc(expires))?;
        }
        writeln!(out)?;
        if let Some(error) = &record.error {
            writeln!(out, "  does not decode: {}", shown(error))?;
        }
        print_content(out, &record.content, 1)?;
        Ok(writeln!(out)?)
    }
}

/// What a value is called.
fn form(meaning: &Meaning<'_>) -> String {
    match meaning {
        Meaning::Empty => "empty".to_owned(),
        Meaning::Id(kind, _) => format!("id of a {}", kind.name().replace('_', " ")),
        Meaning::Number(what, _) => format!("number ({what})"),
        Meaning::Text(_) => "text".to_owned(),
        Meaning::Json(name, _) => format!("{name} (JSON)"),
        Meaning::Permit { .. } => "permits of a semaphore".to_owned(),
        Meaning::Message(decoded) => decoded.message.of.name.to_owned(),
    }
}

fn as_json(meaning: &Meaning<'_>) -> serde_json::Result<Box<RawValue>> {
    match meaning {
        Meaning::Empty => to_raw_value(&()),
        Meaning::Id(_, number) | Meaning::Number(_, number) => to_raw_value(number),
        Meaning::Text(text) => to_raw_value(text),
        Meaning::Json(_, value) => to_raw_value(value),
        Meaning::Permit { id, permits } => to_raw_value(&json!({"id": id, "permits": permits})),
        Meaning::Message(decoded) => to_raw_value(decoded),
    }
}

/// Bytes that are of no known form: as text if they are one, or else in hexadecimal.
fn raw(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(|c| c.is_control() && c != '\n') => text.to_owned(),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn print_content(out: &mut impl Write, content: &ShownContent, depth: usize) -> Result<()> {
    let indent = "  ".repeat(depth);
    match content {
        ShownContent::Text(text) => {
            for line in text.lines() {
                writeln!(out, "{indent}{}", shown(line))?;
            }
        }
        ShownContent::Parts(parts) => {
            for part in parts {
                print_part(out, part, depth)?;
            }
        }
        ShownContent::Table { columns, rows } => {
            let mut text = Vec::new();
            if let &[a, b, c, d, e] = columns.as_slice() {
                let columns = [a, b, c, d, e].map(Column::Text);
                let row = |row: &Vec<String>| {
                    let mut cells = row.iter().map(|cell| shown(cell).into_owned());
                    std::array::from_fn(|_| cells.next().unwrap_or_default())
                };
                print_table(&mut text, columns, || rows.iter().map(row))?;
            }
            for line in String::from_utf8_lossy(&text).lines() {
                writeln!(out, "{indent}{line}")?;
            }
        }
        ShownContent::More(count) => writeln!(out, "{indent}… and {} more", grouped(*count))?,
    }
    Ok(())
}

fn print_part(out: &mut impl Write, part: &Shown, depth: usize) -> Result<()> {
    let indent = "  ".repeat(depth);
    let name = shown(&part.name);
    match &part.content {
        ShownContent::Text(text) if !text.contains('\n') => {
            writeln!(out, "{}", format!("{indent}{name}: {}", shown(text)).trim_end())?;
        }
        ShownContent::More(_) => print_content(out, &part.content, depth)?,
        content => {
            writeln!(out, "{indent}{name}:")?;
            print_content(out, content, depth + 1)?;
        }
    }
    Ok(())
}
