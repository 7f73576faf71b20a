//! What the bytes of a value are, by the key that they are stored under.

use std::borrow::Cow;
use std::io::Read;

use serde::de::IgnoredAny;

use super::fits::fits;
use super::items::{Misfit, Reason, Scalar};
use super::key::KeyParts;
use super::message::{Decoded, Value};
use super::table::{MessageType, ObjectKind, ValueForm};
use crate::dump::plural::plural;

/// How many bytes a packed value may unpack to.
pub const MOST_UNPACKED_BYTES: u64 = 64 << 20;

/// How many bytes of JSON are read.
pub(super) const MOST_JSON_BYTES: usize = 4 << 20;

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning<'a> {
    /// Zero bytes.
    Empty,
    /// The id of an object.
    Id(ObjectKind, u64),
    /// A number, and what it counts.
    Number(&'static str, u64),
    /// A text.
    Text(&'a str),
    /// JSON of a name.
    Json(&'static str, Value<'static>),
    /// The permits that a process holds of a semaphore.
    Permit {
        /// Which process.
        id: &'a str,
        /// How many.
        permits: u64,
    },
    /// A message.
    Message(Decoded<'a>),
}

impl Meaning<'_> {
    /// What it is called: `TableMeta`, `id of a table`.
    pub fn name(&self) -> String {
        let form = match self {
            Self::Empty => ValueForm::Empty,
            Self::Id(kind, _) => ValueForm::Id(*kind),
            Self::Number(what, _) => ValueForm::Number(what),
            Self::Text(_) => ValueForm::Text(""),
            Self::Json(name, _) => ValueForm::Json(name),
            Self::Permit { .. } => ValueForm::Permit,
            Self::Message(decoded) => ValueForm::Message(decoded.message.of),
        };
        form.name()
    }
}

impl<'a> Meaning<'a> {
    /// The same as a value: nothing as JSON's `null`, permits as a map.
    pub fn into_value(self) -> Value<'a> {
        match self {
            Self::Empty => Value::Scalar(Scalar::Null),
            Self::Id(_, number) | Self::Number(_, number) => {
                Value::Scalar(Scalar::Unsigned(number))
            }
            Self::Text(text) => Value::Scalar(Scalar::Text(text.into())),
            Self::Json(_, value) => value,
            Self::Permit { id, permits } => {
                let member =
                    |name: &'static str, value| (Scalar::Text(name.into()), Value::Scalar(value));
                let permits = member("permits", Scalar::Unsigned(permits));
                Value::Map(vec![member("id", Scalar::Text(id.into())), permits])
            }
            Self::Message(decoded) => Value::Message(decoded.message),
        }
    }
}

impl ValueForm {
    /// What a value of the form is called: `TableMeta`, `id of a table`.
    pub fn name(&self) -> String {
        match self {
            Self::Message(of) => of.name.to_owned(),
            Self::Id(kind) => format!("id of {}", kind.one()),
            Self::Number(what) => format!("number ({what})"),
            Self::Json(name) => format!("{name} (JSON)"),
            Self::Text(_) => "text".to_owned(),
            Self::Empty => "empty".to_owned(),
            Self::Permit => "permits of a semaphore".to_owned(),
        }
    }
}

/// The forms of a value, for which a key is not needed any more.
#[derive(Debug, Clone, Copy)]
pub struct Forms(&'static [ValueForm]);

impl KeyParts<'_> {
    /// The forms that the value may have.
    pub const fn forms(&self) -> Forms {
        Forms(self.form.values)
    }

    /// What a value is, which is unpacked; none when no form is known.
    pub fn meaning<'a>(&self, bytes: &'a [u8]) -> Option<Result<Meaning<'a>, Misfit>> {
        self.forms().of(bytes).map(|form| read(form, bytes))
    }
}

impl Forms {
    /// The form of the bytes. JSON, where it is a former form, begins as an object.
    pub fn of(self, bytes: &[u8]) -> Option<ValueForm> {
        let fits = |form: &&ValueForm| match form {
            ValueForm::Json(_) => self.0.len() == 1 || bytes.starts_with(b"{"),
            ValueForm::Empty => self.0.len() == 1 || bytes.is_empty(),
            _ => false,
        };
        self.0.iter().find(fits).or_else(|| self.0.first()).copied()
    }

