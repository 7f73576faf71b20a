//! What a credential is: by the name that it has, and within a text. Whatever hides or replaces
//! credentials asks here.

use std::ops::Range;

use memchr::{memchr_iter, memchr2_iter, memmem, memrchr};

use crate::ordered;

/// What stands in the place of a credential.
pub const MASKED: &str = "***";

/// Words in names of credentials.
const WORDS: [&str; 14] = [
    "key",
    "secret",
    "token",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "credential",
    "delegation",
    "private",
    "authorization",
    "signature",
    "cookie",
    "jwt",
];

/// Whole names of credentials.
const NAMES: [&str; 3] = ["pass", "auth", "sas"];

/// A member beside a credential that says of which sort it is.
pub(super) const METHOD: &str = "hash_method";

/// Words that make a key in a text one that opens something: most others are those of tables.
const KEYS: [&str; 7] =
    ["access_key", "accesskey", "account_key", "accountkey", "api_key", "apikey", "master_key"];

/// More names of credentials in the query of an address.
const OF_QUERIES: [&str; 2] = ["sig", "code"];

/// How long a name of a credential is at least.
const SHORTEST_NAME: usize = 3;

/// How long the words between `IDENTIFIED` and the password are at most.
const LONGEST_PHRASE: usize = 128;

/// Whether the name of an option or of a member of JSON is that of a credential.
pub(crate) fn names_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word)) || NAMES.contains(&name.as_str())
}

/// Whether bytes have the name of a credential in them. A key is what many a text speaks of.
pub(super) fn speaks_of_credentials(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    let mut words = WORDS.iter().filter(|word| **word != "key");
    words.any(|word| memmem::find(&lower, word.as_bytes()).is_some())
}

/// The same of a name in a text, where a key may be that of a table.
fn names_credential_in_text(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    speaks_of_credentials(lower.as_bytes())
        || NAMES.contains(&lower.as_str())
        || KEYS.iter().any(|word| lower.contains(word))
}

/// Whether a text in bytes may have a credential, whatever stands around the text: no for most bytes,
/// yes wherever [`credentials_in`] finds one, and at times where it does not.
pub(super) fn may_have_credentials(bytes: &[u8]) -> bool {
    let last_at = memrchr(b'@', bytes);
    let is_given = |sign: usize| {
        let (before, behind) = bytes.split_at(sign);
        let is_address = || behind.starts_with(b"://") && last_at.is_some_and(|at| at > sign);
        may_name_credential(last_name(before)) || is_address()
    };
    let is_behind_by = |quote: usize| {
        let before = bytes.get(..quote).unwrap_or_default().trim_ascii_end();
        before.last_chunk().is_some_and(|word: &[u8; 2]| word.eq_ignore_ascii_case(b"by"))
    };
    memchr2_iter(b'=', b':', bytes).any(is_given)
        || memchr2_iter(b'\'', b'"', bytes).any(is_behind_by)
}

/// The name that bytes end with, with quotes and blanks behind it.
fn last_name(bytes: &[u8]) -> &[u8] {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    // Blanks may be of any script.
    let is_between = |byte: &u8| {
        byte.is_ascii_whitespace() || !byte.is_ascii_graphic() || b"'\"`\\".contains(byte)
    };
    let end = bytes.iter().rposition(|byte| !is_between(byte)).map_or(0, |at| at + 1);
    let named = bytes.get(..end).unwrap_or_default();
    let from = named.iter().rposition(|byte| !is_of_name(byte)).map_or(0, |at| at + 1);
    named.get(from..).unwrap_or_default()
}

