//! Finds keys and lines in a dump, in order or the largest ones.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use crate::dump::frame::Line;
use crate::dump::record::{Kind, Record};
use crate::dump::scan::{envelope, scan_line};
use crate::value::KeyParts;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase", tag = "type", content = "text")]
pub enum Pattern {
    /// Keys that start with the text; the empty text finds every key.
    Prefix(String),
    /// Keys that have the text in them.
    Substring(String),
    /// Keys that match the regular expression.
    Regex(String),
    /// Lines of any kind that have the text in them.
    Line(String),
}

/// Which hits are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The first ones.
    #[default]
    Dump,
    /// The ones whose lines are longest.
    Size,
}

/// A search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Query {
    /// What is looked for.
    pub pattern: Pattern,
    /// Which hits are kept.
    #[serde(default)]
    pub order: Order,
    /// How many hits are kept.
    pub most: u32,
}

/// A line that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Hit {
    /// The line, counted from 1.
    pub line: u64,
    /// Where it starts.
    pub offset_bytes: u64,
    /// How many bytes it takes, line end included.
    pub bytes: u64,
    /// The key, its credentials masked, a very long one only its first part; none when the line has
    /// none.
    pub key: Option<String>,
}

/// How many bytes of a key are kept with a hit or a difference: thousands of those are kept.
const MOST_KEY_BYTES: usize = 1000;