    /// The message that the bytes are, if they are to be one.
    pub fn message(self, bytes: &[u8]) -> Option<&'static MessageType> {
        match self.of(bytes) {
            Some(ValueForm::Message(of)) => Some(of),
            _ => None,
        }
    }

    /// Whether the bytes, which are unpacked, have their form; any have where no form is known.
    ///
    /// ```
    /// use metadump::value::KeyParts;
    ///
    /// let forms = KeyParts::of("__fd_table/7/orders").unwrap().forms();
    /// assert!(forms.fit(b"42").is_ok());
    /// assert_eq!(forms.fit(b"4x").unwrap_err().to_string(), "not a decimal number");
    /// ```
    pub fn fit(self, bytes: &[u8]) -> Result<(), Misfit> {
        match self.of(bytes) {
            Some(ValueForm::Message(of)) => fits(of, bytes),
            Some(ValueForm::Json(_)) => serde_json::from_slice::<IgnoredAny>(bytes)
                .map(drop)
                .map_err(|error| Reason::NotJson(error.to_string()).into()),
            Some(form) => read(form, bytes).map(drop),
            None => Ok(()),
        }
    }
}

fn read(form: ValueForm, bytes: &[u8]) -> Result<Meaning<'_>, Misfit> {
    let text = || std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8);
    Ok(match form {
        ValueForm::Message(of) => Meaning::Message(Decoded::read(of, bytes)?),
        ValueForm::Id(kind) => Meaning::Id(kind, decimal(bytes)?),
        ValueForm::Number(what) => Meaning::Number(what, decimal(bytes)?),
        ValueForm::Text(_) => Meaning::Text(text()?),
        ValueForm::Empty if bytes.is_empty() => Meaning::Empty,
        ValueForm::Empty => return Err(Reason::NotEmpty(bytes.len()).into()),
        ValueForm::Permit => permit(bytes).ok_or(Reason::NotAPermit)?,
        ValueForm::Json(_) if bytes.len() > MOST_JSON_BYTES => {
            return Err(Reason::Long(MOST_JSON_BYTES).into());
        }
        ValueForm::Json(name) => {
            let json = serde_json::from_slice(bytes);
            let mut json = json.map_err(|error| Reason::NotJson(error.to_string()))?;
            if name == "UserSetting" {
                setting_text(&mut json);
            }
            Meaning::Json(name, json)
        }
    })
}

/// A text in a setting is written as a list of its bytes.
fn setting_text(setting: &mut Value<'_>) {
    let Value::Map(members) = setting else { return };
    for (_, value) in members.iter_mut().filter(|(key, _)| key.key_text() == "value") {
        let Value::Map(variant) = value else { continue };
        let texts = variant.iter_mut().filter(|(key, _)| key.key_text() == "String");
        for (_, text) in texts {
            let Value::List(list) = text else { continue };
            let byte = |element: &Value<'_>| match element {
                Value::Scalar(Scalar::Unsigned(byte)) => u8::try_from(*byte).ok(),
                _ => None,
            };
            let bytes: Option<Vec<u8>> = list.iter().map(byte).collect();
            if let Some(Ok(read)) = bytes.map(String::from_utf8) {
                *text = Value::Scalar(Scalar::Text(read.into()));
            }
        }
    }
}

/// Digits only, as servers write them.
fn decimal(bytes: &[u8]) -> Result<u64, Reason> {
    let text = std::str::from_utf8(bytes).map_err(|_| Reason::NotANumber)?;
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok());
    number.flatten().ok_or(Reason::NotANumber)
}

fn permit(bytes: &[u8]) -> Option<Meaning<'_>> {
    let rest = bytes.strip_prefix(&[1])?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (id, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)?;
    let permits = u64::from_be_bytes(rest.try_into().ok()?);
    Some(Meaning::Permit { id: std::str::from_utf8(id).ok()?, permits })
}

/// The bytes of a value without its packing: messages may be stored with zstd.
///
/// A packing begins with the byte 0F, which no message does, and three bytes of flags, of which
/// only the first bit is known: zstd.
pub fn unpacked(bytes: &[u8], most: u64) -> Result<Cow<'_, [u8]>, Misfit> {
    let Some((flags, rest)) = bytes.strip_prefix(&[0x0f]).and_then(<[u8]>::split_first_chunk)
    else {
        return Ok(bytes.into());
    };
    match *flags {
        [0, 0, 0] => Ok(rest.into()),
        [1, 0, 0] => {
            unzstd(rest, most).map(Cow::Owned).map_err(|error| Reason::Packing(error).into())
        }
        [a, b, c] => {
            let reason = format!("packed in an unknown way (flags {a:02x} {b:02x} {c:02x})");
            Err(Reason::Packing(reason).into())
        }
    }
}

