//! Prints how two states differ.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};

use anyhow::Result;
use metadump::difference::{Change, Comparable, Counts, Differs, FieldChange, SystemDifference};
use metadump::objects::{Effect, Names, Verb};
use metadump::record::{LogId, Node, SeqV};
use metadump::value::{
    MASKED, MOST_UNPACKED_BYTES, ObjectKind, Scalar, Secrets, Value, sql_type, unpacked,
};
use serde::Serialize;
use serde_json::json;

use super::StateOf;
use super::found::{Differences, KindCounts};
use crate::args::Format;
use crate::command::decoded::{Decoder, Record};
use crate::report::{grouped, json_line, membership, plural, printable, utc};
use crate::stdout::{Stdout, stdout};
use crate::table::{Column, print_table};

/// How much of a value is printed for people.
const MOST_CHARS: usize = 200;

/// Prints differences.
pub struct Printer {
    out: BufWriter<Stdout>,
    format: Format,
    secrets: Secrets,
    /// How many credentials are masked.
    masked: u64,
}

impl Printer {
    /// Prints to stdout.
    pub fn new(format: Format, secrets: Secrets) -> Self {
        Self { out: BufWriter::new(stdout()), format, secrets, masked: 0 }
    }

    /// Ends the output; gives how many credentials are masked.
    pub fn finish(mut self) -> Result<u64> {
        self.out.flush()?;
        Ok(self.masked)
    }

    /// Prints which states are compared, and how what they have beside keys differs; none when that
    /// is left out.
    pub fn states(
        &mut self,
        before: &StateOf,
        after: &StateOf,
        system: Option<&SystemDifference>,
    ) -> Result<()> {
        if self.format == Format::Json {
            let line = StatesLine { before, after, system };
            return Ok(writeln!(self.out, "{}", json_line(&line)?)?);
        }
        let Some(system) = system.filter(|system| !system.is_empty()) else { return Ok(()) };
        let SystemDifference { last_applied, sequence, membership: members, nodes } = system;
        let id = |id: &Option<LogId>| id.map_or("none".to_owned(), |id| id.to_string());
        let mut row = |label: &str, before: String, after: String| {
            let line = format!("{label:<16} {before} -> {after}");
            writeln!(self.out, "{}", printable(&line))
        };
        if let Some(Differs { before, after }) = last_applied {
            row("last applied", id(before), id(after))?;
        }
        if let Some(Differs { before, after }) = sequence {
            row("sequence", grouped(*before), grouped(*after))?;
        }
        if let Some(Differs { before, after }) = members {
            row("membership", membership(before), membership(after))?;
        }
        for (id, Differs { before, after }) in nodes {
            row(&format!("node {id}"), node(before.as_ref()), node(after.as_ref()))?;
        }
        Ok(writeln!(self.out)?)
    }

    /// Prints an object that differs.
    pub fn object(&mut self, effect: &Effect, keys: &Counts) -> Result<()> {
        if self.format == Format::Json {
            let Effect { verb, object, former_name, .. } = effect;
            let object = object.as_ref();
            let line = ObjectLine {
                verb: *verb,
                kind: object.map(|object| object.kind),
                tenant: object.and_then(|object| object.tenant.as_deref()),
                id: object.and_then(|object| object.id),
                database: object.and_then(|object| object.database.as_deref()),
                name: object.and_then(|object| object.name.as_deref()),
                former_name: former_name.as_deref(),
                keys: KeyCounts::of(keys),
            };
            return Ok(writeln!(self.out, "{}", json_line(&json!({ "object": line }))?)?);
        }
        let sign = match effect.verb {
            Verb::Creates => '+',
            Verb::Drops | Verb::Purges => '-',
            _ if keys.removed + keys.changed + keys.touched == 0 => '+',
            _ if keys.added + keys.changed + keys.touched == 0 => '-',
            _ => '~',
        };
        Ok(writeln!(self.out, "{sign} {}", printable(&described(effect, keys)))?)
    }

