//! Which fields of two values differ.

use std::borrow::Cow;

use serde::Serialize;

use super::alignment::aligned;
use crate::ordered;
use crate::value::{
    KeyParts, MASKED, Message, Name, RawMask, Scalar, Secrets, Value, first_part,
    json_of_unknown_form, mask_raw, raw_scalar, sql_type,
};

/// How many fields of a value are named; of more, only the number is known.
const MOST_FIELDS: usize = 1000;

/// How many bytes of a name are kept: names of servers are shorter, and keys of JSON may have any
/// length.
const MOST_NAME_BYTES: usize = 256;

/// How much of a value is in a line.
const MOST_CHARS: usize = 200;

/// The versions that each message has.
const VERSIONS: [u32; 2] = [100, 101];

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange<'v> {
    /// Which: `schema.fields[3]`, empty for the whole value. The place in a list is that of the
    /// second value, of what is gone that of the first.
    pub field: String,
    /// What it was; none of one that is new.
    pub before: Option<&'v Value<'v>>,
    /// What it is; none of one that is gone.
    pub after: Option<&'v Value<'v>>,
}

impl FieldChange<'_> {
    /// What the field is called: the whole value has no name of its own.
    pub fn name(&self) -> &str {
        if self.field.is_empty() { "value" } else { &self.field }
    }

    /// `comment: "old" -> "new"`
    pub fn describe(&self) -> String {
        let field = self.name();
        match (self.before.map(words), self.after.map(words)) {
            (Some(before), Some(after)) => format!("{field}: {before} -> {after}"),
            (None, Some(after)) => format!("{field} added: {after}"),
            (Some(before), None) => format!("{field} removed: {before}"),
            (None, None) => field.to_owned(),
        }
    }
}

/// A value in a line: a type as SQL, a column as its name and type, all else as JSON.
pub(crate) fn words(value: &Value<'_>) -> String {
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

/// The fields that differ.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields<'v> {
    /// The first of them, in their order.
    pub changes: Vec<FieldChange<'v>>,
    /// How many more there are.
    pub more: u64,
}

/// A value that can be compared, and how it is shown: with credentials or with what stands for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparable<'a> {
    real: Value<'a>,
    /// None when it is shown as it is.
    masked: Option<Value<'a>>,
}

impl<'a> Comparable<'a> {
    /// What is stored under a key, unpacked. What its form does not say is compared as JSON, as text,
    /// or as bytes.
    pub fn of(key: &str, bytes: &'a [u8], secrets: Secrets) -> Self {
        let parts = KeyParts::of(key);
        let known = parts.as_ref().and_then(|parts| Some((parts.form, parts.meaning(bytes)?)));
        // Which of the bytes are one is not known.
        let hidden = || Some(Value::Scalar(Scalar::Text(MASKED.into())));
        let (real, masked) = match known {
            Some((form, Ok(meaning))) => {
                let mut masked = meaning.clone();
                masked.mask(form);
                (meaning.into_value(), Some(masked.into_value()))
            }
            Some((form, Err(_))) if form.may_hold_credentials() => {
                (Value::Scalar(raw_scalar(bytes)), hidden())
            }
            _ => match json_of_unknown_form(bytes) {
                Some((real, masked)) => (real, Some(masked)),
                None => {
                    let is_hidden = mask_raw(bytes) == RawMask::Whole;
                    let masked = is_hidden.then(hidden).flatten();
                    (Value::Scalar(raw_scalar(bytes)), masked)
                }
            },
        };
        Self { real, masked: masked.filter(|_| secrets == Secrets::Masked) }
    }

    fn seen(&self) -> Seen<'_> {
        Seen { real: &self.real, shown: self.masked.as_ref().unwrap_or(&self.real) }
    }

    /// The fields in which another value differs. A credential that differs is among them, masked on
    /// both sides. The versions of messages in a message are not: one pair says them. So there may
    /// be none, though the bytes differ.
    ///
    /// ```
    /// use metadump::difference::Comparable;
    /// use metadump::value::Secrets;
    ///
    /// let key = "__fd_table_id_list/7/orders";
    /// let before = Comparable::of(key, &[0x0a, 1, 42], Secrets::Masked);
    /// let after = Comparable::of(key, &[0x0a, 2, 42, 43], Secrets::Masked);
    /// let fields = before.fields(&after);
    /// assert_eq!(fields.changes.len(), 1);
    /// assert_eq!(fields.changes[0].field, "ids[1]");
    /// assert_eq!(serde_json::to_string(&fields.changes[0].after).unwrap(), "43");
    /// ```
    pub fn fields<'v>(&'v self, after: &'v Comparable<'v>) -> Fields<'v>
    where
        'a: 'v,
    {
        let mut walk = Walk { path: String::new(), found: Fields::default() };
        walk.pair(Some(self.seen()), Some(after.seen()));
        walk.found
    }
}

/// A value as it is, and as it is shown.
#[derive(Debug, Clone, Copy)]
struct Seen<'v> {
    real: &'v Value<'v>,
    shown: &'v Value<'v>,
}