fn unzstd(frame: &[u8], most: u64) -> Result<Vec<u8>, String> {
    let mut source = frame;
    let decoder = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(
        &mut source,
        MOST_UNPACKED_BYTES,
    )
    .map_err(|error| format!("not a zstd frame: {error}"))?;
    let mut plain = Vec::new();
    let read = decoder.take(most.saturating_add(1)).read_to_end(&mut plain);
    read.map_err(|error| format!("the zstd frame is broken: {error}"))?;
    if plain.len() as u64 > most {
        return Err(format!("unpacks to more than {most} bytes"));
    }
    // A value is one frame: what stands behind it would be passed over.
    match source.len() {
        0 => Ok(plain),
        behind => Err(format!("{} behind the zstd frame", plural(behind as u64, "byte", "bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning<'a>(key: &str, bytes: &'a [u8]) -> Result<Meaning<'a>, Reason> {
        KeyParts::of(key).unwrap().meaning(bytes).unwrap().map_err(|misfit| misfit.reason)
    }

    #[test]
    fn values_without_a_message() {
        assert_eq!(meaning("__fd_table/1/t", b"42"), Ok(Meaning::Id(ObjectKind::Table, 42)));
        assert_eq!(meaning("__fd_table/1/t", b""), Err(Reason::NotANumber));
        assert_eq!(meaning("__fd_table/1/t", b"+4"), Err(Reason::NotANumber));
        assert_eq!(meaning("__fd_sequence_storage/t/s", b"3"), Ok(Meaning::Number("next", 3)));
        assert_eq!(meaning("_txn_id/00ff", b""), Ok(Meaning::Empty));
        assert_eq!(meaning("_txn_id/00ff", b"x"), Err(Reason::NotEmpty(1)));
        assert_eq!(Reason::NotEmpty(1).to_string(), "1 byte where nothing is expected");
        let permit = b"\x01\0\0\0\x02ab\0\0\0\0\0\0\0\x05";
        let key = "__fd_queries_queue/queue/w/c/queue/00000000000000000001";
        assert_eq!(meaning(key, permit), Ok(Meaning::Permit { id: "ab", permits: 5 }));
        assert_eq!(meaning(key, &permit[..14]), Err(Reason::NotAPermit));
    }

    #[test]
    fn json_where_a_message_came_later() {
        let Ok(Meaning::Json(name, Value::Map(members))) =
            meaning("__fd_roles/t/r", br#"{"name":"r"}"#)
        else {
            panic!("no JSON");
        };
        assert_eq!((name, members.len()), ("RoleInfo", 1));
        assert_eq!(members[0].1, Value::Scalar(Scalar::Text("r".into())));
        assert!(matches!(meaning("__fd_roles/t/r", b"\x0a\x01r"), Ok(Meaning::Message(_))));
        assert_eq!(meaning("__fd_id_gen/table_id", b""), Ok(Meaning::Empty));
    }

    #[test]
    fn the_text_of_a_setting() {
        let setting = br#"{"name":"timezone","value":{"String":[85,84,67]}}"#;
        let Ok(Meaning::Json(_, value)) = meaning("__fd_settings/t/timezone", setting) else {
            panic!("no JSON");
        };
        let json = serde_json::to_string(&value).unwrap();
        assert_eq!(json, r#"{"name":"timezone","value":{"String":"UTC"}}"#);
    }

    #[test]
    fn packed_values() {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let frame = ruzstd::encoding::compress_to_vec(&b"\xa0\x06\x18"[..], level);
        let bytes = [b"\x0f\x01\0\0", frame.as_slice()].concat();
        assert_eq!(unpacked(&bytes, 3).unwrap(), b"\xa0\x06\x18".as_slice());
        let reason = |bytes: &[u8], most| unpacked(bytes, most).unwrap_err().to_string();
        assert_eq!(reason(&bytes, 2), "unpacks to more than 2 bytes");
        assert!(reason(b"\x0f\x01\0\0broken", 9).starts_with("not a zstd frame"));
        let unknown = "packed in an unknown way (flags 03 00 00)";
        assert_eq!(reason(b"\x0f\x03\0\0", 9), unknown);
        assert_eq!(unpacked(b"\x0f\0\0\0\xa0\x06\x18", 0).unwrap(), b"\xa0\x06\x18".as_slice());
    }
}
