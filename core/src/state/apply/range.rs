//! Ranges of keys.

use super::rules::PrefixRule;

/// Keys from one, inclusive, up to another, exclusive, in byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key that is in the range.
    pub from: String,
    /// The first key that is no more in the range; none for all that follow.
    pub before: Option<String>,
}

impl KeyRange {
    /// Every key.
    pub const fn all() -> Self {
        Self { from: String::new(), before: None }
    }

    /// One key.
    pub fn one(key: &str) -> Self {
        Self { from: key.to_owned(), before: Some(format!("{key}\0")) }
    }

    /// What a watch asks for: the keys up to `key_end`, or the one key when there is no end.
    ///
    /// ```
    /// use metadump::apply::KeyRange;
    ///
    /// let range = KeyRange::watched("a", Some("c"));
    /// assert!(range.contains("b") && !range.contains("c"));
    /// assert!(!KeyRange::watched("a", None).contains("ab"));
    /// ```
    pub fn watched(key: &str, key_end: Option<&str>) -> Self {
        match key_end {
            Some(end) => Self { from: key.to_owned(), before: Some(end.to_owned()) },
            None => Self::one(key),
        }
    }

    /// The range in which servers look for keys with a prefix. It has them all, and no others
    /// unless the last character of the prefix has no successor.
    pub fn with_prefix(prefix: &str) -> Self {
        Self { from: prefix.to_owned(), before: successor(prefix) }
    }

    /// Whether the key is in the range.
    pub fn contains(&self, key: &str) -> bool {
        self.from.as_str() <= key && self.before.as_deref().is_none_or(|before| key < before)
    }
}

impl PrefixRule {
    /// Whether a key of the range of the prefix counts as having the prefix.
    pub(super) fn accepts(self, prefix: &str, key: &str) -> bool {
        match self {
            Self::StartsWith => key.starts_with(prefix),
            Self::RangeOnly => true,
        }
    }
}

/// The prefix with its last character increased, after those that cannot be are cut off.
///
/// None also after U+D7FF: the next number is no character, and servers go on to the end then.
fn successor(prefix: &str) -> Option<String> {
    let kept = prefix.trim_end_matches(char::MAX);
    let last = kept.chars().next_back()?;
    let next = char::from_u32(u32::from(last) + 1)?;
    let mut end = kept.strip_suffix(last)?.to_owned();
    end.push(next);
    Some(end)
}