/// A key as it is kept: its credentials masked, and the first part of a very long one.
pub(crate) fn kept_key(key: String) -> String {
    let mut key = KeyParts::of(&key).and_then(|parts| parts.masked()).unwrap_or(key);
    if key.len() > MOST_KEY_BYTES {
        key.truncate(key.floor_char_boundary(MOST_KEY_BYTES));
        key.push('…');
        key.shrink_to_fit();
    }
    key
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Hits {
    /// How many lines were found, those that were not kept included.
    pub count: u64,
    /// How many bytes they take.
    pub bytes: u64,
    /// Those that were kept, in the order of the query.
    pub kept: Vec<Hit>,
}

/// A pattern that is no regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a regular expression: {0}")]
pub struct PatternError(pub String);

/// Bytes, line, offset and key of a hit: the longest first, of equal ones the earliest.
type BySize = (u64, Reverse<u64>, u64, Option<String>);

#[derive(Debug)]
enum Matcher {
    Prefix(String),
    Substring(memchr::memmem::Finder<'static>),
    Regex(Box<regex_lite::Regex>),
    Line(memchr::memmem::Finder<'static>),
}

/// Looks at every line; a search over parts of a dump is the same as over the whole.
///
/// ```
/// use metadump::Line;
/// use metadump::search::{Order, Pattern, Query, Search};
///
/// let pattern = Pattern::Prefix("a/".into());
/// let mut search = Search::new(&Query { pattern, order: Order::Dump, most: 10 })?;
/// let bytes = br#"["state_machine/0",{"GenericKV":{"key":"a/b","value":{"seq":1,"meta":null,"data":[]}}}]"#;
/// search.line(&Line::new(1, 0, bytes, true));
/// let hits = search.finish();
/// assert_eq!((hits.count, hits.kept[0].key.as_deref()), (1, Some("a/b")));
/// # Ok::<(), metadump::search::PatternError>(())
/// ```
#[derive(Debug)]
pub struct Search {
    matcher: Matcher,
    order: Order,
    most: usize,
    count: u64,
    bytes: u64,
    kept: Vec<Hit>,
    /// The kept hits, the smallest on top.
    largest: BinaryHeap<Reverse<BySize>>,
}

impl Search {
    /// Starts a search.
    ///
    /// # Errors
    ///
    /// When the pattern is no regular expression.
    pub fn new(query: &Query) -> Result<Self, PatternError> {
        let matcher = match &query.pattern {
            Pattern::Prefix(text) => Matcher::Prefix(text.clone()),
            Pattern::Substring(text) => {
                Matcher::Substring(memchr::memmem::Finder::new(text.as_bytes()).into_owned())
            }
            Pattern::Regex(text) => {
                let regex = regex_lite::RegexBuilder::new(text).size_limit(1 << 20).build();
                Matcher::Regex(Box::new(regex.map_err(|error| PatternError(error.to_string()))?))
            }
            Pattern::Line(text) => {
                Matcher::Line(memchr::memmem::Finder::new(text.as_bytes()).into_owned())
            }
        };
        Ok(Self {
            matcher,
            order: query.order,
            most: usize::try_from(query.most).unwrap_or(usize::MAX),
            count: 0,
            bytes: 0,
            kept: Vec::new(),
            largest: BinaryHeap::new(),
        })
    }

    /// Looks at the next line.
    pub fn line(&mut self, line: &Line<'_>) {
        if let Matcher::Line(finder) = &self.matcher {
            if finder.find(line.bytes).is_some() {
                let key = key(line.bytes);
                self.hit(line, key);
            }
            return;
        }
        let Some(key) = key(line.bytes) else { return };
        let found = match &self.matcher {
            Matcher::Prefix(prefix) => key.starts_with(prefix.as_str()),
            Matcher::Substring(finder) | Matcher::Line(finder) => {
                finder.find(key.as_bytes()).is_some()
            }
            Matcher::Regex(regex) => regex.is_match(&key),
        };
        if found {
            self.hit(line, Some(key));
        }
    }

    fn hit(&mut self, line: &Line<'_>, key: Option<String>) {
        let bytes = line.len_bytes();
        self.count += 1;
        self.bytes += bytes;
        match self.order {
            Order::Dump => {
                if self.kept.len() < self.most {
                    let key = key.map(kept_key);
                    let (line, offset_bytes) = (line.number, line.offset_bytes);
                    self.kept.push(Hit { line, offset_bytes, bytes, key });
                }
            }
            Order::Size => {
                let key = key.map(kept_key);
                self.largest.push(Reverse((bytes, Reverse(line.number), line.offset_bytes, key)));
                if self.largest.len() > self.most {
                    self.largest.pop();
                }
            }
        }
    }

    /// Ends the search.
    #[must_use]
    pub fn finish(self) -> Hits {
        let mut kept = self.kept;
        for Reverse((bytes, Reverse(line), offset_bytes, key)) in self.largest.into_sorted_vec() {
            kept.push(Hit { line, offset_bytes, bytes, key });
        }
        Hits { count: self.count, bytes: self.bytes, kept }
    }
}

/// The key of a line of the key space.
fn key(line: &[u8]) -> Option<String> {
    if let Some(seen) = envelope(line) {
        if seen.kind != Kind::GenericKV {
            return None;
        }
        let json = line.get(seen.key?)?;
        return serde_json::from_slice(json).ok();
    }
    match scan_line(line).ok()?.record {
        Record::GenericKV(kv) => Some(kv.key.0.into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: Pattern, order: Order, lines: &[u64]) {
        let kv = |key: &str, data: &str| {
            format!(
                "[\"state_machine/0\",{{\"GenericKV\":{{\"key\":\"{key}\",\"value\":{{\"seq\":1,\
                 \"meta\":null,\"data\":[{data}]}}}}}}]"
            )
        };
        let dump = [kv("a/1", "1"), kv("a/2", "1,2"), kv("b\\\"", "1,2,3"), "broken".into()];
        let mut search = Search::new(&Query { pattern, order, most: 2 }).unwrap();
        for (at, bytes) in dump.iter().enumerate() {
            let number = at as u64 + 1;
            let bytes = bytes.as_bytes();
            search.line(&Line::new(number, 0, bytes, true));
        }
        let found: Vec<u64> = search.finish().kept.iter().map(|hit| hit.line).collect();
        assert_eq!(found, lines);
    }

    #[test]
    fn patterns_and_orders() {
        check(Pattern::Prefix(String::new()), Order::Dump, &[1, 2]);
        check(Pattern::Prefix(String::new()), Order::Size, &[3, 2]);
        check(Pattern::Prefix("a".into()), Order::Size, &[2, 1]);
        check(Pattern::Substring("\"".into()), Order::Dump, &[3]);
        check(Pattern::Regex("^a/[2-9]$".into()), Order::Dump, &[2]);
        check(Pattern::Line("oke".into()), Order::Dump, &[4]);
        let query = Query { pattern: Pattern::Regex("(".into()), order: Order::Dump, most: 1 };
        assert!(Search::new(&query).is_err());
    }

    #[test]
    fn a_credential_in_a_key_is_found_but_not_kept() {
        let line = br#"["state_machine/0",{"GenericKV":{"key":"__fd_token/t/abc","value":{"seq":1,"meta":null,"data":[]}}}]"#;
        for order in [Order::Dump, Order::Size] {
            let pattern = Pattern::Substring("/abc".into());
            let mut search = Search::new(&Query { pattern, order, most: 1 }).unwrap();
            search.line(&Line::new(1, 0, line, true));
            let kept: Vec<_> = search.finish().kept.into_iter().map(|hit| hit.key).collect();
            assert_eq!(kept, [Some("__fd_token/t/***".to_owned())]);
        }
    }

    #[test]
    fn of_a_very_long_key_the_first_part_is_kept() {
        assert_eq!(kept_key("a".repeat(MOST_KEY_BYTES)).len(), MOST_KEY_BYTES);
        assert_eq!(kept_key("é".repeat(1 << 20)), "é".repeat(MOST_KEY_BYTES / 2) + "…");
    }
}
