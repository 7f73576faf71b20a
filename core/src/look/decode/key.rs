//! The segments of a key and their percent escapes.

use serde::Serialize;

use crate::value::unescape;

/// One segment of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct KeySegment {
    /// The segment as it stands in the dump, without its `/`.
    pub raw: String,
    /// The segment without escapes, when it has any.
    pub decoded: Option<String>,
}

/// Splits a key at `/` and undoes escapes.
///
/// Servers write every byte except `0-9 A-Z a-z _` of a name as `%` and two hexadecimal digits.
///
/// ```
/// let segments = metadump::decode::key_segments("__fd_users/t/%27a%2db%27");
/// assert_eq!(segments[2].decoded.as_deref(), Some("'a-b'"));
/// ```
pub fn key_segments(key: &str) -> Vec<KeySegment> {
    key.split('/').map(|raw| KeySegment { raw: raw.to_owned(), decoded: unescape(raw) }).collect()
}
