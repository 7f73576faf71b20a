//! What the bytes of a value are: protobuf, JSON, text or neither; unpacked when they are packed.

use std::borrow::Cow;

use serde::Serialize;

use super::protobuf::{Field, message};
pub use crate::value::MOST_UNPACKED_BYTES;
use crate::value::{first_part, unpacked};

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
    /// Why it cannot be unpacked.
    pub error: Option<String>,
    /// What it is.
    pub content: Content,
    /// Its first bytes in hexadecimal.
    pub hex: String,
}

/// What a value is, as far as its bytes tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase", tag = "type", content = "value")]
pub enum Content {
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

/// Tells what the bytes of a value are.
///
/// ```
/// use metadump::decode::{Content, value};
///
/// assert_eq!(value(b"{\"a\":1}").content, Content::Json("{\"a\":1}".into()));
/// assert_eq!(value(b"hello").content, Content::Text("hello".into()));
/// ```
pub fn value(bytes: &[u8]) -> ValueView {
    value_within(bytes, &mut { MOST_UNPACKED_BYTES })
}

/// Like [`value`], unpacking no more than `left` bytes, of which it takes what it unpacks.
pub(super) fn value_within(bytes: &[u8], left: &mut u64) -> ValueView {
    let mut view = ValueView {
        bytes: bytes.len() as u64,
        unpacked_bytes: None,
        error: None,
        content: Content::Binary,
        hex: String::new(),
    };
    let mut shown = bytes;
    let plain = unpacked(bytes, *left);
    match &plain {
        Ok(Cow::Borrowed(plain)) => shown = plain,
        Ok(Cow::Owned(plain)) => {
            *left -= plain.len() as u64;
            view.unpacked_bytes = Some(plain.len() as u64);
            shown = plain;
        }
        Err(misfit) => view.error = Some(misfit.to_string()),
    }
    if view.error.is_none() {
        view.content = content(shown);
    }
    view.hex = shown.iter().take(MOST_HEX_BYTES).map(|byte| format!("{byte:02x}")).collect();
    view
}

fn content(bytes: &[u8]) -> Content {
    if bytes.is_empty() {
        return Content::Empty;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if text.len() <= MOST_TEXT_BYTES
            && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
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
        assert_eq!((value_within(&bytes, &mut left).error, left), (None, 1));
        let error = value_within(&bytes, &mut left).error;
        assert_eq!(error.as_deref(), Some("unpacks to more than 1 bytes"));
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
    fn kinds_of_content() {
        assert_eq!(value(b"").content, Content::Empty);
        assert_eq!(value(b"12").content, Content::Json("12".into()));
        assert_eq!(value(&[0xff, 0xff]).content, Content::Binary);
    }
}