impl<'v> Seen<'v> {
    /// The members of a message. A number may have been written in a former type, too.
    fn members(
        message: &'v Message<'v>,
        shown: &'v Message<'v>,
        has_versions: bool,
    ) -> Vec<(MemberName, Self)> {
        let is_kept = |name: &Name| match name {
            Name::Field(field) => has_versions || !VERSIONS.contains(&field.number),
            Name::Former(..) | Name::Unknown(_) => true,
        };
        let members = message.members.iter().zip(&shown.members);
        let kept = members.filter(|((name, _), _)| is_kept(name));
        kept.map(|((name, real), (_, shown))| {
            ((name.json(), matches!(name, Name::Former(..))), Self { real, shown })
        })
        .collect()
    }

    /// The entries of a map.
    fn entries(
        entries: &'v [(Scalar<'v>, Value<'v>)],
        shown: &'v [(Scalar<'v>, Value<'v>)],
    ) -> Vec<(Cow<'v, str>, Self)> {
        let entries = entries.iter().zip(shown);
        entries.map(|((key, real), (_, shown))| (key.key_text(), Self { real, shown })).collect()
    }

    /// An element of a list.
    fn element(list: &'v [Value<'v>], shown: &'v [Value<'v>], at: Option<usize>) -> Option<Self> {
        let at = at?;
        Some(Self { real: list.get(at)?, shown: shown.get(at)? })
    }
}

/// The name of a member, and whether it is written in a former type.
type MemberName = (Cow<'static, str>, bool);

struct Walk<'v> {
    path: String,
    found: Fields<'v>,
}

impl<'v> Walk<'v> {
    fn pair(&mut self, before: Option<Seen<'v>>, after: Option<Seen<'v>>) {
        let (Some(left), Some(right)) = (before, after) else {
            return self.found(before, after);
        };
        if left.real == right.real {
            return;
        }
        match (left.real, left.shown, right.real, right.shown) {
            (
                Value::Message(before),
                Value::Message(before_shown),
                Value::Message(after),
                Value::Message(after_shown),
            ) if before.of == after.of && !before.of.is_sql_type => {
                let is_top = self.path.is_empty();
                let before = Seen::members(before, before_shown, is_top);
                let after = Seen::members(after, after_shown, is_top);
                self.named(&before, &after, |path, (name, _)| push_member(path, name));
            }
            (
                Value::List(before),
                Value::List(before_shown),
                Value::List(after),
                Value::List(after_shown),
            ) => {
                for (one, other) in aligned(before, after) {
                    let left = Seen::element(before, before_shown, one);
                    let right = Seen::element(after, after_shown, other);
                    let at = other.or(one).unwrap_or(0);
                    self.within(|path| path.push_str(&format!("[{at}]")), left, right);
                }
            }
            (
                Value::Map(before),
                Value::Map(before_shown),
                Value::Map(after),
                Value::Map(after_shown),
            ) => {
                let before = Seen::entries(before, before_shown);
                let after = Seen::entries(after, after_shown);
                self.named(&before, &after, |path, key| push_key(path, key));
            }
            _ => self.found(before, after),
        }
    }

