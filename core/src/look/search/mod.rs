//! Finds keys and lines in a dump, in order or the largest ones.

mod anywhere;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use crate::dump::frame::Line;
use crate::dump::record::{Kind, Record, SeqV, Text};
use crate::dump::scan::{envelope, scan_line};
use crate::state::objects::{ObjectRecord, Owner};
use crate::value::{KeyParts, Secrets, Stored, Wanted};
use anywhere::Anywhere;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase", tag = "type", content = "text")]
pub enum Pattern {
    /// Records that have the text in their key, its escapes undone, or in their value, in whichever
    /// case; log entries that write such a record.
    Anywhere(String),
    /// Keys that start with the text and expire.
    Expiring(String),
    /// Keys that start with the text and hold credentials, as `keys --credentials` finds them.
    Credentials(String),
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
    /// The ones that expire first; those that never do come last.
    Expiry,
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
    /// What kind of line it is; none when it is no record.
    pub kind: Option<&'static str>,
    /// The object that its record belongs to: `table 42`, `user 'root'@'%'`; none when it belongs
    /// to none, or the line was not read as a whole.
    pub object: Option<String>,
    /// When its record expires, milliseconds since 1970.
    #[cfg_attr(feature = "typescript", ts(type = "Integer | null"))]
    pub expire_ms: Option<u64>,
}

impl Hit {
    /// A line of the key space, or of another kind where the key is none.
    fn of(line: &Line<'_>, key: Option<String>, kind: Option<&'static str>) -> Self {
        let (number, offset_bytes, bytes) = (line.number, line.offset_bytes, line.len_bytes());
        Self { line: number, offset_bytes, bytes, key, kind, object: None, expire_ms: None }
    }

    /// Adds what the record says.
    fn with(mut self, key: &str, stored: &SeqV<'_>) -> Self {
        self.expire_ms = stored.expire_ms();
        // The name in such a key is the credential.
        if KeyParts::of(key).and_then(|parts| parts.masked()).is_some() {
            return self;
        }
        self.object = match ObjectRecord::of(key, &stored.data).owner {
            Owner::Id(kind, id) => Some(format!("{} {id}", kind.name())),
            Owner::Name(kind, _, name) => Some(format!("{} {name}", kind.name())),
            Owner::Rest(..) => None,
        };
        self
    }
}

/// How many bytes of a key are kept with a hit or a difference: thousands of those are kept.
const MOST_KEY_BYTES: usize = 1000;

fn holds_credentials(key: &str, record: &SeqV<'_>) -> bool {
    Stored::of(key, record, Secrets::Masked, Wanted::Json).masked > 0
}

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