/// Whether what ends with a name may be that of a credential in a text, or in a query.
fn may_name_credential(name: &[u8]) -> bool {
    let ends = |word: &&str| {
        let end = name.len().checked_sub(word.len()).and_then(|at| name.get(at..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(word.as_bytes()))
    };
    let begins_word = |at: usize| {
        let rest = name.get(at..).unwrap_or_default();
        let begins = |word: &&str| {
            let start = rest.get(..word.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
        };
        WORDS.iter().filter(|word| **word != "key").chain(&KEYS).any(begins)
    };
    let may_begin = |byte: &u8| byte.is_ascii_alphabetic() && FIRST_LETTERS & letter(*byte) != 0;
    name.len() >= SHORTEST_NAME
        && (NAMES.iter().chain(&OF_QUERIES).any(ends)
            || (0..name.len()).filter(|at| name.get(*at).is_some_and(may_begin)).any(begins_word))
}

/// The letters that words in names of credentials begin with: a bit each.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const FIRST_LETTERS: u32 = {
    let mut letters = 0;
    let mut at = 0;
    while at < WORDS.len() + KEYS.len() {
        let word = if at < WORDS.len() { WORDS[at] } else { KEYS[at - WORDS.len()] };
        letters |= letter(word.as_bytes()[0]);
        at += 1;
    }
    letters
};

/// The bit of a letter, of either case.
const fn letter(byte: u8) -> u32 {
    1 << (byte & 0x1f)
}

/// Where the credentials in a text are, in their order and apart: the password in
/// `scheme://user:password@host`, what is given to a name of a credential (`SECRET_KEY = '…'`,
/// `"token": "…"`, `?signature=…`), and `IDENTIFIED BY '…'`. What is masked already is none.
pub(super) fn credentials_in(text: &str) -> Vec<Range<usize>> {
    // Nothing shorter is one: `a:b`.
    if text.len() > 4 && may_have_credentials(text.as_bytes()) {
        looked_for_in(text)
    } else {
        Vec::new()
    }
}

fn looked_for_in(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    passwords_of_addresses(text, &mut found);
    given_values(text, &mut found);
    identified_by(text, &mut found);
    found.retain(|range| text.get(range.clone()).is_some_and(|found| found != MASKED));
    ordered::sort_by_key(&mut found, |range| (range.start, std::cmp::Reverse(range.end)));
    let mut end = 0;
    found.retain(|range| {
        let is_apart = range.start >= end;
        end = end.max(range.end);
        is_apart
    });
    found
}

/// The text with [`MASKED`] in the place of each credential; none when it has none.
pub(crate) fn masked_text(text: &str) -> Option<(String, u64)> {
    let found = credentials_in(text);
    (!found.is_empty()).then(|| (without(text, &found), found.len() as u64))
}

/// The text with [`MASKED`] in the place of each range.
pub(super) fn without(text: &str, ranges: &[Range<usize>]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for range in ranges {
        masked.push_str(text.get(at..range.start).unwrap_or_default());
        masked.push_str(MASKED);
        at = range.end;
    }
    masked.push_str(text.get(at..).unwrap_or_default());
    masked
}

fn passwords_of_addresses(text: &str, found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    let begins =
        |at: &usize| text.as_bytes().get(*at..).is_some_and(|from| from.starts_with(b"://"));
    while let Some(rest) = text.as_bytes().get(from..)
        && let Some(at) = memchr_iter(b':', rest).find(|at| begins(&(from + at)))
    {
        from += at + 3;
        let rest = text.get(from..).unwrap_or_default();
        let ends = |c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace();
        let authority = rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or_default();
        // A quote is the end of an address, or one of the password.
        let quoted = authority.split(['\'', '"']).next().unwrap_or_default();
        if let Some(range) = password(quoted).or_else(|| password(authority)) {
            found.push(from + range.start..from + range.end);
        }
    }
}

/// The password of `user:password@host`.
fn password(authority: &str) -> Option<Range<usize>> {
    let end = authority.rfind('@')?;
    let start = authority.get(..end)?.find(':')? + 1;
    (start < end).then_some(start..end)
}

/// What stands behind `=`, `=>` or `:` in quotes, or right behind `=`, as in the query of an address
/// and in `AccountKey=…;`.
fn given_values(text: &str, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut end = 0;
    for sign in memchr2_iter(b'=', b':', bytes) {
        // What is in a credential that was found is gone with it.
        if sign < end {
            continue;
        }
        let behind = text.get(sign + 1..).unwrap_or_default();
        let literal = behind.strip_prefix('>').unwrap_or(behind).trim_start();
        let at = text.len() - literal.len();
        let before = text.get(..sign).unwrap_or_default();
        if literal.starts_with(['\'', '"']) {
            if let Some(name) = name_before(before)
                && names_credential_in_text(name)
                && let Some(range) = quoted(text, at)
            {
                end = range.end;
                found.push(range);
            }
        } else if let Some(name) = name_before(before)
            && bytes.get(sign) == Some(&b'=')
            && let Some(before) = before.strip_suffix(name)
            && (names_credential_in_text(name)
                || (before.ends_with(['?', '&']) && OF_QUERIES.contains(&name)))
        {
            let ends = |c: char| {
                matches!(c, '&' | '#' | ';' | ',' | ')' | '=' | '\'' | '"') || c.is_whitespace()
            };
            let len = behind.find(ends).unwrap_or(behind.len());
            if len > 0 {
                end = sign + 1 + len;
                found.push(sign + 1..end);
            }
        }
    }
}

/// The name that a text ends with, which may stand in quotes, with blanks behind it.
fn name_before(text: &str) -> Option<&str> {
    let text = text.trim_end().trim_end_matches(['\'', '"', '`', '\\']);
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let from = text.trim_end_matches(is_of_name).len();
    text.get(from..).filter(|name| !name.is_empty())
}

/// What stands between the quotes that begin at a place; to the end where they do not end.
fn quoted(text: &str, at: usize) -> Option<Range<usize>> {
    let quote = *text.as_bytes().get(at)?;
    let inner = text.get(at + 1..)?;
    let mut bytes = inner.bytes().enumerate().peekable();
    let mut len = inner.len();
    while let Some((here, byte)) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            // A quote that is doubled is one of the text.
            _ if byte == quote && bytes.next_if(|(_, next)| *next == quote).is_some() => {}
            _ if byte == quote => {
                len = here;
                break;
            }
            _ => {}
        }
    }
    (len > 0).then_some(at + 1..at + 1 + len)
}

