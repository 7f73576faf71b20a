//! What the bytes of a value are: protobuf, JSON, text or neither; unpacked when they are packed.

use std::borrow::Cow;

use serde::Serialize;

use super::protobuf::{Field, MOST_FIELDS, message};
pub use crate::value::MOST_UNPACKED_BYTES;
use crate::value::{
    KeyParts, Meaning, ObjectKind, Read, Reading, Secrets, ShownContent, Viewer, first_part,
    unpacked,
};

/// How many bytes are shown in hexadecimal.
const MOST_HEX_BYTES: usize = 4096;

/// How many bytes of text are shown.
const MOST_TEXT_BYTES: usize = 1 << 20;

/// A value for the eye.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct ValueView {
    /// How many bytes the value has in the store.
    pub bytes: u64,
    /// How many it has unpacked, when it is packed with zstd.
    pub unpacked_bytes: Option<u64>,
    /// Why it is not what it should be by its key, or cannot be unpacked.
    pub error: Option<String>,
    /// What it is by its key: `TableMeta`, `id of a table`; none when the key is of no known form.
    pub form: Option<String>,
    /// What it is.
    pub content: Content,
    /// How many credentials are masked.
    pub masked: u64,
    /// Its first bytes in hexadecimal; none when a credential is masked.
    pub hex: String,
}

/// What a value is, as far as its bytes tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase", tag = "type", content = "value")]
pub enum Content {
    /// What it is by its key, with names.
    Named(ShownContent),
    /// Nothing.
    Empty,
    /// JSON, as it is spelled.
    Json(String),
    /// Printable text.
    Text(String),
    /// A message.
    Protobuf(Vec<Field>),
    /// Anything else.
    Binary,
}

/// Says what the bytes of a value are, without the key that they are stored under.
///
/// ```
/// use metadump::decode::{Content, value};
///
/// assert_eq!(value(b"{\"a\":1}").content, Content::Json("{\"a\":1}".into()));
/// assert_eq!(value(b"hello").content, Content::Text("hello".into()));
/// ```
pub fn value(bytes: &[u8]) -> ValueView {
    value_within(None, bytes, &mut { MOST_UNPACKED_BYTES }, Secrets::Shown)
}

/// Like [`value`], by its key, unpacking no more than `left` bytes, of which it takes what it
/// unpacks.
pub(super) fn value_within(
    key: Option<&KeyParts<'_>>,
    bytes: &[u8],
    left: &mut u64,
    secrets: Secrets,
) -> ValueView {
    let mut view = ValueView {
        bytes: bytes.len() as u64,
        unpacked_bytes: None,
        error: None,
        form: None,
        content: Content::Binary,
        masked: 0,
        hex: String::new(),
    };
    let plain = unpacked(bytes, *left);
    if let Ok(Cow::Owned(plain)) = &plain {
        *left -= plain.len() as u64;
        view.unpacked_bytes = Some(plain.len() as u64);
    }
    let read = Reading::of(key, bytes, &plain, secrets);
    view.masked = read.masked;
    view.error = read.misfit.map(|misfit| misfit.to_string());
    view.content = match read.content {
        Read::Meaning(meaning) => {
            view.form = Some(meaning.name());
            let kind = key.map_or(ObjectKind::Namespace, |key| key.form.kind);
            if meaning == Meaning::Empty { Content::Empty } else { named(&meaning, kind) }
        }
        Read::Raw(bytes) => content(bytes),
        Read::Json(value) => named(&Meaning::Json("", value), ObjectKind::Namespace),
        Read::Hidden => Content::Binary,
    };
    if view.masked == 0 {
        let shown = plain.as_ref().map_or(bytes, |plain| plain);
        view.hex = shown.iter().take(MOST_HEX_BYTES).map(|byte| format!("{byte:02x}")).collect();
    }
    view
}

fn named(meaning: &Meaning<'_>, kind: ObjectKind) -> Content {
    let viewer = Viewer::new(MOST_FIELDS, MOST_TEXT_BYTES, &|_, _| None);
    Content::Named(viewer.show(meaning, kind))
}

