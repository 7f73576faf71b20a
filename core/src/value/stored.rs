//! A record of the key space, decoded: as an outline for people, as JSON for programs.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    KeyParts, MASKED, MOST_UNPACKED_BYTES, ObjectKind, Read, Reading, Scalar, Secrets,
    ShownContent, Viewer, raw_scalar, unpacked,
};
use crate::dump::record::SeqV;

/// How many lines and bytes of text of a value are shown.
const MOST_LINES: usize = 100_000;
const MOST_TEXT_BYTES: usize = 64 << 20;

/// A record, as `--format json` prints it.
#[derive(Debug, Serialize)]
pub struct Stored {
    /// The key, masked where it holds a credential.
    pub key: String,
    /// The sequence number of the write.
    pub seq: u64,
    /// When it expires, milliseconds since 1970.
    pub expire_at_ms: Option<u64>,
    /// How long the value is.
    pub bytes: u64,
    /// The name of the message, or what else the value is.
    pub form: String,
    /// Why the value is not what it is to be.
    pub error: Option<String>,
    /// The value in JSON, when it is wanted as such.
    pub value: Option<Box<RawValue>>,
    /// The same for people, when it is wanted for them.
    #[serde(skip)]
    pub content: ShownContent,
    /// How many credentials are masked.
    #[serde(skip)]
    pub masked: u64,
    /// Whether one of them is in the key.
    #[serde(skip)]
    pub has_masked_key: bool,
}

/// How a value is wanted.
#[derive(Clone, Copy)]
pub enum Wanted<'n> {
    /// As JSON.
    Json,
    /// As an outline; the function gives the names of objects, to stand beside their ids.
    Outline(&'n dyn Fn(ObjectKind, u64) -> Option<String>),
}

impl std::fmt::Debug for Wanted<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Json => "Json",
            Self::Outline(_) => "Outline",
        })
    }
}

impl Stored {
    /// What is stored under a key.
    ///
    /// ```
    /// use metadump::record::SeqV;
    /// use metadump::value::{Secrets, Stored, Wanted};
    ///
    /// let record = SeqV { seq: 3, meta: None, data: b"7".to_vec().into() };
    /// let stored = Stored::of("__fd_database/t/db", &record, Secrets::Masked, Wanted::Json);
    /// assert_eq!(stored.value.unwrap().get(), "7");
    /// ```
    pub fn of(key: &str, value: &SeqV<'_>, secrets: Secrets, wanted: Wanted<'_>) -> Self {
        let bytes = value.data.decode();
        let parts = KeyParts::of(key);
        let hides_key = parts.filter(|_| secrets == Secrets::Masked);
        let masked_key = hides_key.and_then(|parts| parts.masked());
        let mut record = Self {
            masked: u64::from(masked_key.is_some()),
            has_masked_key: masked_key.is_some(),
            key: masked_key.unwrap_or_else(|| key.to_owned()),
            seq: value.seq,
            expire_at_ms: value.expire_ms(),
            bytes: bytes.len() as u64,
            form: "value of an unknown form".to_owned(),
            error: None,
            content: ShownContent::Text(String::new()),
            value: None,
        };
        let plain = unpacked(&bytes, MOST_UNPACKED_BYTES);
        let read = Reading::of(parts.as_ref(), &bytes, &plain, secrets);
        record.masked += read.masked;
        if let Some(parts) = parts {
            let form = plain.as_ref().ok().and_then(|plain| parts.forms().of(plain));
            record.form = form.map_or(record.form, |form| form.name());
        }
        record.error = read.misfit.map(|misfit| misfit.to_string());
        match (read.content, wanted) {
            // It always has a JSON form.
            (Read::Meaning(meaning), Wanted::Json) => record.value = to_raw_value(&meaning).ok(),
            (Read::Meaning(meaning), Wanted::Outline(names)) => {
                let viewer = Viewer::new(MOST_LINES, MOST_TEXT_BYTES, names);
                let kind = parts.map_or(ObjectKind::Namespace, |parts| parts.form.kind);
                record.content = viewer.show(&meaning, kind);
            }
            (Read::Raw(bytes), _) => record.take(&raw_scalar(bytes)),
            (Read::Json(value), _) => {
                let json = serde_json::to_string(&value).ok();
                record.take(&Scalar::Text(json.map_or(MASKED.into(), Into::into)));
            }
            (Read::Hidden, _) => record.take(&Scalar::Text(MASKED.into())),
        }
        record
    }

    /// Takes what is of no known form: a text, or bytes, for people in hexadecimal, in JSON in base64.
    fn take(&mut self, scalar: &Scalar<'_>) {
        self.value = to_raw_value(scalar).ok();
        self.content = ShownContent::Text(match scalar {
            Scalar::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            scalar => scalar.key_text().into_owned(),
        });
    }

    /// How many credentials are masked in the value.
    pub fn masked_in_value(&self) -> u64 {
        self.masked.saturating_sub(u64::from(self.has_masked_key))
    }
}
