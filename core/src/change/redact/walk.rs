//! The way through a line that is JSON: where its keys and values are, in whatever command or kind.

use std::ops::Range;

use super::line::{FoundAt, family, placed};
use super::tokens::{self, NamedTokens, renamed};
use crate::dump::decimal;
use crate::dump::json_text::{Edit, JsonCursor, MOST_DEPTH, bytes_of_list, escaped};
use crate::dump::record::Kind;
use crate::ordered;
use crate::value::{
    FieldPath, Found, KeyParts, MASKED, Pseudonyms, masked_text, names_credential, renamed_prefix,
};

/// What becomes of strings that are no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strings {
    /// They are known, and no credentials.
    Known,
    /// Members with the name of a credential are hidden, and credentials in texts.
    ByName,
    /// All are hidden, and lists of bytes: a newer server may have a credential there.
    Hidden,
}

/// Members that a value is in.
const VALUES: [&str; 4] = ["data", "value", "Value", "Update"];

/// Strings of the format, which say what a line is.
const WORDS: [&str; 19] = [
    "Blank",
    "Any",
    "Delete",
    "AsIs",
    "Eq",
    "Gt",
    "Ge",
    "Lt",
    "Le",
    "Ne",
    "Id",
    "HardState",
    "StateMachineId",
    "Committed",
    "LastPurged",
    "LastApplied",
    "Initialized",
    "LastMembership",
    "generic-kv",
];

/// A list that is no bytes becomes one that is none either.
const NO_BYTES: &str = "[42,42,42,256]";

/// How many numbers a list has at least to be taken for bytes where it is not known what it is.
const SHORTEST_BYTES: usize = 8;

pub(super) struct Walk<'w, 'a> {
    cursor: JsonCursor<'a>,
    strings: Strings,
    kind: Option<Kind>,
    tokens: Option<&'w NamedTokens>,
    names: Option<&'w Pseudonyms>,
    /// Lists whose key is not known yet.
    values: Vec<Range<usize>>,
    edits: Vec<Edit>,
    found: Vec<FoundAt>,
}

/// A key in an object, or the prefix of one.
struct Key<'a> {
    text: std::borrow::Cow<'a, str>,
    is_prefix: bool,
}

impl<'w, 'a> Walk<'w, 'a> {
    /// The edits of a line, in order, and what they replace; none when it is no JSON.
    pub(super) fn through(
        line: &'a str,
        strings: Strings,
        kind: Option<Kind>,
        tokens: Option<&'w NamedTokens>,
        names: Option<&'w Pseudonyms>,
    ) -> Option<(Vec<Edit>, Vec<FoundAt>)> {
        let mut walk = Self {
            cursor: JsonCursor::new(line),
            strings,
            kind,
            tokens,
            names,
            values: Vec::new(),
            edits: Vec::new(),
            found: Vec::new(),
        };
        // The tree's name and the kind stay whatever they are.
        if !walk.cursor.eat(b'[') {
            return None;
        }
        walk.cursor.peek();
        walk.cursor.string()?;
        while walk.cursor.eat(b',') {
            walk.value("", false, MOST_DEPTH)?;
        }
        if !walk.cursor.eat(b']') || walk.cursor.peek().is_some() {
            return None;
        }
        for range in std::mem::take(&mut walk.values) {
            walk.value_of(None, &range);
        }
        ordered::sort_by_key(&mut walk.edits, |(range, _)| range.start);
        Some((walk.edits, walk.found))
    }