    /// Compares members by their names: first those of the first value, then those that are new. Of
    /// a name that is there twice, the last counts, as it does to servers.
    fn named<N: Ord>(
        &mut self,
        before: &[(N, Seen<'v>)],
        after: &[(N, Seen<'v>)],
        push: impl Fn(&mut String, &N),
    ) {
        let mut old = ordered::map(before.iter().map(|(name, seen)| (name, *seen)));
        let mut new = ordered::map(after.iter().map(|(name, seen)| (name, *seen)));
        for (name, _) in before.iter().chain(after) {
            let (before, after) = (old.remove(name), new.remove(name));
            if before.is_some() || after.is_some() {
                self.within(|path| push(path, name), before, after);
            }
        }
    }

    fn within(
        &mut self,
        push: impl FnOnce(&mut String),
        before: Option<Seen<'v>>,
        after: Option<Seen<'v>>,
    ) {
        let len = self.path.len();
        push(&mut self.path);
        self.pair(before, after);
        self.path.truncate(len);
    }

    fn found(&mut self, before: Option<Seen<'v>>, after: Option<Seen<'v>>) {
        if self.found.changes.len() >= MOST_FIELDS {
            self.found.more += 1;
            return;
        }
        let field = self.path.clone();
        let shown = |seen: Option<Seen<'v>>| seen.map(|seen| seen.shown);
        self.found.changes.push(FieldChange { field, before: shown(before), after: shown(after) });
    }
}

/// `.name`
fn push_member(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

/// `.name`, or `["a name"]` where it is not of letters and digits.
fn push_key(path: &mut String, key: &str) {
    let is_word = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-');
    if !key.is_empty() && key.len() <= MOST_NAME_BYTES && key.chars().all(is_word) {
        push_member(path, key);
    } else {
        path.push_str(&format!("[{:?}]", first_part(key, MOST_NAME_BYTES)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Decoded, ValueForm};

    /// The differing fields as `FIELD: BEFORE -> AFTER`.
    fn differing(key: &str, before: &str, after: &str) -> Vec<String> {
        let form = KeyParts::of(key).map(|parts| parts.form.values[0]);
        let bytes = |json: &str| match form {
            Some(ValueForm::Message(of)) => Decoded::from_json(of, json).unwrap().write(),
            _ => json.into(),
        };
        let (before, after) = (bytes(before), bytes(after));
        let [before, after] =
            [&before, &after].map(|bytes| Comparable::of(key, bytes, Secrets::Masked));
        let text = |value: Option<&Value<'_>>| {
            value.map_or("none".to_owned(), |value| serde_json::to_string(value).unwrap())
        };
        let fields = before.fields(&after);
        assert_eq!(fields.more, 0);
        let shown = fields.changes.iter().map(|change| {
            format!("{}: {} -> {}", change.field, text(change.before), text(change.after))
        });
        shown.collect()
    }

    const TABLE: &str = "__fd_table_by_id/1";

    #[test]
    fn columns_are_known_by_their_ids() {
        let column = |name: &str, id: u64, of: &str| {
            format!(r#"{{"name":"{name}","data_type":{{"{of}":{{}}}},"column_id":{id},"ver":24}}"#)
        };
        let table = |columns: &[String]| {
            format!(r#"{{"schema":{{"fields":[{}],"ver":24}},"ver":172}}"#, columns.join(","))
        };
        let [a, b, c] =
            [column("a", 1, "string_t"), column("b", 2, "string_t"), column("c", 3, "string_t")];
        let before = table(&[a.clone(), b.clone()]);
        assert_eq!(differing(TABLE, &before, &before), Vec::<String>::new());
        let added = differing(TABLE, &before, &table(&[a.clone(), c.clone(), b.clone()]));
        assert_eq!(added, [format!("schema.fields[1]: none -> {c}")]);
        let removed = differing(TABLE, &before, &table(std::slice::from_ref(&b)));
        assert_eq!(removed, [format!("schema.fields[0]: {a} -> none")]);
        let renamed = differing(TABLE, &before, &table(&[a.clone(), column("x", 2, "string_t")]));
        assert_eq!(renamed, [r#"schema.fields[1].name: "b" -> "x""#]);
        let retyped = differing(TABLE, &before, &table(&[a, column("b", 2, "bool_t")]));
        let expected = r#"schema.fields[1].data_type: {"string_t":{}} -> {"bool_t":{}}"#;
        assert_eq!(retyped, [expected]);
    }

    #[test]
    fn of_the_versions_only_the_first_pair_is_named() {
        let table =
            |ver: u64| format!(r#"{{"schema":{{"next_column_id":1,"ver":{ver}}},"ver":{ver}}}"#);
        assert_eq!(differing(TABLE, &table(1), &table(2)), ["ver: 1 -> 2"]);
    }

    #[test]
    fn a_credential_differs_and_is_not_shown() {
        let before = r#"{"options":{"aws_secret_key":"old","plain":"1","a b":"x"}}"#;
        let after = r#"{"options":{"aws_secret_key":"new","plain":"2","new":"y"}}"#;
        assert_eq!(
            differing(TABLE, before, after),
            [
                r#"options.aws_secret_key: "***" -> "***""#,
                r#"options.plain: "1" -> "2""#,
                r#"options["a b"]: "x" -> none"#,
                r#"options.new: none -> "y""#,
            ]
        );
    }

    #[test]
    fn json_and_scalars() {
        let setting = "__fd_settings/t/x";
        let number = |n: u64| format!(r#"{{"name":"x","value":{{"UInt64":{n}}}}}"#);
        assert_eq!(differing(setting, &number(1), &number(2)), ["value.UInt64: 1 -> 2"]);
        assert_eq!(differing("__fd_table/7/t", "41", "42"), [": 41 -> 42"]);
        let unknown =
            differing("mine/x", r#"{"a":[1],"password":"p"}"#, r#"{"a":[1,2],"password":"q"}"#);
        assert_eq!(unknown, ["a[1]: none -> 2", r#"password: "***" -> "***""#]);
        assert_eq!(differing("mine/x", "one", "two"), [r#": "one" -> "two""#]);
        assert_eq!(differing("mine/x", "token 1", "token 2"), [r#": "***" -> "***""#]);
    }

    #[test]
    fn more_than_are_named_are_counted() {
        let list = |from: u64| {
            let ids: Vec<String> = (from..from + 1500).map(|id| id.to_string()).collect();
            let json = format!(r#"{{"ids":[{}]}}"#, ids.join(","));
            json.into_bytes()
        };
        let (before, after) = (list(0), list(5000));
        let [before, after] =
            [&before, &after].map(|json| Comparable::of("mine/x", json, Secrets::Shown));
        let fields = before.fields(&after);
        assert_eq!((fields.changes.len(), fields.more), (MOST_FIELDS, 500));
    }
}
