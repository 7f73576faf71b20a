//! Replaces credentials in the text of JSON: what is not one stays, byte for byte.

use std::borrow::Cow;
use std::ops::Range;

use super::credential::{MASKED, METHOD, credentials_in, names_credential, without};
use super::pseudonym::Pseudonyms;
use super::redact::{Found, IN_TEXT};
use super::rename::is_named;
use crate::dump::decimal;
use crate::dump::json_text::{Edit, JsonCursor, MOST_DEPTH, bytes_of_list, edited, escaped};

/// JSON, which is known to be JSON, without credentials: those of the `listed` members and of members
/// with a name of credentials. The outer option is none when the text is no JSON after all, the
/// inner one when it stays as it is.
pub(super) fn redacted(
    text: &str,
    form: &str,
    listed: &[&str],
    names: Option<&Pseudonyms>,
    found: &mut Vec<Found>,
) -> Option<Option<Vec<u8>>> {
    let mut walk = Walk {
        cursor: JsonCursor::new(text),
        form,
        listed,
        names,
        found,
        path: Vec::new(),
        edits: Vec::new(),
    };
    walk.value(Hide::Credentials, MOST_DEPTH)?;
    let edits = walk.edits;
    Some((!edits.is_empty()).then(|| edited(text.as_bytes(), &edits)))
}

/// How much of a value is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hide {
    /// What has the name of a credential, or is one by its form.
    Credentials,
    /// All that it holds.
    All,
}

struct Walk<'w, 'a> {
    cursor: JsonCursor<'a>,
    form: &'w str,
    listed: &'w [&'w str],
    names: Option<&'w Pseudonyms>,
    found: &'w mut Vec<Found>,
    path: Vec<String>,
    edits: Vec<Edit>,
}

impl Walk<'_, '_> {
    fn value(&mut self, hide: Hide, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match self.cursor.peek()? {
            b'{' => self.object(hide, depth),
            b'[' => match self.cursor.numbers() {
                Some(range) => self.numbers(hide, range),
                None => self.list(hide, depth),
            },
            b'"' => {
                let range = self.cursor.string()?;
                let text = self.cursor.unescaped(&range)?;
                self.text(hide, range, &text);
                Some(())
            }
            _ => {
                let range = self.cursor.word()?;
                let word = self.cursor.text_of(&range);
                if hide == Hide::All && !matches!(word, "null" | "true" | "false" | "0") {
                    self.credential(&[]);
                    self.edits.push((range, b"0".to_vec()));
                }
                Some(())
            }
        }
    }

    fn object(&mut self, hide: Hide, depth: usize) -> Option<()> {
        let names_its_value = names_its_value(self.cursor.clone())?;
        self.cursor.eat(b'{');
        while !self.cursor.eat(b'}') {
            let range = self.cursor.name()?;
            let name = self.cursor.unescaped(&range)?.into_owned();
            // Clusters stand under their names.
            if let Some(names) = self.names
                && self.path.last().is_some_and(|member| member == "clusters")
                && let Cow::Owned(new) = names.of(&name)
            {
                self.edits.push((range, escaped(&new)));
            }
            let hides = (names_its_value && name == "value")
                || self.listed.contains(&name.as_str())
                || names_credential(&name);
            let hide = match name.as_str() {
                METHOD => Hide::Credentials,
                _ if hides => Hide::All,
                _ => hide,
            };
            self.path.push(name);
            self.value(hide, depth)?;
            self.path.pop();
            self.cursor.eat(b',');
        }
        Some(())
    }

    fn list(&mut self, hide: Hide, depth: usize) -> Option<()> {
        self.cursor.eat(b'[');
        while !self.cursor.eat(b']') {
            self.value(hide, depth)?;
            self.cursor.eat(b',');
        }
        Some(())
    }

    /// A list of numbers, which may be the bytes of a text, as in settings.
    fn numbers(&mut self, hide: Hide, range: Range<usize>) -> Option<()> {
        let bytes = bytes_of_list(self.cursor.text_of(&range));
        let new = match (hide, bytes) {
            (_, Some(bytes)) if bytes.is_empty() || bytes == MASKED.as_bytes() => return Some(()),
            (Hide::All, Some(bytes)) => {
                self.credential(&bytes);
                MASKED.to_owned()
            }
            (Hide::All, None) => {
                self.credential(&[]);
                MASKED.to_owned()
            }
            (Hide::Credentials, bytes) => {
                let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
                match text.and_then(|text| self.without_credentials(&text)) {
                    Some(text) => text,
                    None => return Some(()),
                }
            }
        };
        let mut list = Vec::new();
        decimal::encode(new.as_bytes(), &mut list);
        self.edits.push((range, list));
        Some(())
    }

