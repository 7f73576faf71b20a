//! Replaces credentials in the bytes of values: what is not one stays, byte for byte.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use super::credential::{
    MASKED, credentials_in, may_have_credentials, names_credential, speaks_of_credentials, without,
};
use super::key::KeyParts;
use super::meaning::{MOST_JSON_BYTES, MOST_UNPACKED_BYTES, unpacked};
use super::pseudonym::Pseudonyms;
use super::redact_json;
use super::rename::is_named;
use super::table::{Cardinality, Field, Mask, MessageType, Type, ValueForm};
use super::wire::{Fields, Wire, put, put_varint};

/// A credential, or what is replaced because it may have one in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is: `S3StorageConfig.secret_access_key`, `NodeInfo (JSON).secret`.
    pub kind: Cow<'static, str>,
    /// The field in the value, with those around it.
    pub path: FieldPath,
    /// The bytes that are gone, up to 256; none of a number.
    pub secret: Vec<u8>,
}

impl Found {
    /// The whole of a value.
    pub fn of(kind: &'static str, secret: &[u8]) -> Self {
        Self::at(kind, FieldPath::default(), secret)
    }

    /// A part of a value.
    pub(crate) fn at(kind: impl Into<Cow<'static, str>>, path: FieldPath, secret: &[u8]) -> Self {
        // As much as is looked for.
        let secret = secret.get(..LONGEST_BYTES).unwrap_or(secret).to_vec();
        Self { kind: kind.into(), path, secret }
    }
}

/// A field in a value, with those around it: `stage_params.storage.s3.secret_access_key`; empty for the
/// whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldPath(Vec<Step>);

/// A step into a value. Few are ever named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Field(&'static str),
    /// A field that the table does not know.
    Unknown(u32),
    /// An entry of a map, or a member of JSON.
    Entry(String),
}

impl FieldPath {
    /// Whether it is that of the whole.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&[Step]> for FieldPath {
    fn from(steps: &[Step]) -> Self {
        Self(steps.to_vec())
    }
}

impl From<&[String]> for FieldPath {
    fn from(members: &[String]) -> Self {
        Self(members.iter().cloned().map(Step::Entry).collect())
    }
}

impl Display for FieldPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            step.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(name),
            Self::Unknown(number) => number.fmt(f),
            Self::Entry(key) => f.write_str(key),
        }
    }
}

/// What has become of a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redacted {
    /// The new bytes; none when the value stays as it is.
    pub bytes: Option<Vec<u8>>,
    /// What is gone.
    pub found: Vec<Found>,
}

/// How much of what is gone is kept.
const LONGEST_BYTES: usize = 256;

/// The kind of a credential within a text.
pub(super) const IN_TEXT: &str = "credential in a text";

/// The kind of a value that is not of the form that its key asks for.
const UNDECODED: &str = "value that does not decode";

/// The kind of a value whose key tells nothing of it.
const UNKNOWN: &str = "value of an unknown form";

/// Replaces the credentials in a value.
///
/// What a message has besides, and how it is written, stays. A value that is packed and has
/// credentials is unpacked. One that does not decode is replaced by [`MASKED`], and so is one of a
/// key that is not known, unless it is a text without the words of credentials.
///
/// ```
/// use metadump::value::{KeyParts, redacted};
///
/// let key = KeyParts::of("__fd_clusters_v6/t/online_nodes/n");
/// let redacted = redacted(key.as_ref(), br#"{"id":"n", "secret":"s3cr3t"}"#);
/// assert_eq!(redacted.bytes.unwrap(), br#"{"id":"n", "secret":"***"}"#);
/// assert_eq!(redacted.found[0].kind, "NodeInfo (JSON).secret");
/// ```
pub fn redacted(key: Option<&KeyParts<'_>>, bytes: &[u8]) -> Redacted {
    renamed(key, bytes, None)
}

