//! Values for the eye: an outline of names and texts, with columns as a table.

use serde::Serialize;
use time::OffsetDateTime;

use super::items::{Name, Scalar};
use super::meaning::Meaning;
use super::message::{Message, Value};
use super::sql::sql_type;
use super::table::{Field, ObjectKind, Refers, Unit};
use crate::dump::plural::{plural, several};

/// How many bytes are shown in hexadecimal.
const MOST_HEX_BYTES: usize = 64;

/// One line of the outline, and what is below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Shown {
    /// The name: of a field, a key of a map, a position in a list from zero on.
    pub name: String,
    /// What stands under the name.
    #[serde(flatten)]
    pub content: ShownContent,
}

/// What stands under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase", tag = "type", content = "value")]
pub enum ShownContent {
    /// A text of one or more lines.
    Text(String),
    /// Names and what stands under them.
    Parts(Vec<Shown>),
    /// Rows of cells below their heads.
    Table {
        /// The heads.
        columns: Vec<&'static str>,
        /// The rows.
        rows: Vec<Vec<String>>,
    },
    /// So many more, here and before.
    More(u64),
}

/// Shows values.
pub struct Viewer<'n> {
    /// The name of an object by its id.
    names: &'n dyn Fn(ObjectKind, u64) -> Option<String>,
    lines: usize,
    text_bytes: usize,
    hidden: u64,
}