    /// A value; gives the key, if it is an object that has one.
    fn value(&mut self, name: &str, hide: bool, depth: usize) -> Option<Option<Key<'a>>> {
        let Some(depth) = depth.checked_sub(1) else {
            self.too_deep(name)?;
            return Some(None);
        };
        match self.cursor.peek()? {
            b'{' => return self.object(hide, depth),
            b'[' => match self.cursor.numbers() {
                Some(range) => self.numbers(name, hide, range),
                None => {
                    self.cursor.eat(b'[');
                    while !self.cursor.eat(b']') {
                        self.value("", hide, depth)?;
                        self.cursor.eat(b',');
                    }
                }
            },
            b'"' => {
                let range = self.cursor.string()?;
                self.string(name, hide, range)?;
            }
            _ => {
                let range = self.cursor.word()?;
                let word = self.cursor.text_of(&range);
                if hide && !matches!(word, "null" | "true" | "false" | "0") {
                    self.member(name, &[]);
                    self.edits.push((range, b"0".to_vec()));
                }
            }
        }
        Some(None)
    }

    /// A value that is nested deeper than any that a server writes: nobody reads it.
    fn too_deep(&mut self, name: &str) -> Option<()> {
        let range = self.cursor.skip()?;
        let text = self.cursor.text_of(&range);
        if text.as_bytes() == escaped(MASKED) || !text.starts_with(['{', '[', '"']) {
            return Some(());
        }
        self.member(name, &[]);
        self.edits.push((range, escaped(MASKED)));
        Some(())
    }

    fn object(&mut self, hide: bool, depth: usize) -> Option<Option<Key<'a>>> {
        self.cursor.eat(b'{');
        let (mut key, mut of_target) = (None, None);
        let first = self.values.len();
        while !self.cursor.eat(b'}') {
            let name = self.cursor.name()?;
            let name = self.cursor.unescaped(&name)?;
            let is_key = matches!(&*name, "key" | "prefix" | "sequence_key");
            if is_key && self.cursor.peek() == Some(b'"') {
                let range = self.cursor.string()?;
                let text = self.cursor.unescaped(&range)?;
                self.key(&text, range);
                if *name != *"sequence_key" {
                    key = Some(Key { is_prefix: *name == *"prefix", text });
                }
            } else {
                let by_name = self.strings != Strings::Known && !is_key;
                let hides = hide || (by_name && names_credential(&name));
                let inner = self.value(&name, hides, depth)?;
                if *name == *"target" {
                    of_target = inner;
                }
            }
            self.cursor.eat(b',');
        }
        let key = key.or(of_target);
        if let Some(key) = &key {
            for range in self.values.split_off(first) {
                self.value_of(Some(key), &range);
            }
        }
        Some(key)
    }

    /// A key, whose credentials get names.
    fn key(&mut self, key: &str, range: Range<usize>) {
        let Some(parts) = KeyParts::of(key) else { return self.unknown_key(key, range) };
        let hidden = tokens::hidden(&parts);
        if hidden.is_empty() {
            if let Some(new) = self.names.map(|names| parts.renamed(names)).filter(|new| new != key)
            {
                self.edits.push((range, escaped(&new)));
            }
            return;
        }
        // On the first reading nothing has a name: all that there are count.
        let new = self.tokens.map(|names| renamed(key, &parts, names));
        if self.names.is_none() && new.as_deref() == Some(key) {
            return;
        }
        for (segment, token) in hidden {
            let kind = format!("{}/{segment} (key)", parts.form.prefix);
            let found = Found::at(kind, FieldPath::default(), token.as_bytes());
            let masked = parts.masked().unwrap_or_default();
            let family = family(Some(&parts));
            self.found.push(FoundAt { family, key: masked.into(), found, is_token: true });
        }
        if let Some(new) = new {
            let new = match (self.names, KeyParts::of(&new)) {
                (Some(names), Some(parts)) => parts.renamed(names),
                _ => new.into_owned(),
            };
            self.edits.push((range, escaped(&new)));
        }
    }

    /// A key of no known form, or the beginning of one.
    fn unknown_key(&mut self, key: &str, range: Range<usize>) {
        let is_of_key_space = matches!(
            self.kind,
            None | Some(Kind::GenericKV | Kind::Expire | Kind::LogEntry | Kind::Logs)
        );
        let Some(names) = self.names.filter(|_| is_of_key_space) else { return };
        let new = renamed_prefix(key, names).unwrap_or_else(|| {
            let found = Found::of("key of an unknown form", &[]);
            self.found.push(FoundAt { family: family(None), ..FoundAt::of(found) });
            names.of(key).into_owned()
        });
        if new != key {
            self.edits.push((range, escaped(&new)));
        }
    }

    fn numbers(&mut self, name: &str, hide: bool, range: Range<usize>) {
        if VALUES.contains(&name) && !hide {
            self.values.push(range);
            return;
        }
        let text = self.cursor.text_of(&range);
        let shortest = if hide { 1 } else { SHORTEST_BYTES };
        match bytes_of_list(text) {
            Some(bytes) if bytes == MASKED.as_bytes() => {}
            Some(bytes) => {
                let hides = hide || self.strings == Strings::Hidden;
                if hides && bytes.len() >= shortest {
                    self.member(name, &bytes);
                    self.put_bytes(range, MASKED.as_bytes());
                }
            }
            None if hide && text != NO_BYTES => {
                self.member(name, &[]);
                self.edits.push((range, NO_BYTES.into()));
            }
            None => {}
        }
    }

    /// A value of a key.
    fn value_of(&mut self, key: Option<&Key<'_>>, range: &Range<usize>) {
        let text = self.cursor.text_of(range);
        let Some(bytes) = bytes_of_list(text) else {
            if text != NO_BYTES {
                self.found.push(FoundAt::of(Found::of("list of numbers beyond bytes", &[])));
                self.edits.push((range.clone(), NO_BYTES.into()));
            }
            return;
        };
        // The number that a server puts behind a prefix is not known, and none is told apart by it.
        let text = key.map(|key| {
            let number = if key.is_prefix { "00000000000000000000" } else { "" };
            format!("{}{number}", key.text)
        });
        let text = text.unwrap_or_default();
        let parts = KeyParts::of(&text);
        let redacted = crate::value::renamed(parts.as_ref(), &bytes, self.names);
        self.found.extend(placed(&text, parts.as_ref(), redacted.found));
        if let Some(bytes) = redacted.bytes {
            self.put_bytes(range.clone(), &bytes);
        }
    }

    fn string(&mut self, name: &str, hide: bool, range: Range<usize>) -> Option<()> {
        let text = self.cursor.unescaped(&range)?;
        let is_of_header = self.kind == Some(Kind::DataHeader) && matches!(name, "key" | "version");
        let is_word = WORDS.contains(&&*text) || is_of_header;
        let hides = hide || self.strings == Strings::Hidden;
        if self.strings == Strings::Known || text.is_empty() || text == MASKED {
            return Some(());
        }
        if hides && !is_word {
            self.member(name, text.as_bytes());
            self.edits.push((range, escaped(MASKED)));
        } else if let Some((masked, _)) = masked_text(&text).filter(|_| !is_word) {
            self.member(name, &[]);
            self.edits.push((range, escaped(&masked)));
        }
        Some(())
    }

    fn member(&mut self, name: &str, secret: &[u8]) {
        let kind = self.kind.map_or("a newer line", Kind::name);
        let found =
            Found::at([kind, ".", name].concat(), [name.to_owned()].as_slice().into(), secret);
        self.found.push(FoundAt::of(found));
    }

    fn put_bytes(&mut self, range: Range<usize>, bytes: &[u8]) {
        let mut array = Vec::new();
        decimal::encode(bytes, &mut array);
        self.edits.push((range, array));
    }
}