/// The same, with pseudonyms in the place of names and of what else tells whose a value is. What is
/// of no known form is replaced whole then.
pub fn renamed(key: Option<&KeyParts<'_>>, bytes: &[u8], names: Option<&Pseudonyms>) -> Redacted {
    if bytes.is_empty() || bytes == MASKED.as_bytes() {
        return Redacted::default();
    }
    let unknown = |bytes| match names {
        None => unknown(bytes),
        Some(_) => whole(UNKNOWN, bytes),
    };
    let Some(key) = key else { return unknown(bytes) };
    let Ok(plain) = unpacked(bytes, MOST_UNPACKED_BYTES) else { return whole(UNDECODED, bytes) };
    let Some(form) = key.forms().of(&plain) else { return unknown(bytes) };
    if key.forms().fit(&plain).is_err() {
        return whole(UNDECODED, bytes);
    }
    let mut walk = Walk { names, ..Walk::default() };
    let bytes = match form {
        ValueForm::Message(of) if names.is_some() || may_hold(of, &plain) => {
            walk.message(of, &plain, Hide::Credentials)
        }
        ValueForm::Json(name) => {
            let Ok(text) = std::str::from_utf8(&plain) else { return whole(UNDECODED, bytes) };
            let listed = key.form.masked_members;
            // Settings are words.
            let names = names.filter(|_| name != "UserSetting");
            match redact_json::redacted(
                text,
                &format!("{name} (JSON)"),
                listed,
                names,
                &mut walk.found,
            ) {
                Some(bytes) => bytes,
                None => return whole(UNDECODED, bytes),
            }
        }
        ValueForm::Text(_) => walk.name(&plain, true),
        ValueForm::Message(_)
        | ValueForm::Id(_)
        | ValueForm::Number(_)
        | ValueForm::Empty
        | ValueForm::Permit => None,
    };
    Redacted { bytes, found: walk.found }
}

/// All of the bytes.
fn whole(kind: &'static str, bytes: &[u8]) -> Redacted {
    Redacted { bytes: Some(MASKED.into()), found: vec![Found::of(kind, bytes)] }
}

/// Bytes of which nothing is known: JSON and texts tell by their words.
fn unknown(bytes: &[u8]) -> Redacted {
    let Ok(text) = std::str::from_utf8(bytes) else { return whole(UNKNOWN, bytes) };
    let mut walk = Walk::default();
    let is_json = text.len() <= MOST_JSON_BYTES
        && text.trim_ascii_start().starts_with(['{', '['])
        && serde_json::from_slice::<serde::de::IgnoredAny>(text.as_bytes()).is_ok();
    if is_json && let Some(bytes) = redact_json::redacted(text, "JSON", &[], None, &mut walk.found)
    {
        return Redacted { bytes, found: walk.found };
    }
    let is_text = !text.chars().any(|c| c.is_control() && !c.is_ascii_whitespace());
    if !is_text || speaks_of_credentials(bytes) {
        return whole(UNKNOWN, bytes);
    }
    let bytes = walk.text(bytes);
    Redacted { bytes, found: walk.found }
}

/// Whether a message may have a credential: by its table, or in a text.
fn may_hold(of: &MessageType, bytes: &[u8]) -> bool {
    of.holds_credentials || of.holds_code || may_have_credentials(bytes)
}

/// What is replaced of a field.
enum New {
    /// A number by zero.
    Zero,
    Bytes(Vec<u8>),
}

/// How much of a message is hidden.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hide {
    /// What the table says.
    Credentials,
    /// All that it holds.
    All,
}

/// The way through a value.
#[derive(Default)]
pub(super) struct Walk<'n> {
    names: Option<&'n Pseudonyms>,
    found: Vec<Found>,
    path: Vec<Step>,
}