#[derive(Debug)]
enum Matcher {
    Anywhere(Anywhere),
    /// Keys with a prefix, whose record is wanted.
    Record(String, fn(&str, &SeqV<'_>) -> bool),
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
    /// The kept hits by rank, of equal ones the earliest first; the one that goes first on top.
    ranked: BinaryHeap<Reverse<(u64, Reverse<Hit>)>>,
}

impl Search {
    /// Starts a search.
    ///
    /// # Errors
    ///
    /// When the pattern is no regular expression.
    pub fn new(query: &Query) -> Result<Self, PatternError> {
        let matcher = match &query.pattern {
            Pattern::Anywhere(text) => Matcher::Anywhere(Anywhere::new(text)),
            Pattern::Expiring(text) => {
                Matcher::Record(text.clone(), |_, record| record.expire_ms().is_some())
            }
            Pattern::Credentials(text) => Matcher::Record(text.clone(), holds_credentials),
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
            ranked: BinaryHeap::new(),
        })
    }

    /// Looks at the next line.
    pub fn line(&mut self, line: &Line<'_>) {
        let found = match &self.matcher {
            Matcher::Line(finder) => finder.find(line.bytes).is_some(),
            Matcher::Anywhere(anywhere) => {
                scan_line(line.bytes).is_ok_and(|it| anywhere.is_in(&it.record, line.bytes))
            }
            Matcher::Record(prefix, is_wanted) => matches!(
                scan_line(line.bytes).map(|scanned| scanned.record),
                Ok(Record::GenericKV(kv))
                    if kv.key.starts_with(prefix.as_str()) && is_wanted(&kv.key, &kv.value)
            ),
            of_key => {
                let Some(key) = key(line.bytes) else { return };
                let found = match of_key {
                    Matcher::Prefix(prefix) => key.starts_with(prefix.as_str()),
                    Matcher::Substring(finder) => finder.find(key.as_bytes()).is_some(),
                    Matcher::Regex(regex) => regex.is_match(&key),
                    Matcher::Anywhere(_) | Matcher::Record(..) | Matcher::Line(_) => false,
                };
                if found {
                    self.hit(line, Some(key));
                }
                return;
            }
        };
        if found {
            self.hit(line, key(line.bytes));
        }
    }

    fn hit(&mut self, line: &Line<'_>, key: Option<Text<'_>>) {
        self.count += 1;
        self.bytes += line.len_bytes();
        match self.order {
            Order::Dump => {
                if self.kept.len() < self.most {
                    self.kept.push(found(line, key));
                }
            }
            Order::Size | Order::Expiry => {
                let full = self.ranked.len() >= self.most;
                let least = self.ranked.peek().map_or(0, |Reverse((rank, _))| *rank);
                if self.order == Order::Size && full && line.len_bytes() <= least {
                    return;
                }
                let hit = found(line, key);
                let rank = match self.order {
                    Order::Expiry => hit.expire_ms.map_or(0, |ms| u64::MAX - ms),
                    Order::Dump | Order::Size => hit.bytes,
                };
                self.ranked.push(Reverse((rank, Reverse(hit))));
                if self.ranked.len() > self.most {
                    self.ranked.pop();
                }
            }
        }
    }

    /// Ends the search.
    #[must_use]
    pub fn finish(self) -> Hits {
        let mut kept = self.kept;
        let ranked = self.ranked.into_sorted_vec();
        kept.extend(ranked.into_iter().map(|Reverse((_, Reverse(hit)))| hit));
        Hits { count: self.count, bytes: self.bytes, kept }
    }
}

/// What is told of a line that was found.
fn found(line: &Line<'_>, key: Option<Text<'_>>) -> Hit {
    let key = key.map(|key| key.0.into_owned());
    match scan_line(line.bytes).map(|scanned| scanned.record) {
        Ok(Record::GenericKV(kv)) => {
            Hit::of(line, key.map(kept_key), Some("GenericKV")).with(&kv.key, &kv.value)
        }
        Ok(record) => Hit::of(line, key.map(kept_key), Some(record.kind().name())),
        Err(_) => Hit::of(line, key.map(kept_key), None),
    }
}

/// The key of a line of the key space.
fn key(line: &[u8]) -> Option<Text<'_>> {
    if let Some(seen) = envelope(line) {
        if seen.kind != Kind::GenericKV {
            return None;
        }
        let json = line.get(seen.key?)?;
        return serde_json::from_slice(json).ok();
    }
    match scan_line(line).ok()?.record {
        Record::GenericKV(kv) => Some(kv.key),
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

    fn found_in(lines: &[&str], pattern: Pattern, order: Order) -> Hits {
        let mut search = Search::new(&Query { pattern, order, most: 9 }).unwrap();
        for (number, line) in (1..).zip(lines) {
            search.line(&Line::new(number, 0, line.as_bytes(), true));
        }
        search.finish()
    }

    #[test]
    fn a_text_is_found_in_keys_without_escapes_and_in_values_in_whichever_case() {
        let dump = [
            r#"["state_machine/0",{"GenericKV":{"key":"__fd_users/t/%27Root%27%40","value":{"seq":1,"meta":null,"data":[]}}}]"#,
            r#"["state_machine/0",{"GenericKV":{"key":"__fd_table_by_id/42","value":{"seq":1,"meta":null,"data":[83,101,99,82,101,116]}}}]"#,
            r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":3},"payload":{"Normal":{"cmd":{"UpsertKV":{"key":"k","seq":"Any","value":{"Update":[115,101,99,114,101,116]},"value_meta":null}}}}}}]"#,
            r#"["state_machine/0",{"GenericKV":{"key":"83,101","value":{"seq":1,"meta":null,"data":[1]}}}]"#,
        ];
        let found = |text: &str| {
            let hits = found_in(&dump, Pattern::Anywhere(text.into()), Order::Dump);
            hits.kept.into_iter().map(|hit| (hit.line, hit.kind, hit.object)).collect::<Vec<_>>()
        };
        let kv = Some("GenericKV");
        assert_eq!(found("'root'@")[0].0, 1);
        assert_eq!(found("27ROOT%27%40").len(), 1);
        assert_eq!(
            found("SECRET"),
            [(2, kv, Some("table 42".to_owned())), (3, Some("LogEntry"), None)]
        );
        assert_eq!(found("83,101"), [(4, kv, None)]);
    }

    #[test]
    fn what_expires_is_listed_by_when() {
        let kv = |key: &str, meta: &str| {
            format!(
                r#"["state_machine/0",{{"GenericKV":{{"key":"{key}","value":{{"seq":1,"meta":{meta},"data":[]}}}}}}]"#
            )
        };
        let dump = [
            kv("a", r#"{"expire_at":1700000009}"#),
            kv("b", "null"),
            kv("c", r#"{"expire_at":1700000001}"#),
        ];
        let dump: Vec<&str> = dump.iter().map(String::as_str).collect();
        let found = |prefix: &str| {
            let hits = found_in(&dump, Pattern::Expiring(prefix.into()), Order::Expiry);
            hits.kept.iter().map(|hit| (hit.line, hit.expire_ms)).collect::<Vec<_>>()
        };
        assert_eq!(found(""), [(3, Some(1_700_000_001_000)), (1, Some(1_700_000_009_000))]);
        assert_eq!(found("a"), [(1, Some(1_700_000_009_000))]);
    }

    #[test]
    fn keys_with_credentials_are_found() {
        let kv = |key: &str, data: &str| {
            format!(
                r#"["state_machine/0",{{"GenericKV":{{"key":"{key}","value":{{"seq":1,"meta":null,"data":{data}}}}}}}]"#
            )
        };
        let bytes = |text: &str| format!("{:?}", text.as_bytes());
        let dump = [
            kv("__fd_token/t/abc", "[]"),
            kv("other", &bytes(r#"{"password":"p"}"#)),
            kv("plain", &bytes(r#"{"a":1}"#)),
        ];
        let dump: Vec<&str> = dump.iter().map(String::as_str).collect();
        let found = |prefix: &str| {
            let hits = found_in(&dump, Pattern::Credentials(prefix.into()), Order::Dump);
            hits.kept.iter().map(|hit| hit.line).collect::<Vec<_>>()
        };
        assert_eq!((found(""), found("o")), (vec![1, 2], vec![2]));
    }

    #[test]
    fn a_credential_in_a_key_is_found_but_not_kept() {
        let line = br#"["state_machine/0",{"GenericKV":{"key":"__fd_token/t/abc","value":{"seq":1,"meta":null,"data":[]}}}]"#;
        for order in [Order::Dump, Order::Size] {
            let pattern = Pattern::Substring("/abc".into());
            let mut search = Search::new(&Query { pattern, order, most: 1 }).unwrap();
            search.line(&Line::new(1, 0, line, true));
            let kept = search.finish().kept.into_iter().map(|hit| (hit.key, hit.object));
            let kept: Vec<_> = kept.collect();
            assert_eq!(kept, [(Some("__fd_token/t/***".to_owned()), None)]);
        }
    }

    #[test]
    fn of_a_very_long_key_the_first_part_is_kept() {
        assert_eq!(kept_key("a".repeat(MOST_KEY_BYTES)).len(), MOST_KEY_BYTES);
        assert_eq!(kept_key("é".repeat(1 << 20)), "é".repeat(MOST_KEY_BYTES / 2) + "…");
    }
}