fn content(bytes: &[u8]) -> Content {
    if bytes.is_empty() {
        return Content::Empty;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if text.len() <= MOST_TEXT_BYTES
            && serde_json::from_slice::<serde::de::IgnoredAny>(text.as_bytes()).is_ok()
        {
            return Content::Json(text.to_owned());
        }
        if printable(text) {
            return Content::Text(first_part(text, MOST_TEXT_BYTES));
        }
    }
    message(bytes).map_or(Content::Binary, Content::Protobuf)
}

/// Whether a text has no control characters but those of layout.
pub(super) fn printable(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_values_are_unpacked() {
        let mut bytes = b"\x0f\x01\0\0".to_vec();
        let frame = ruzstd::encoding::compress_to_vec(
            &b"\xa0\x06\x18\xa8\x06\x18"[..],
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        bytes.extend(frame);
        let view = value(&bytes);
        assert_eq!((view.unpacked_bytes, view.error), (Some(6), None));
        assert!(matches!(view.content, Content::Protobuf(fields) if fields.len() == 2));
        assert_eq!(view.hex, "a00618a80618");
        let mut left = 7;
        assert_eq!((value_within(None, &bytes, &mut left, Secrets::Masked).error, left), (None, 1));
        let error = value_within(None, &bytes, &mut left, Secrets::Masked).error;
        assert_eq!(error.as_deref(), Some("unpacks to more than 1 bytes"));
        // What stands behind the frame may be anything: a credential, too.
        bytes.extend(b"password");
        let error = value(&bytes).error;
        assert_eq!(error.as_deref(), Some("8 bytes behind the zstd frame"));
    }

    #[test]
    fn a_broken_frame_is_reported() {
        let view = value(b"\x0f\x01\x00\x00broken");
        assert_eq!(view.content, Content::Binary);
        assert!(view.error.unwrap().starts_with("not a zstd frame"));
    }

    #[test]
    fn of_long_text_the_first_part_is_shown() {
        let long = "é".repeat(MOST_TEXT_BYTES);
        let Content::Text(shown) = value(long.as_bytes()).content else { panic!("no text") };
        assert_eq!(shown, "é".repeat(MOST_TEXT_BYTES / 2) + "…");
    }

    #[test]
    fn a_value_by_its_key() {
        let by = |key: &str, bytes: &[u8], secrets| {
            let parts = KeyParts::of(key).unwrap();
            value_within(Some(&parts), bytes, &mut 0, secrets)
        };
        let view = by("__fd_table/1/t", b"42", Secrets::Masked);
        assert_eq!(view.form.as_deref(), Some("id of a table"));
        assert_eq!(view.content, Content::Named(ShownContent::Text("42".into())));
        assert_eq!(view.hex, "3432");

        let gcs = b"\x1a\x09\x0a\x07\x1a\x05\x22\x03key";
        let masked = by("__fd_stages/t/s", gcs, Secrets::Masked);
        assert_eq!((masked.form.as_deref(), masked.masked), (Some("StageInfo"), 1));
        assert_eq!(masked.hex, "");
        let json = serde_json::to_string(&masked.content).unwrap();
        assert!(json.contains(r#""name":"credential","type":"text","value":"***""#), "{json}");
        let shown = by("__fd_stages/t/s", gcs, Secrets::Shown);
        assert!(shown.masked == 0 && shown.hex.ends_with("6b6579"), "{shown:?}");

        let misfit = by("__fd_stages/t/s", b"hello", Secrets::Masked);
        assert_eq!(
            (misfit.content, misfit.masked, misfit.hex),
            (Content::Binary, 1, String::new())
        );
        let misfit = by("__fd_stages/t/s", b"hello", Secrets::Shown);
        assert_eq!((misfit.form, misfit.content), (None, Content::Text("hello".into())));
        let reason = "not a protobuf message: no field has wire type 4";
        assert_eq!(misfit.error.as_deref(), Some(reason));
    }

    #[test]
    fn kinds_of_content() {
        assert_eq!(value(b"").content, Content::Empty);
        assert_eq!(value(b"12").content, Content::Json("12".into()));
        assert_eq!(value(&[0xff, 0xff]).content, Content::Binary);
    }
}