impl Walk<'_> {
    fn found(&mut self, kind: impl Into<Cow<'static, str>>, secret: &[u8]) {
        self.found.push(Found::at(kind, self.path.as_slice().into(), secret));
    }

    /// The message, which is known to be one, without credentials; none when it has none.
    fn message(&mut self, of: &'static MessageType, bytes: &[u8], hide: Hide) -> Option<Vec<u8>> {
        let mut fields = Fields::new(bytes);
        let mut around = Around { bytes, named: BTreeMap::new() };
        let (mut out, mut done) = (None::<Vec<u8>>, 0);
        loop {
            let from = bytes.len() - fields.left();
            let Some(Ok((number, wire))) = fields.next() else { break };
            let to = bytes.len() - fields.left();
            let new = match of.field(number) {
                Some(field) => {
                    self.path.push(Step::Field(field.name));
                    let new = self.field(of, field, wire, &mut around, hide);
                    self.path.pop();
                    new
                }
                None => self.unknown_field(of, number, wire, hide),
            };
            if let Some(new) = new {
                let out = out.get_or_insert_with(|| Vec::with_capacity(bytes.len()));
                out.extend_from_slice(bytes.get(done..from).unwrap_or_default());
                put_new(out, number, wire, new);
                done = to;
            }
        }
        let mut out = out?;
        out.extend_from_slice(bytes.get(done..).unwrap_or_default());
        Some(out)
    }

    /// A field of a message.
    fn field(
        &mut self,
        of: &'static MessageType,
        field: &'static Field,
        wire: Wire<'_>,
        around: &mut Around<'_>,
        hide: Hide,
    ) -> Option<New> {
        let hide = if field.mask == Mask::Always { Hide::All } else { hide };
        match (field.cardinality, wire) {
            (Cardinality::Map(_), Wire::Bytes(entry)) => {
                self.entry(of, field, entry, around, hide).map(New::Bytes)
            }
            (Cardinality::Repeated, Wire::Bytes(list)) if field.of.is_number() => {
                (hide == Hide::All && !list.is_empty()).then(|| {
                    self.found(kind(of, field), &[]);
                    New::Bytes(Vec::new())
                })
            }
            (_, wire) => self.value(of, field, wire, hide),
        }
    }

    /// The value of a field, or of an entry of it.
    fn value(
        &mut self,
        of: &'static MessageType,
        field: &'static Field,
        wire: Wire<'_>,
        hide: Hide,
    ) -> Option<New> {
        match (field.of, wire) {
            (Type::Message(inner), Wire::Bytes(bytes)) => {
                let goes_in = hide == Hide::All || self.names.is_some() || may_hold(inner, bytes);
                goes_in.then(|| self.message(inner, bytes, hide)).flatten().map(New::Bytes)
            }
            (_, Wire::Bytes(bytes)) if hide == Hide::Credentials => {
                self.name(bytes, field.has_names()).map(New::Bytes)
            }
            (_, Wire::Bytes(bytes)) => {
                let is_credential = !bytes.is_empty() && bytes != MASKED.as_bytes();
                is_credential.then(|| {
                    self.found(kind(of, field), bytes);
                    New::Bytes(MASKED.into())
                })
            }
            (Type::Bool, _) => None,
            (_, number) => (hide == Hide::All && !is_zero(number)).then(|| {
                self.found(kind(of, field), &[]);
                New::Zero
            }),
        }
    }

    /// An entry of a map.
    fn entry(
        &mut self,
        of: &'static MessageType,
        field: &'static Field,
        entry: &[u8],
        around: &mut Around<'_>,
        hide: Hide,
    ) -> Option<Vec<u8>> {
        // The last key counts; any may be what a reader goes by.
        let hides =
            |key: &str| names_credential(key) || (key == "value" && around.names_its_value(field));
        let hides = field.mask == Mask::ByKey && texts(entry, 1).any(hides);
        let hide = if hides { Hide::All } else { hide };
        let name = texts(entry, 1).last().unwrap_or_default();
        self.path.push(Step::Entry(name.to_owned()));
        let mut fields = Fields::new(entry);
        let (mut out, mut done) = (None::<Vec<u8>>, 0);
        loop {
            let from = entry.len() - fields.left();
            let Some(Ok((number, wire))) = fields.next() else { break };
            let to = entry.len() - fields.left();
            let new = match number {
                1 => self.key(field, wire),
                2 => self.value(of, field, wire, hide),
                number => self.unknown_field(of, number, wire, hide),
            };
            if let Some(new) = new {
                let out = out.get_or_insert_with(Vec::new);
                out.extend_from_slice(entry.get(done..from).unwrap_or_default());
                put_new(out, number, wire, new);
                done = to;
            }
        }
        self.path.pop();
        let mut out = out?;
        out.extend_from_slice(entry.get(done..).unwrap_or_default());
        Some(out)
    }

    /// A field that the table does not know. Where credentials are, a newer server may have one
    /// there: it becomes what it would be if it were left out, whatever its type is.
    fn unknown_field(
        &mut self,
        of: &'static MessageType,
        number: u32,
        wire: Wire<'_>,
        hide: Hide,
    ) -> Option<New> {
        let hides = hide == Hide::All || of.holds_credentials || self.names.is_some();
        self.path.push(Step::Unknown(number));
        let new = match wire {
            Wire::Bytes(bytes) if !hides => self.text(bytes).map(New::Bytes),
            Wire::Bytes(bytes) => (!bytes.is_empty()).then(|| {
                self.found(of_unknown(of), bytes);
                New::Bytes(Vec::new())
            }),
            // A number is no name.
            _ if hide == Hide::Credentials && !of.holds_credentials => None,
            wire => (!is_zero(wire)).then(|| {
                self.found(of_unknown(of), &[]);
                New::Zero
            }),
        };
        self.path.pop();
        new
    }

    /// A text, which may be a name; none when it stays.
    fn name(&mut self, bytes: &[u8], may_be_name: bool) -> Option<Vec<u8>> {
        let without = self.text(bytes);
        let Some(names) = self.names.filter(|_| may_be_name) else { return without };
        let text = std::str::from_utf8(bytes).ok()?;
        let member = match self.path.last() {
            Some(Step::Field(name)) => name,
            Some(Step::Entry(key)) => key.as_str(),
            Some(Step::Unknown(_)) | None => "",
        };
        match names.of(text) {
            Cow::Owned(name) if is_named(member, text) => Some(name.into_bytes()),
            _ => without,
        }
    }

    /// The key of an entry, which may be a name.
    fn key(&self, field: &Field, wire: Wire<'_>) -> Option<New> {
        let names = self.names.filter(|_| field.has_named_keys())?;
        let Wire::Bytes(bytes) = wire else { return None };
        match names.of(std::str::from_utf8(bytes).ok()?) {
            Cow::Owned(name) => Some(New::Bytes(name.into_bytes())),
            Cow::Borrowed(_) => None,
        }
    }

    /// A text without the credentials in it; none when it has none.
    fn text(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if !may_have_credentials(bytes) {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let ranges = credentials_in(text);
        for range in &ranges {
            self.found(IN_TEXT, text.get(range.clone()).unwrap_or_default().as_bytes());
        }
        (!ranges.is_empty()).then(|| without(text, &ranges).into_bytes())
    }
}