impl std::fmt::Debug for Viewer<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Viewer").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl<'n> Viewer<'n> {
    /// Shows up to so many lines and bytes of text. `names` gives the names of objects.
    pub fn new(
        lines: usize,
        text_bytes: usize,
        names: &'n dyn Fn(ObjectKind, u64) -> Option<String>,
    ) -> Self {
        Self { names, lines, text_bytes, hidden: 0 }
    }

    /// The outline of a value under a key of a kind of object.
    pub fn show(mut self, meaning: &Meaning<'_>, kind: ObjectKind) -> ShownContent {
        let content = match meaning {
            Meaning::Empty => ShownContent::Text(String::new()),
            Meaning::Id(kind, id) => ShownContent::Text(self.object(*kind, *id)),
            Meaning::Number("milliseconds", number) => {
                ShownContent::Text(with_time(*number, i64::try_from(*number).ok()))
            }
            Meaning::Number(_, number) => ShownContent::Text(number.to_string()),
            Meaning::Text(text) => ShownContent::Text(self.cut(text)),
            Meaning::Json(_, value) => self.value(value, None, Some(kind)),
            Meaning::Permit { id, permits } => ShownContent::Parts(vec![
                Shown { name: "id".into(), content: ShownContent::Text((*id).to_owned()) },
                Shown { name: "permits".into(), content: ShownContent::Text(permits.to_string()) },
            ]),
            Meaning::Message(decoded) => self.message(&decoded.message, Some(kind), true),
        };
        match content {
            ShownContent::Parts(mut parts) if self.hidden > 0 => {
                let content = ShownContent::More(self.hidden);
                parts.push(Shown { name: String::new(), content });
                ShownContent::Parts(parts)
            }
            content => content,
        }
    }

    fn message(
        &mut self,
        message: &Message<'_>,
        parent: Option<ObjectKind>,
        is_top: bool,
    ) -> ShownContent {
        if let Some(sql) = message.of.is_sql_type.then(|| sql_type(message)).flatten() {
            return ShownContent::Text(sql);
        }
        let comments = match message.get("field_comments") {
            Some(Value::List(comments)) if message.get("schema").is_some() => comments.as_slice(),
            _ => &[],
        };
        let mut parts = Vec::new();
        for (name, value) in &message.members {
            let field = match name {
                Name::Field(field) | Name::Former(field, _) => Some(*field),
                Name::Unknown(_) => None,
            };
            // Every message has its versions; one pair says it.
            if !is_top && field.is_some_and(|field| matches!(field.number, 100 | 101)) {
                continue;
            }
            let name = name.json();
            // They stand in the table of the columns.
            if name == "field_comments" && !comments.is_empty() {
                continue;
            }
            self.part(&mut parts, name.to_string(), |viewer| match (&*name, value) {
                ("schema", Value::Message(schema)) => viewer.schema(schema, comments, parent),
                _ => viewer.value(value, field, parent),
            });
        }
        ShownContent::Parts(parts)
    }

    fn schema(
        &mut self,
        schema: &Message<'_>,
        comments: &[Value<'_>],
        parent: Option<ObjectKind>,
    ) -> ShownContent {
        let table = match schema.get("fields") {
            Some(Value::List(fields)) => columns(fields, comments),
            _ => None,
        };
        let Some(mut rows) = table.filter(|rows| rows.len() <= self.lines) else {
            return self.message(schema, parent, false);
        };
        self.lines -= rows.len();
        for cell in rows.iter_mut().flatten() {
            *cell = self.cut(cell);
        }
        let heads = vec!["id", "name", "type", "default", "comment"];
        let mut parts = vec![Shown {
            name: "columns".into(),
            content: ShownContent::Table { columns: heads, rows },
        }];
        for (name, value) in &schema.members {
            let field = match name {
                Name::Field(field) => *field,
                _ => continue,
            };
            if matches!(field.number, 1 | 100 | 101) {
                continue;
            }
            self.part(&mut parts, field.name.to_owned(), |viewer| {
                viewer.value(value, Some(field), parent)
            });
        }
        ShownContent::Parts(parts)
    }

    fn value(
        &mut self,
        value: &Value<'_>,
        field: Option<&'static Field>,
        parent: Option<ObjectKind>,
    ) -> ShownContent {
        let parent = field.and_then(|field| kind(field.id_of, parent)).or(parent);
        match value {
            Value::Scalar(scalar) => ShownContent::Text(self.scalar(scalar, field, parent)),
            Value::Message(message) => self.message(message, parent, false),
            Value::List(list) if list.iter().all(|one| matches!(one, Value::Scalar(_))) => {
                let mut shown = Vec::new();
                for element in list {
                    let Value::Scalar(scalar) = element else { continue };
                    if self.lines == 0 {
                        self.hidden += 1;
                        continue;
                    }
                    self.lines -= 1;
                    shown.push(self.scalar(scalar, field, parent));
                }
                ShownContent::Text(shown.join(", "))
            }
            Value::List(list) => {
                let mut parts = Vec::new();
                for (at, element) in list.iter().enumerate() {
                    self.part(&mut parts, at.to_string(), |viewer| {
                        viewer.value(element, field, parent)
                    });
                }
                ShownContent::Parts(parts)
            }
            Value::Map(entries) => {
                let mut parts = Vec::new();
                for (key, value) in entries {
                    self.part(&mut parts, key.key_text().into_owned(), |viewer| {
                        viewer.value(value, field, parent)
                    });
                }
                ShownContent::Parts(parts)
            }
        }
    }

    /// Adds a part, if another line may be shown.
    fn part(
        &mut self,
        parts: &mut Vec<Shown>,
        name: String,
        show: impl FnOnce(&mut Self) -> ShownContent,
    ) {
        let Some(left) = self.lines.checked_sub(1) else {
            self.hidden += 1;
            return;
        };
        self.lines = left;
        let name = self.cut(&name);
        parts.push(Shown { name, content: show(self) });
    }

    fn scalar(
        &mut self,
        scalar: &Scalar<'_>,
        field: Option<&'static Field>,
        parent: Option<ObjectKind>,
    ) -> String {
        let text = match scalar {
            Scalar::Null => "null".to_owned(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Unsigned(number) => return self.number(*number, field, parent),
            Scalar::Signed(number) => match field.map(|field| field.unit) {
                Some(Unit::MicrosecondsSince1970) => with_time(*number, Some(number / 1000)),
                Some(Unit::DaysSince1970) => with_time(*number, number.checked_mul(86_400_000)),
                unit => with_unit(*number, unit),
            },
            Scalar::Float(value) => value.to_string(),
            Scalar::Double(value) => value.to_string(),
            Scalar::Text(text) => text.to_string(),
            Scalar::Bytes(bytes) => {
                let hex = bytes.iter().take(MOST_HEX_BYTES).map(|byte| format!("{byte:02x}"));
                let more = if bytes.len() > MOST_HEX_BYTES { "…" } else { "" };
                let len = plural(bytes.len() as u64, "byte", "bytes");
                format!("{}{more} ({len})", hex.collect::<String>())
            }
            Scalar::Enum(of, value) => {
                of.value_name(*value).map_or_else(|| value.to_string(), str::to_owned)
            }
            Scalar::Fixed32(value) => format!("{value} (4 bytes)"),
            Scalar::Fixed64(value) => format!("{value} (8 bytes)"),
        };
        self.cut(&text)
    }

    /// As much of a text as may still be shown.
    fn cut(&mut self, text: &str) -> String {
        let shown = first_part(text, self.text_bytes);
        self.text_bytes = self.text_bytes.saturating_sub(text.len());
        shown
    }

    fn number(
        &self,
        number: u64,
        field: Option<&'static Field>,
        parent: Option<ObjectKind>,
    ) -> String {
        let Some(field) = field else { return number.to_string() };
        if let Some(kind) = kind(field.id_of, parent) {
            return self.object(kind, number);
        }
        if let Some(bits) = field.bits {
            let names = bits.values.iter().filter(|(at, _)| {
                u32::try_from(*at).is_ok_and(|at| number.checked_shr(at).unwrap_or(0) & 1 == 1)
            });
            let names: Vec<&str> = names.map(|(_, name)| *name).collect();
            return format!("{number} ({})", names.join(", "));
        }
        with_unit(number, Some(field.unit))
    }

    fn object(&self, kind: ObjectKind, id: u64) -> String {
        match (self.names)(kind, id) {
            Some(name) => format!("{id} ({name})"),
            None => id.to_string(),
        }
    }
}

fn kind(refers: Option<Refers>, parent: Option<ObjectKind>) -> Option<ObjectKind> {
    match refers? {
        Refers::To(kind) => Some(kind),
        Refers::ToParent => parent,
    }
}

fn with_unit(number: impl std::fmt::Display, unit: Option<Unit>) -> String {
    let unit = match unit {
        Some(Unit::Bytes) => "bytes",
        Some(Unit::Microseconds) => "µs",
        Some(Unit::Milliseconds) => "ms",
        Some(Unit::Seconds) => "s",
        Some(Unit::Minutes) => "min",
        Some(Unit::Days) => "days",
        _ => return number.to_string(),
    };
    format!("{number} {unit}")
}

/// A number with the time that it stands for, in milliseconds since 1970.
fn with_time(number: impl std::fmt::Display, ms: Option<i64>) -> String {
    match ms.and_then(|ms| u64::try_from(ms).ok()) {
        Some(ms) => format!("{number} ({})", utc(ms)),
        None => number.to_string(),
    }
}

/// `1 line`, `2 lines`, `1,234 lines`.
pub fn counted(count: u64, noun: &str) -> String {
    plural(count, noun, &several(noun))
}

/// `1 entry`, `2 entries`
pub fn entries(count: u64) -> String {
    plural(count, "entry", "entries")
}

/// Milliseconds since 1970 as `2026-11-23 12:49:00 UTC`.
pub fn utc(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    match OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(at) => {
            format!("{} {:02}:{:02}:{:02} UTC", at.date(), at.hour(), at.minute(), at.second())
        }
        // Beyond the year 9999.
        Err(_) => format!("{ms} ms after 1970"),
    }
}