/// The password of `IDENTIFIED [WITH method] BY '…'`.
fn identified_by(text: &str, found: &mut Vec<Range<usize>>) {
    for at in memchr_iter(b'\'', text.as_bytes()).chain(memchr_iter(b'"', text.as_bytes())) {
        // As much as is looked at.
        let from = text.floor_char_boundary(at.saturating_sub(LONGEST_PHRASE));
        let mut words = text.get(from..at).unwrap_or_default().split_ascii_whitespace().rev();
        if words.next().is_some_and(|word| word.eq_ignore_ascii_case("by"))
            && words.take(3).any(|word| word.eq_ignore_ascii_case("identified"))
            && let Some(range) = quoted(text, at)
        {
            found.push(range);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let masked = masked_text(text).map_or_else(|| text.to_owned(), |(masked, _)| masked);
        assert_eq!(masked, expected);
        assert_eq!(masked_text(&masked), None, "{masked}");
    }

    #[test]
    fn passwords_in_addresses() {
        check("s3://u:pw@b/k", "s3://u:***@b/k");
        check("see https://a:b:c@h", "see https://a:***@h");
        check("x://a:b'c\"d@h", "x://a:***@h");
        check("'https://a:b@h' x://c:d@i", "'https://a:***@h' x://c:***@i");
        for plain in ["https://host:80/a@b", "s3://bucket", "u:p@h", "s3://u:@b", "s3://u@b"] {
            check(plain, plain);
        }
    }

    #[test]
    fn values_of_names() {
        check(
            "CONNECTION = (SECRET_KEY='a''b' REGION = 'r')",
            "CONNECTION = (SECRET_KEY='***' REGION = 'r')",
        );
        check("(DELEGATION = 'd' ROOT = '/')", "(DELEGATION = '***' ROOT = '/')");
        check("options('password' => \"p\\\"q\")", "options('password' => \"***\")");
        check(r#"{"token": "t", "name": "n"}"#, r#"{"token": "***", "name": "n"}"#);
        check("https://h/p?a=1&X-Amz-Signature=0f&b=2", "https://h/p?a=1&X-Amz-Signature=***&b=2");
        check("access_key_id = 'unended", "access_key_id = '***");
        check("https://h/c?sv=1&sig=s%2Fg&b=2", "https://h/c?sv=1&sig=***&b=2");
        check("AccountName=a;AccountKey=k;x", "AccountName=a;AccountKey=***;x");
        check("host=h password=p user=u", "host=h password=*** user=u");
        check(r#"{"Set-Cookie": "s=1", "jwt":"e.y"}"#, r#"{"Set-Cookie": "***", "jwt":"***"}"#);
        for plain in [
            "key = 'k'",
            "a = 'b'",
            "token = other",
            "token == other",
            "password = ''",
            "CAST('a' AS x)",
        ] {
            check(plain, plain);
        }
    }

    #[test]
    fn passwords_of_users() {
        check("CREATE USER u IDENTIFIED BY 'p'", "CREATE USER u IDENTIFIED BY '***'");
        check(
            "alter user u identified with sha256_password by\n \"p\" with x",
            "alter user u identified with sha256_password by\n \"***\" with x",
        );
        check("GROUP BY 'p'", "GROUP BY 'p'");
    }

    proptest! {
        #[test]
        fn no_credential_is_passed_over(
            before in proptest::collection::vec(any::<u8>(), 0..20),
            text in "[a-cP:=@/'\" ]{0,4}",
            name in select(vec![
                "key", "sas", "Pass", "SECRET", "account_key", "?sig", "&code", "by", "xJWT",
                "identified x BY", "s3://u:p@",
            ]),
            sign in select(vec!["=", " =\u{a0}", "\"=>", "' : ", ":", " ", "\\\": "]),
            value in "['\"]?[a-c'\"@?&/ ]{0,9}",
            behind in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let text = [&text, name, sign, &value].concat();
            if !looked_for_in(&text).is_empty() {
                let bytes = [&before, text.as_bytes(), &behind].concat();
                prop_assert!(may_have_credentials(&bytes), "{text}");
            }
        }
    }

    #[test]
    fn no_name_is_shorter_than_the_shortest() {
        let names = WORDS.iter().chain(&NAMES).chain(&KEYS).chain(&OF_QUERIES);
        assert_eq!(names.map(|name| name.len()).min(), Some(SHORTEST_NAME));
    }

    #[test]
    fn what_is_no_text_is_seldom_looked_at() {
        for bytes in [&b"a=b: 'c' \"d\""[..], b"key = 'k'", b"\x08:\x01=\xff'", b"GROUP y 'x'"] {
            assert!(!may_have_credentials(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn a_text_of_any_form_ends() {
        for text in ["=", "'=", ":'", "é='ü", "password='", "password=\"\\", "://:@", "by '"] {
            let _ = masked_text(text);
        }
        assert!(names_credential("X-PassPhrase") && !names_credential("passenger"));
    }
}