fn kind(of: &MessageType, field: &Field) -> String {
    [of.name, ".", field.name].concat()
}

fn of_unknown(of: &MessageType) -> String {
    [of.name, ", unknown field"].concat()
}

const fn is_zero(wire: Wire<'_>) -> bool {
    matches!(wire, Wire::Varint(0) | Wire::Fixed64(0) | Wire::Fixed32(0))
}

/// The texts of a field of a map's entry: its keys or its values.
fn texts(entry: &[u8], of: u32) -> impl Iterator<Item = &str> {
    Fields::new(entry).filter_map(move |field| match field {
        Ok((number, Wire::Bytes(text))) if number == of => std::str::from_utf8(text).ok(),
        _ => None,
    })
}

/// The message around a field.
struct Around<'a> {
    bytes: &'a [u8],
    /// Of maps that were asked about, by number.
    named: BTreeMap<u32, bool>,
}

impl Around<'_> {
    /// Whether an entry of a map, `name`, says that its `value` is a credential.
    fn names_its_value(&mut self, field: &Field) -> bool {
        let Self { bytes, named } = self;
        *named.entry(field.number).or_insert_with(|| {
            Fields::new(bytes).any(|other| match other {
                Ok((number, Wire::Bytes(entry))) if number == field.number => {
                    texts(entry, 1).any(|key| key == "name")
                        && texts(entry, 2).any(names_credential)
                }
                _ => false,
            })
        })
    }
}

fn put_new(out: &mut Vec<u8>, number: u32, was: Wire<'_>, new: New) {
    match (new, was) {
        (New::Bytes(bytes), _) => put(out, number, Wire::Bytes(&bytes)),
        (New::Zero, Wire::Fixed64(_)) => put(out, number, Wire::Fixed64(0)),
        (New::Zero, Wire::Fixed32(_)) => put(out, number, Wire::Fixed32(0)),
        (New::Zero, _) => {
            put_varint(out, u64::from(number) << 3);
            put_varint(out, 0);
        }
    }
}