/// Every column as id, name, type, default and comment; none when one has something else.
fn columns(fields: &[Value<'_>], comments: &[Value<'_>]) -> Option<Vec<Vec<String>>> {
    let row = |(at, field): (usize, &Value<'_>)| {
        let Value::Message(field) = field else { return None };
        let is_known = |name: &Name| matches!(name, Name::Field(_));
        if !field.members.iter().all(|(name, _)| is_known(name)) {
            return None;
        }
        let Some(Value::Message(of)) = field.get("data_type") else { return None };
        let default = match (field.get("computed_expr"), field.get("auto_increment_expr")) {
            (Some(Value::Message(expr)), _) => {
                let (name, expr) = ["virtual", "stored"]
                    .into_iter()
                    .find_map(|name| Some((name, expr.text(name)?)))?;
                format!("{name}: {expr}")
            }
            (None, Some(Value::Message(counter))) => {
                let step = match counter.get("step") {
                    Some(Value::Scalar(Scalar::Signed(step))) => *step,
                    _ => 0,
                };
                let order = if counter.get("is_ordered").is_some() { " order" } else { "" };
                format!("autoincrement ({}, {step}){order}", counter.number("start"))
            }
            _ => field.text("default_expr").unwrap_or_default().to_owned(),
        };
        let comment = match comments.get(at) {
            Some(Value::Scalar(Scalar::Text(comment))) => comment.to_string(),
            _ => String::new(),
        };
        let name = field.text("name").unwrap_or_default().to_owned();
        Some(vec![field.number("column_id").to_string(), name, sql_type(of)?, default, comment])
    };
    fields.iter().enumerate().map(row).collect()
}

