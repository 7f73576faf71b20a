//! The segments of a key: what each of them is, and its percent escapes.

use serde::Serialize;

use crate::value::{KeyParts, unescape};

/// One segment of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct KeySegment {
    /// The segment as it stands in the dump, without its `/`.
    pub raw: String,
    /// The segment without escapes, when it has any.
    pub decoded: Option<String>,
    /// What it is: `id of a table`, `tenant`; none of a segment that is the same in every key of its
    /// form, and in keys of no known form.
    pub meaning: Option<String>,
}

/// Splits a key at `/`, says what its segments are and undoes escapes.
///
/// Servers write every byte except `0-9 A-Z a-z _` of a name as `%` and two hexadecimal digits.
///
/// ```
/// let segments = metadump::decode::key_segments("__fd_users/t/%27a%2db%27");
/// assert_eq!(segments[1].meaning.as_deref(), Some("tenant"));
/// assert_eq!(segments[2].meaning.as_deref(), Some("name of a user"));
/// assert_eq!(segments[2].decoded.as_deref(), Some("'a-b'"));
/// ```
pub fn key_segments(key: &str) -> Vec<KeySegment> {
    let mut segments: Vec<_> = key
        .split('/')
        .map(|raw| KeySegment { raw: raw.to_owned(), decoded: unescape(raw), meaning: None })
        .collect();
    let Some(parts) = KeyParts::of(key) else { return segments };
    let mut left = segments.iter_mut();
    if let Some(prefix) = left.next() {
        prefix.meaning = parts.prefix_meaning();
    }
    for (segment, raw) in parts.segments() {
        // What is left of a key may hold `/`.
        for one in left.by_ref().take(raw.split('/').count()) {
            one.meaning = segment.meaning();
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, expected: &[Option<&str>]) {
        let segments = key_segments(key);
        let meanings: Vec<_> = segments.iter().map(|one| one.meaning.as_deref()).collect();
        assert_eq!(meanings, expected, "{key}");
    }

    #[test]
    fn what_segments_are() {
        check("__fd_table/1/t", &[None, Some("id of a database"), Some("name of a table")]);
        check("__fd_index/t/i", &[None, Some("tenant"), Some("name of an index")]);
        check("__fd_token/t/***", &[None, Some("tenant"), Some("token hash")]);
        check("__fd_table_lock_v2_seq", &[None]);
        let path = Some("path");
        check("__fd_table_copied_files/7/a/b", &[None, Some("id of a table"), path, path]);
        let clean = "tenant/history_log_clean/l/heartbeat";
        check(clean, &[Some("tenant"), None, Some("log"), None]);
    }

    #[test]
    fn keys_of_no_known_form() {
        check("", &[None]);
        check("a//b", &[None, None, None]);
        check("__fd_table/x/y", &[None, None, None]);
    }
}
