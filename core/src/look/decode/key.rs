//! The segments of a key and their percent escapes.

use serde::Serialize;

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

/// None when nothing is escaped, an escape is broken, or the bytes are not UTF-8.
fn unescape(raw: &str) -> Option<String> {
    let mut parts = raw.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    let mut escapes = 0_u64;
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
        escapes += 1;
    }
    if escapes == 0 {
        return None;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(unescape("plain"), None);
        assert_eq!(unescape("a%20b"), Some("a b".into()));
        assert_eq!(unescape("%e4%b8%ad"), Some("中".into()));
        assert_eq!(unescape("%"), None);
        assert_eq!(unescape("%+1"), None);
        assert_eq!(unescape("%ff"), None);
        assert_eq!(unescape("%中"), None);
    }
}
