//! Which texts of keys and values are names, and what stands for them.

use super::key::{KeyParts, escape, unescaped};
use super::pseudonym::Pseudonyms;
use super::table::{Cardinality, Field, Holds, KeyForm, Mask, ObjectKind, Segment, Type};

/// Fields whose texts are words of Databend, hashes or times.
const WORDS_OF_FIELDS: [&str; 15] = [
    "engine",
    "language",
    "runtime_version",
    "storage_type",
    "region",
    "cron",
    "time_zone",
    "version",
    "etag",
    "md5",
    "query_id",
    "using_warehouse_size",
    "storage_class",
    "function_name",
    "source",
];

/// Options and members of JSON whose values are words of Databend.
const WORDS_OF_MEMBERS: [&str; 16] = [
    "engine",
    "storage_format",
    "table_compression",
    "type",
    "storage_type",
    "region",
    "version",
    "binary_version",
    "node_type",
    "status",
    "auth_type",
    "hash_method",
    "format",
    "compression",
    "language",
    "runtime_version",
];

impl Field {
    /// Whether its texts are names, or say something of whose they are: what is not known to be a
    /// word of Databend is.
    pub(super) fn has_names(&self) -> bool {
        matches!(self.of, Type::String)
            && !matches!(self.holds, Holds::Time | Holds::Type)
            && !WORDS_OF_FIELDS.contains(&self.name)
    }

    /// Whether the keys of the map are names. Those of options are words.
    pub(super) fn has_named_keys(&self) -> bool {
        let is_options = self.mask != Mask::None
            || ["options", "params", "info"].iter().any(|end| self.name.ends_with(end));
        matches!(self.cardinality, Cardinality::Map(Type::String))
            && (self.key_of.is_some() || !is_options)
    }
}

/// Whether the value of an option, or of a member of JSON, is a name.
pub(super) fn is_named(member: &str, value: &str) -> bool {
    !WORDS_OF_MEMBERS.contains(&member) && !matches!(value, "true" | "false")
}

impl KeyParts<'_> {
    /// The key with pseudonyms in the place of names.
    pub fn renamed(&self, names: &Pseudonyms) -> String {
        let mut key = match self.form.prefix {
            "*" => segment(Segment::Tenant, self.prefix_text(), names),
            prefix => prefix.to_owned(),
        };
        for (of, raw) in self.segments() {
            key.push('/');
            key.push_str(&segment(of, raw, names));
        }
        key
    }
}

/// The beginning of a key with pseudonyms in the place of names; none where no key begins like this.
pub fn renamed_prefix(prefix: &str, names: &Pseudonyms) -> Option<String> {
    let mut parts = prefix.split('/');
    let first = parts.next()?;
    let parts = Vec::from_iter(parts);
    let begins = |form: &&KeyForm| {
        let is_literal = |(segment, raw): (&Segment, &&str)| match segment {
            Segment::Literal(text) => text.starts_with(raw),
            _ => true,
        };
        form.prefix == first
            && form.segments.len() >= parts.len()
            && form.segments.iter().zip(&parts).all(is_literal)
    };
    let form = KeyForm::all().iter().find(begins)?;
    let segments = form.segments.iter().zip(parts).map(|(of, raw)| segment(*of, raw, names));
    Some(std::iter::once(first.to_owned()).chain(segments).collect::<Vec<_>>().join("/"))
}

fn segment(of: Segment, raw: &str, names: &Pseudonyms) -> String {
    match of {
        // Settings are words; arguments are types; logs are those of Databend.
        Segment::Name(ObjectKind::Setting)
        | Segment::Text("arguments" | "log" | "token_hash")
        | Segment::Raw("generator")
        | Segment::Literal(_)
        | Segment::Id(_)
        | Segment::Number(_)
        | Segment::Grouped(_)
        | Segment::Digits(_) => raw.to_owned(),
        // The hash of a text tells whether it is one that somebody guesses.
        Segment::Hex(_) | Segment::Raw(_) => names.of(raw).into_owned(),
        Segment::User(_) => user(raw, names),
        Segment::Text("message") => {
            let text = unescaped(raw);
            match text.match_indices('-').nth(1) {
                Some((at, _)) => {
                    let (head, name) = text.split_at(at + 1);
                    escape(&format!("{head}{}", names.of(name)))
                }
                None => escape(&names.of(&text)),
            }
        }
        Segment::Tenant | Segment::Name(_) | Segment::Text(_) => {
            let text = unescaped(raw);
            match names.of(&text) {
                same if same == text => raw.to_owned(),
                new => escape(&new),
            }
        }
    }
}

/// `'name'@'host'`, of which each is a name.
fn user(raw: &str, names: &Pseudonyms) -> String {
    let text = unescaped(raw);
    let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    let Some((name, host)) = inner.and_then(|inner| inner.split_once("'@'")) else {
        return if raw.is_empty() { String::new() } else { escape(&names.of(&text)) };
    };
    // Quotes and percent signs inside are escaped once more.
    let part = |part: &str| {
        let plain = unescaped(part);
        match names.of(&plain) {
            same if same == plain => part.to_owned(),
            new => new.into_owned(),
        }
    };
    escape(&format!("'{}'@'{}'", part(name), part(host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_keys() {
        let names = Pseudonyms::new([1; 32]);
        let new = |key: &str| KeyParts::of(key).unwrap().renamed(&names);
        let (tenant, orders) = (names.of("acme").into_owned(), names.of("my orders").into_owned());
        assert_eq!(new("__fd_table/7/my%20orders"), format!("__fd_table/7/{orders}"));
        assert_eq!(new("__fd_database/acme/default"), format!("__fd_database/{tenant}/default"));
        assert_eq!(new("__fd_table_by_id/7"), "__fd_table_by_id/7");
        assert_eq!(
            new("acme/history_log_clean/l/heartbeat"),
            format!("{tenant}/history_log_clean/l/heartbeat")
        );
        assert_eq!(
            new("__fd_table_copied_files/7/a/b"),
            format!("__fd_table_copied_files/7/{}", names.of("a/b"))
        );
        let user = format!("__fd_users/{tenant}/%27{}%27%40%27%25%27", names.of("o'x"));
        assert_eq!(new("__fd_users/acme/%27o%2527x%27%40%27%25%27"), user);
        assert_eq!(
            new("__fd_users/acme/%27root%27%40%27%25%27"),
            format!("__fd_users/{tenant}/%27root%27%40%27%25%27")
        );
        let message = format!("__fd_task_messages/{tenant}/0%2d1%2d{}", names.of("t-1"));
        assert_eq!(new("__fd_task_messages/acme/0%2d1%2dt%2d1"), message);
    }

    #[test]
    fn beginnings_of_keys() {
        let names = Pseudonyms::new([1; 32]);
        let new = |prefix: &str| renamed_prefix(prefix, &names);
        assert_eq!(new("__fd_stages/"), Some("__fd_stages/".to_owned()));
        assert_eq!(new("__fd_stages/acme/"), Some(format!("__fd_stages/{}/", names.of("acme"))));
        assert_eq!(new("__fd_stages"), Some("__fd_stages".to_owned()));
        assert_eq!(new("private/a"), None);
    }
}