    fn text(&mut self, hide: Hide, range: Range<usize>, text: &str) {
        if hide == Hide::All {
            if !text.is_empty() && text != MASKED {
                self.credential(text.as_bytes());
                self.edits.push((range, escaped(MASKED)));
            }
            return;
        }
        let without = self.without_credentials(text);
        let member = self.path.last().map_or("", String::as_str);
        let name = self.names.filter(|_| is_named(member, text)).map(|names| names.of(text));
        match (name, without) {
            (Some(Cow::Owned(text)), _) | (_, Some(text)) => {
                self.edits.push((range, escaped(&text)));
            }
            _ => {}
        }
    }

    /// The text without the credentials in it; none when it has none.
    fn without_credentials(&mut self, text: &str) -> Option<String> {
        let ranges = credentials_in(text);
        for range in &ranges {
            let secret = text.get(range.clone()).unwrap_or_default().as_bytes();
            self.push(IN_TEXT.to_owned(), secret);
        }
        (!ranges.is_empty()).then(|| without(text, &ranges))
    }

    fn credential(&mut self, secret: &[u8]) {
        let member = self.path.last().map_or("", String::as_str);
        self.push(format!("{}.{member}", self.form), secret);
    }

    fn push(&mut self, kind: String, secret: &[u8]) {
        self.found.push(Found::at(kind, self.path.as_slice().into(), secret));
    }
}

/// Whether an object has a member `name`, which says that its member `value` is a credential.
fn names_its_value(mut cursor: JsonCursor<'_>) -> Option<bool> {
    cursor.eat(b'{');
    while !cursor.eat(b'}') {
        let name = cursor.name()?;
        let is_name = cursor.text_of(&name) == "\"name\"";
        cursor.peek();
        let value = cursor.skip()?;
        if is_name && cursor.unescaped(&value).is_some_and(|name| names_credential(&name)) {
            return Some(true);
        }
        cursor.eat(b',');
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str, paths: &[&str]) {
        let mut found = Vec::new();
        let new = redacted(text, "F", &["listed"], None, &mut found).unwrap();
        let new = new.map_or_else(|| text.to_owned(), |new| String::from_utf8(new).unwrap());
        assert_eq!(new, expected);
        let found: Vec<String> = found.iter().map(|found| found.path.to_string()).collect();
        assert_eq!(found, paths);
        assert_eq!(redacted(&new, "F", &["listed"], None, &mut Vec::new()), Some(None));
    }

    #[test]
    fn members_by_their_names() {
        check(
            r#"{ "a":1, "listed": "x" , "deep":[{"Token":"t\n","b":"\u00e9"}]}"#,
            r#"{ "a":1, "listed": "***" , "deep":[{"Token":"***","b":"\u00e9"}]}"#,
            &["listed", "deep.Token"],
        );
        check(
            r#"{"secret":{"a":"x","n":7,"t":true,"z":0,"e":""},"password":[1,300]}"#,
            r#"{"secret":{"a":"***","n":0,"t":true,"z":0,"e":""},"password":[42,42,42]}"#,
            &["secret.a", "secret.n", "password"],
        );
        check(r#"[1,"x",null]"#, r#"[1,"x",null]"#, &[]);
    }

    #[test]
    fn settings() {
        check(
            r#"{"name":"aws_secret","value":{"String":[80,87]}}"#,
            r#"{"name":"aws_secret","value":{"String":[42,42,42]}}"#,
            &["value.String"],
        );
        check(
            r#"{"name":"x","value":{"String":[97,58,47,47,98,58,99,64,100]}}"#,
            r#"{"name":"x","value":{"String":[97,58,47,47,98,58,42,42,42,64,100]}}"#,
            &["value.String"],
        );
    }

    #[test]
    fn texts_in_it() {
        check(r#"{"a":"s3://u:p\"w@h"}"#, r#"{"a":"s3://u:***@h"}"#, &["a"]);
        check(r#""x://a:b@c""#, r#""x://a:***@c""#, &[""]);
    }
}