/// The first part of a text that is longer than `most` bytes, marked as cut.
pub(crate) fn first_part(text: &str, most: usize) -> String {
    match text.get(..text.floor_char_boundary(most)) {
        Some(part) if part.len() < text.len() => format!("{part}…"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Decoded, KeyParts, MessageType};
    use super::*;

    fn shown(of: &str, json: &str, lines: usize) -> String {
        let message = Decoded::from_json(MessageType::named(of).unwrap(), json).unwrap();
        let names = |kind, id| (kind == ObjectKind::Database).then(|| format!("db{id}"));
        let viewer = Viewer::new(lines, 1000, &names);
        let content = viewer.show(&Meaning::Message(message), ObjectKind::Table);
        serde_json::to_string(&content).unwrap()
    }

    #[test]
    fn columns_are_a_table_and_versions_are_shown_once() {
        let table = r#"{"schema":{"fields":[{"name":"a","data_type":{"string_t":{},"ver":24},"ver":24},{"name":"b","default_expr":"1","data_type":{"number_t":{"int8_type":{}}},"column_id":1}],"next_column_id":2,"ver":24},"field_comments":["first",""],"engine":"FUSE","ver":182}"#;
        let expected = r#"{"type":"parts","value":[{"name":"schema","type":"parts","value":[{"name":"columns","type":"table","value":{"columns":["id","name","type","default","comment"],"rows":[["0","a","String","","first"],["1","b","Int8","1",""]]}},{"name":"next_column_id","type":"text","value":"2"}]},{"name":"engine","type":"text","value":"FUSE"},{"name":"ver","type":"text","value":"182"}]}"#;
        assert_eq!(shown("TableMeta", table, 100), expected);
    }

    #[test]
    fn ids_have_names() {
        let name = r#"{"db_id":7,"table_name":"t"}"#;
        let expected = r#"{"type":"parts","value":[{"name":"db_id","type":"text","value":"7 (db7)"},{"name":"table_name","type":"text","value":"t"}]}"#;
        assert_eq!(shown("DbIdTableName", name, 100), expected);
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let ids = r#"{"ids":[1,2,3,4,5]}"#;
        let expected = r#"{"type":"parts","value":[{"name":"ids","type":"text","value":"1, 2"},{"name":"","type":"more","value":3}]}"#;
        assert_eq!(shown("TableIdList", ids, 3), expected);
    }

    #[test]
    fn columns_of_a_kind_that_is_not_known_are_no_table() {
        let table = r#"{"schema":{"fields":[{"name":"a","data_type":{"99":1},"7":"x"}]}}"#;
        let shown = shown("TableMeta", table, 100);
        assert!(shown.contains(r#"{"name":"7","type":"text","value":"x"}"#), "{shown}");
        assert!(shown.contains(r#"{"name":"99","type":"text","value":"1"}"#), "{shown}");
    }

    #[test]
    fn values_without_fields() {
        let content = |key: &str, bytes: &[u8]| {
            let key = KeyParts::of(key).unwrap();
            let meaning = key.meaning(bytes).unwrap().unwrap();
            Viewer::new(9, 99, &|_, id| Some(format!("o{id}"))).show(&meaning, key.form.kind)
        };
        let text = |text: &str| ShownContent::Text(text.to_owned());
        assert_eq!(content("__fd_table/1/t", b"42"), text("42 (o42)"));
        let time = "t/history_log_clean/l/lock/last_timestamp";
        assert_eq!(
            content(time, b"1700000000000"),
            text("1700000000000 (2023-11-14 22:13:20 UTC)")
        );
        assert_eq!(content("_txn_id/ff", b""), text(""));
    }
}
