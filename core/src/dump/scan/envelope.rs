//! The first look at a line: tree, kind, and where key and value stand, without reading them.

use std::ops::Range;

use memchr::{memchr, memchr2};

use crate::dump::record::{Kind, Tree};

/// The outside of a line in the form in which servers write it.
///
/// Key and value are only found, not read: whether they are what their kind asks for is what
/// [`scan_line`](super::scan_line) shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The tree's name.
    pub tree_name: &'a str,
    /// The kind of record.
    pub kind: Kind,
    /// Where in the line the key stands; none for kinds without one.
    pub key: Option<Range<usize>>,
    /// Where in the line the value stands, with what may follow it in its object.
    pub value: Range<usize>,
}

impl Envelope<'_> {
    /// The tree that the name stands for.
    pub fn tree(&self) -> Tree {
        Tree::from_name(self.tree_name)
    }
}

/// Finds tree, kind, key and value of a line, given without its line end; allocates nothing.
///
/// None means that the line is not in the form in which servers write it: it may still be a
/// record, with blanks or escapes, or be none at all.
///
/// ```
/// use metadump::record::Kind;
///
/// let line = br#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":81}}]"#;
/// let envelope = metadump::scan::envelope(line).unwrap();
/// assert_eq!((envelope.tree_name, envelope.kind), ("state_machine/0", Kind::Sequences));
/// assert_eq!(&line[envelope.key.unwrap()], br#""generic-kv""#);
/// assert_eq!(&line[envelope.value], b"81");
/// ```
pub fn envelope(line: &[u8]) -> Option<Envelope<'_>> {
    let mut at = Cursor { line, at: 0 };
    at.literal(b"[")?;
    let tree_name = at.plain_string()?;
    at.literal(b",{")?;
    let kind = Kind::named(at.plain_string()?)?;
    at.literal(b":")?;
    if matches!(kind, Kind::NodeId | Kind::Vote | Kind::Committed | Kind::Purged | Kind::LogEntry) {
        let value = at.up_to_end(b"}]")?;
        return Some(Envelope { tree_name, kind, key: None, value });
    }
    at.literal(b"{\"key\":")?;
    let key = at.key()?;
    at.literal(b",\"value\":")?;
    let value = at.up_to_end(b"}}]")?;
    Some(Envelope { tree_name, kind, key: Some(key), value })
}

/// How far the line is looked at.
struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// Steps over `expected`, or fails.
    fn literal(&mut self, expected: &[u8]) -> Option<()> {
        self.rest().starts_with(expected).then(|| self.at += expected.len())
    }

    /// Steps over a string without escapes; gives what is between the quotes.
    fn plain_string(&mut self) -> Option<&'a str> {
        self.literal(b"\"")?;
        let text = self.rest().get(..memchr(b'"', self.rest())?)?;
        if memchr(b'\\', text).is_some() {
            return None;
        }
        self.at += text.len() + 1;
        std::str::from_utf8(text).ok()
    }

    /// Steps over a key: a string, a number, or the flat object of the expiry index.
    fn key(&mut self) -> Option<Range<usize>> {
        let from = self.at;
        let rest = self.rest();
        let len = match rest.first()? {
            b'"' => 1 + string_len(rest.get(1..)?)?,
            b'{' => memchr(b'}', rest)? + 1,
            b'0'..=b'9' => memchr(b',', rest)?,
            _ => return None,
        };
        self.at += len;
        Some(from..self.at)
    }

    /// What is left of the line before `end`, which must be its end.
    fn up_to_end(&self, end: &[u8]) -> Option<Range<usize>> {
        let rest = self.rest().strip_suffix(end).filter(|rest| !rest.is_empty())?;
        Some(self.at..self.at + rest.len())
    }
}

/// The length of a string behind its first quote, the last quote included.
fn string_len(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr2(b'"', b'\\', text.get(from..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        from = at + 2;
    }
}