    /// Prints a key that differs.
    pub fn key(
        &mut self,
        change: Change,
        key: &str,
        before: Option<&SeqV<'_>>,
        after: Option<&SeqV<'_>>,
    ) -> Result<()> {
        let names = Names::default();
        let decoder = Decoder { names: &names, secrets: self.secrets, format: Format::Json };
        let record =
            |value: Option<&SeqV<'_>>| value.map(|value| decoder.record(key, value)).transpose();
        let records = [record(before)?, record(after)?];
        let bytes = [before, after].map(|value| value.map(|value| value.data.decode()));
        let [before_value, after_value] = bytes.each_ref().map(|bytes| {
            let bytes = bytes.as_deref().unwrap_or_default();
            let plain = unpacked(bytes, MOST_UNPACKED_BYTES);
            plain.unwrap_or_else(|_| bytes.into())
        });
        let [before_value, after_value] =
            [&before_value, &after_value].map(|plain| Comparable::of(key, plain, self.secrets));
        let fields = match change {
            Change::Changed => before_value.fields(&after_value),
            Change::Added | Change::Removed | Change::Touched => Default::default(),
        };
        let [before_record, after_record] = &records;
        let Some(either) = after_record.as_ref().or(before_record.as_ref()) else { return Ok(()) };
        if self.format == Format::Json {
            self.masked += records.iter().flatten().map(|record| record.masked).sum::<u64>();
            let line = KeyLine {
                key: &either.key,
                change,
                before: before_record.as_ref(),
                after: after_record.as_ref(),
                fields: &fields.changes,
                more_fields: fields.more,
            };
            return Ok(writeln!(self.out, "{}", json_line(&line)?)?);
        }
        self.masked += u64::from(either.key != key);
        self.key_line(change, either, before, after)?;
        for field in &fields.changes {
            let line = field_line(field);
            self.masked += line.matches(MASKED).count() as u64;
            writeln!(self.out, "      {}", printable(&line))?;
        }
        if fields.more > 0 {
            writeln!(self.out, "      … and {} more", grouped(fields.more))?;
        }
        let has_other_expiry = before.map(SeqV::expire_ms) != after.map(SeqV::expire_ms);
        if change == Change::Changed && fields.changes.is_empty() && !has_other_expiry {
            writeln!(self.out, "      the same fields, in other bytes")?;
        }
        Ok(())
    }

    /// `  ~ __fd_table_by_id/84  TableMeta, seq 461 -> 470`
    fn key_line(
        &mut self,
        change: Change,
        record: &Record,
        before: Option<&SeqV<'_>>,
        after: Option<&SeqV<'_>>,
    ) -> Result<()> {
        let sign = match change {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed => '~',
            Change::Touched => '=',
        };
        let seq = match (before, after) {
            (Some(before), Some(after)) if before.seq != after.seq => {
                format!("seq {} -> {}", before.seq, after.seq)
            }
            (Some(record), _) | (None, Some(record)) => format!("seq {}", record.seq),
            (None, None) => String::new(),
        };
        let [old, new] = [before, after].map(|record| record.and_then(SeqV::expire_ms));
        // Where the seconds are the same, the milliseconds are not.
        let is_same_second = old.map(|ms| ms / 1000) == new.map(|ms| ms / 1000);
        let at = |ms: Option<u64>| match ms {
            Some(ms) if is_same_second => format!("{} + {} ms", utc(ms), ms % 1000),
            Some(ms) => utc(ms),
            None => "never".to_owned(),
        };
        let expires = match (before, after) {
            (Some(_), Some(_)) if old != new => format!(", expires {} -> {}", at(old), at(new)),
            _ => old.or(new).map_or_else(String::new, |ms| format!(", expires {}", utc(ms))),
        };
        Ok(writeln!(
            self.out,
            "  {sign} {}  {}, {seq}{expires}",
            printable(&record.key),
            record.form
        )?)
    }

    /// Prints how many differ, by kind.
    pub fn stat(&mut self, differences: &Differences) -> Result<()> {
        if self.format == Format::Json {
            return self.summary(differences);
        }
        let kinds = differences.kinds();
        if kinds.is_empty() {
            return Ok(());
        }
        let columns = [
            Column::Text("kind"),
            Column::Number("created"),
            Column::Number("dropped"),
            Column::Number("changed"),
            Column::Number("keys added"),
            Column::Number("removed"),
            Column::Number("changed"),
            Column::Number("only written again"),
        ];
        let row = |(kind, sum): (&&str, &KindCounts)| {
            let KindCounts { created, dropped, changed, keys } = sum;
            let numbers = [
                *created,
                *dropped,
                *changed,
                keys.added,
                keys.removed,
                keys.changed,
                keys.touched,
            ];
            let [a, b, c, d, e, f, g] = numbers.map(grouped);
            [(*kind).to_owned(), a, b, c, d, e, f, g]
        };
        Ok(print_table(&mut self.out, "", columns, || kinds.iter().map(row))?)
    }

    /// Prints how many differ, for programs.
    pub fn summary(&mut self, differences: &Differences) -> Result<()> {
        if self.format != Format::Json {
            return Ok(());
        }
        let keys = differences.keys();
        let kinds = differences.kinds();
        let summary = Summary {
            keys: AllKeys { keys: KeyCounts::of(&keys), same: differences.same() },
            kinds: kinds.iter().map(|(kind, sum)| (*kind, KindLine::of(sum))).collect(),
        };
        Ok(writeln!(self.out, "{}", json_line(&json!({ "summary": summary }))?)?)
    }
}

/// Which states are compared, for programs.
#[derive(Serialize)]
struct StatesLine<'a> {
    before: &'a StateOf,
    after: &'a StateOf,
    system: Option<&'a SystemDifference>,
}

/// An object that differs, for programs.
#[derive(Serialize)]
struct ObjectLine<'a> {
    verb: Verb,
    kind: Option<ObjectKind>,
    tenant: Option<&'a str>,
    id: Option<u64>,
    database: Option<&'a str>,
    name: Option<&'a str>,
    former_name: Option<&'a str>,
    keys: KeyCounts,
}

