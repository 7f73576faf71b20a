//! Credentials in keys: each gets a name with its place among all of them, so that keys stay apart and
//! in order.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::value::{KeyParts, Segment};

/// What a name begins with; the place follows in eight digits.
const NAME: &str = "masked_";

/// Every credential that is a segment of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens(BTreeSet<Box<str>>);

impl Tokens {
    /// Adds one.
    pub(super) fn add(&mut self, token: &str) {
        if !self.0.contains(token) {
            self.0.insert(token.into());
        }
    }

    /// The names of all, in order, for the second reading.
    pub(super) fn named(self) -> NamedTokens {
        NamedTokens(self.0.into_iter().collect())
    }
}

/// All of them in their order.
#[derive(Debug, Default)]
pub(super) struct NamedTokens(Vec<Box<str>>);

impl NamedTokens {
    /// What stands in the place of one.
    fn name(&self, token: &str) -> Option<String> {
        let place = self.0.binary_search_by(|other| (**other).cmp(token)).ok()?;
        Some(format!("{NAME}{:08}", place + 1))
    }
}

/// The credentials in a key: as they are in it, with the names of their segments.
pub(super) fn hidden<'a>(parts: &KeyParts<'a>) -> Vec<(&'static str, &'a str)> {
    let hidden = parts.form.masked_segments;
    if hidden.is_empty() {
        return Vec::new();
    }
    let is_hidden = |(segment, raw): (Segment, &'a str)| match segment {
        Segment::Text(name) if hidden.contains(&name) && !raw.is_empty() => Some((name, raw)),
        _ => None,
    };
    parts.segments().filter_map(is_hidden).collect()
}

/// The key with the names of its credentials in their place; as it is where they have none.
pub(super) fn renamed<'k>(key: &'k str, parts: &KeyParts<'_>, names: &NamedTokens) -> Cow<'k, str> {
    let mut new = Cow::Borrowed(key);
    for (_, token) in hidden(parts) {
        if let Some(name) = names.name(token)
            && name != token
            && let Some(at) = new.rfind(token)
        {
            let (before, behind) = new.split_at(at);
            let behind = behind.strip_prefix(token).unwrap_or_default();
            new = format!("{before}{name}{behind}").into();
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_apart_and_in_order() {
        let mut tokens = Tokens::default();
        ["b0", "a9", "b0", "ff"].iter().for_each(|token| tokens.add(token));
        let names = tokens.named();
        let new = |key: &str| {
            let parts = KeyParts::of(key).unwrap();
            renamed(key, &parts, &names).into_owned()
        };
        assert_eq!(new("__fd_token/a9/a9"), "__fd_token/a9/masked_00000001");
        assert_eq!(new("__fd_token/t/b0"), "__fd_token/t/masked_00000002");
        assert_eq!(new("__fd_token/t/"), "__fd_token/t/");
        assert_eq!(new("__fd_roles/t/a9"), "__fd_roles/t/a9");
    }
}
