//! A record of the key space, decoded: as an outline for people, as JSON for programs.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    KeyParts, MASKED, MOST_UNPACKED_BYTES, Meaning, ObjectKind, Scalar, Secrets, ShownContent,
    Viewer, raw_scalar, unpacked,
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
        let raw = plain.as_ref().map_or(&*bytes, |plain| plain);
        let Some(parts) = parts else {
            record.take_raw(raw, secrets);
            return record;
        };
        let meaning = match &plain {
            Ok(plain) => parts.meaning(plain).unwrap_or(Ok(Meaning::Empty)),
            Err(misfit) => Err(misfit.clone()),
        };
        match meaning {
            Ok(mut meaning) => {
                if secrets == Secrets::Masked {
                    record.masked += meaning.mask(parts.form);
                }
                record.form = meaning.name();
                match wanted {
                    // It always has a JSON form.
                    Wanted::Json => record.value = to_raw_value(&meaning).ok(),
                    Wanted::Outline(names) => {
                        let viewer = Viewer::new(MOST_LINES, MOST_TEXT_BYTES, names);
                        record.content = viewer.show(&meaning, parts.form.kind);
                    }
                }
            }
            Err(misfit) => {
                if let Some(form) = plain.as_ref().ok().and_then(|plain| parts.forms().of(plain)) {
                    record.form = form.name();
                }
                record.error = Some(misfit.to_string());
                if secrets == Secrets::Masked && parts.form.may_hold_credentials() {
                    // Which of the bytes are one is not known.
                    record.masked += 1;
                    record.value = to_raw_value(MASKED).ok();
                    record.content = ShownContent::Text(MASKED.to_owned());
                } else {
                    record.take_raw(raw, secrets);
                }
            }
        }
        record
    }

    /// Bytes that are of no known form: as text if they are one, or else in hexadecimal, in JSON in
    /// base64.
    fn take_raw(&mut self, bytes: &[u8], secrets: Secrets) {
        let (scalar, masked) = raw_scalar(bytes, secrets);
        self.masked += masked;
        self.value = to_raw_value(&scalar).ok();
        self.content = ShownContent::Text(match scalar {
            Scalar::Text(text) => text.into_owned(),
            _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        });
    }

    /// How many credentials are masked in the value.
    pub fn masked_in_value(&self) -> u64 {
        self.masked.saturating_sub(u64::from(self.has_masked_key))
    }
}