/// A key that differs, for programs. The fields of values keep the order that they have.
#[derive(Serialize)]
struct KeyLine<'a> {
    key: &'a str,
    change: Change,
    before: Option<&'a Record>,
    after: Option<&'a Record>,
    fields: &'a [FieldChange<'a>],
    more_fields: u64,
}

/// How many keys differ, for programs.
#[derive(Serialize)]
struct KeyCounts {
    added: u64,
    removed: u64,
    changed: u64,
    touched: u64,
}

impl KeyCounts {
    const fn of(keys: &Counts) -> Self {
        let Counts { added, removed, changed, touched, same: _ } = *keys;
        Self { added, removed, changed, touched }
    }
}

/// How many there are in all, for programs.
#[derive(Serialize)]
struct Summary {
    keys: AllKeys,
    kinds: BTreeMap<&'static str, KindLine>,
}

#[derive(Serialize)]
struct AllKeys {
    #[serde(flatten)]
    keys: KeyCounts,
    same: Option<u64>,
}

/// How many objects of a kind differ, for programs.
#[derive(Serialize)]
struct KindLine {
    created: u64,
    dropped: u64,
    changed: u64,
    keys: KeyCounts,
}

impl KindLine {
    const fn of(sum: &KindCounts) -> Self {
        let KindCounts { created, dropped, changed, keys } = sum;
        let keys = KeyCounts::of(keys);
        Self { created: *created, dropped: *dropped, changed: *changed, keys }
    }
}

/// `table shop.t2 (id 85) of tenant acme: created, 5 keys added`
fn described(effect: &Effect, keys: &Counts) -> String {
    let said = [
        (keys.added, "added"),
        (keys.removed, "removed"),
        (keys.changed, "changed"),
        (keys.touched, "only written again"),
    ];
    let said = said.into_iter().filter(|(count, _)| *count > 0).enumerate();
    let said: Vec<String> = said
        .map(|(at, (count, what))| match at {
            0 => format!("{} {what}", plural(count, "key")),
            _ => format!("{} {what}", grouped(count)),
        })
        .collect();
    let said = said.join(", ");
    let Some(object) = &effect.object else {
        return format!("keys of no known form: {said}");
    };
    let kind = object.kind.name().replace('_', " ");
    let tenant = object.tenant.as_deref();
    let tenant = tenant.map_or_else(String::new, |tenant| format!(" of tenant {tenant}"));
    let (name, id) = match (&object.name, object.id) {
        (Some(_), id) => {
            (object.full_name(), id.map_or_else(String::new, |id| format!(" (id {id})")))
        }
        (None, Some(id)) => (id.to_string(), String::new()),
        (None, None) if object.kind == ObjectKind::Tenant => {
            return format!("tenant {}: {said}", object.tenant.as_deref().unwrap_or_default());
        }
        (None, None) => return format!("{kind}{tenant}: {said}"),
    };
    let verb = effect.verb.participle();
    let former = effect.former_name.as_deref();
    let former = former.map_or_else(String::new, |name| format!(" from {name}"));
    format!("{kind} {name}{id}{tenant}: {verb}{former}, {said}")
}

/// `localhost:28103, gRPC localhost:9191`
fn node(node: Option<&Node>) -> String {
    let Some(node) = node else { return "none".to_owned() };
    let grpc = node.grpc_api_advertise_address.as_deref().unwrap_or("none");
    let tls = node.raft_tls_advertise_address.as_ref();
    let tls = tls.map_or_else(String::new, |tls| format!(", TLS {tls}"));
    format!("{}, gRPC {grpc}{tls}", node.endpoint)
}

/// `comment: "old" -> "new"`
fn field_line(change: &FieldChange<'_>) -> String {
    let field = if change.field.is_empty() { "value" } else { &change.field };
    match (change.before, change.after) {
        (Some(before), Some(after)) => format!("{field}: {} -> {}", text(before), text(after)),
        (None, Some(after)) => format!("{field} added: {}", text(after)),
        (Some(before), None) => format!("{field} removed: {}", text(before)),
        (None, None) => field.to_owned(),
    }
}

/// A value in a line: a type as SQL, a column as its name and type, all else as JSON.
fn text(value: &Value<'_>) -> String {
    if let Value::Message(message) = value {
        if message.of.is_sql_type
            && let Some(sql) = sql_type(message)
        {
            return sql;
        }
        if let (Some(name), Some(Value::Message(of))) =
            (message.text("name"), message.get("data_type"))
            && let Some(sql) = sql_type(of)
        {
            return format!("{name} {sql}");
        }
    }
    if let Value::Scalar(Scalar::Text(text)) = value
        && **text == *MASKED
    {
        return MASKED.to_owned();
    }
    let json = serde_json::to_string(value).unwrap_or_default();
    match json.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}…", json.get(..end).unwrap_or_default()),
        None => json,
    }
}
