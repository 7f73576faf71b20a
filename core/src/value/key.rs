//! Keys by their forms: which record a key is of, and which objects its segments name.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::table::{KEYS, KeyForm, ObjectKind, Segment};

/// A key with its form.
#[derive(Debug, Clone, Copy)]
pub struct KeyParts<'a> {
    /// The form.
    pub form: &'static KeyForm,
    prefix: &'a str,
    rest: &'a str,
}

impl<'a> KeyParts<'a> {
    /// The form of a key, if it is one of those that servers write.
    ///
    /// ```
    /// use metadump::value::{KeyParts, ObjectKind};
    ///
    /// let key = KeyParts::of("__fd_database/a%2db/sales").unwrap();
    /// assert_eq!(key.tenant().as_deref(), Some("a-b"));
    /// assert_eq!(key.name(ObjectKind::Database).as_deref(), Some("sales"));
    /// ```
    pub fn of(key: &'a str) -> Option<Self> {
        let mut parts = parts(key, 2);
        let prefix = parts.next()?;
        let rest = parts.next();
        let fits = |form: &&KeyForm| form.fits(rest);
        let form = forms(prefix).iter().find(fits).or_else(|| forms("*").iter().find(fits))?;
        Some(Self { form, prefix, rest: rest.unwrap_or_default() })
    }

    /// The segments behind the prefix, as they are in the key.
    pub fn segments(&self) -> impl Iterator<Item = (Segment, &'a str)> + use<'a> {
        let segments = self.form.segments;
        segments.iter().copied().zip(parts(self.rest, segments.len().max(1)))
    }

    /// What the prefix is, where it is not the same in every key of the form.
    #[cfg(feature = "look")]
    pub(crate) fn prefix_meaning(&self) -> Option<String> {
        (self.form.prefix == "*").then(|| Segment::Tenant.meaning()).flatten()
    }

    /// The first segment.
    pub(super) const fn prefix_text(&self) -> &'a str {
        self.prefix
    }

    /// The tenant that the key names.
    pub fn tenant(&self) -> Option<Cow<'a, str>> {
        if self.form.prefix == "*" {
            return Some(unescaped(self.prefix));
        }
        let mut segments = self.segments();
        segments.find(|(segment, _)| *segment == Segment::Tenant).map(|(_, raw)| unescaped(raw))
    }

    /// The first id of a kind of object that the key has.
    pub fn id(&self, kind: ObjectKind) -> Option<u64> {
        let mut segments = self.segments();
        let (_, digits) = segments.find(|(segment, _)| *segment == Segment::Id(kind))?;
        digits.parse().ok()
    }

    /// The first name of a kind of object that the key has; of a user `'name'@'host'`.
    pub fn name(&self, kind: ObjectKind) -> Option<Cow<'a, str>> {
        let is = |segment| segment == Segment::Name(kind) || segment == Segment::User(kind);
        let (segment, raw) = self.segments().find(|(segment, _)| is(*segment))?;
        Some(segment.text(raw))
    }
}

impl Segment {
    /// The text of a segment for people: without escapes.
    pub fn text<'a>(&self, raw: &'a str) -> Cow<'a, str> {
        match self {
            Self::Literal(_) | Self::Raw(_) => raw.into(),
            _ => unescaped(raw),
        }
    }

    /// What the segment is called: `table`, `revision`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Literal(text) => text,
            Self::Tenant => "tenant",
            Self::Name(kind) | Self::User(kind) | Self::Id(kind) => kind.name(),
            Self::Number(name)
            | Self::Grouped(name)
            | Self::Digits(name)
            | Self::Hex(name)
            | Self::Text(name)
            | Self::Raw(name) => name,
        }
    }

    /// What the segment is, for people: `name of a database`; none of one that is the same in every
    /// key.
    pub fn meaning(&self) -> Option<String> {
        Some(match self {
            Self::Literal(_) => return None,
            Self::Name(kind) | Self::User(kind) => format!("name of {}", kind.one()),
            Self::Id(kind) => format!("id of {}", kind.one()),
            _ => self.name().replace('_', " "),
        })
    }

    fn fits(&self, raw: &str) -> bool {
        let digits = || !raw.is_empty() && raw.bytes().all(|byte| byte.is_ascii_digit());
        match self {
            Self::Literal(text) => *text == raw,
            // Ids have 64 bits.
            Self::Id(_) => digits() && raw.parse::<u64>().is_ok(),
            Self::Number(_) | Self::Digits(_) => digits(),
            _ => true,
        }
    }
}

// What serde derives has a call for each kind.
impl Serialize for ObjectKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit_variant("ObjectKind", *self as u32, self.name())
    }
}

impl ObjectKind {
    /// The tenant that is said beside the name of an object of the kind, given the one that its records
    /// name: a tenant has none.
    pub fn beside<T>(self, tenant: Option<T>) -> Option<T> {
        tenant.filter(|_| self != Self::Tenant)
    }

    /// One object of the kind: `a table`, `an index`, `a masking policy`.
    pub(super) fn one(self) -> String {
        let name = self.name().replace('_', " ");
        let article = if name.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        format!("{article} {name}")
    }
}

impl KeyForm {
    /// Every form, ordered by the length of the prefix, then by the prefix.
    pub const fn all() -> &'static [Self] {
        KEYS
    }

    /// Whether what follows the prefix, if anything does, has the segments.
    fn fits(&self, rest: Option<&str>) -> bool {
        let Some(rest) = rest else { return self.segments.is_empty() };
        let is_open = matches!(self.segments.last(), Some(Segment::Raw(_)));
        let mut found = parts(rest, if is_open { self.segments.len() } else { usize::MAX });
        self.segments.iter().all(|segment| found.next().is_some_and(|raw| segment.fits(raw)))
            && found.next().is_none()
    }
}

/// The parts of a text between slashes, so many at most: what [`str::splitn`] gives, which takes longer
/// for a few short ones.
fn parts(text: &str, most: usize) -> impl Iterator<Item = &str> {
    let (mut rest, mut left) = (Some(text), most);
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let text = rest.take()?;
        let slash = text.bytes().position(|byte| byte == b'/').filter(|_| left > 0);
        let Some(slash) = slash else { return Some(text) };
        rest = text.get(slash + 1..);
        text.get(..slash)
    })
}

/// The forms of a prefix, in their order.
pub(crate) fn forms(prefix: &str) -> &'static [KeyForm] {
    let is_before = |form: &KeyForm| (form.prefix.len(), form.prefix) < (prefix.len(), prefix);
    let from = KEYS.partition_point(is_before);
    let forms = KEYS.get(from..).unwrap_or_default();
    let len = forms.iter().take_while(|form| form.prefix == prefix).count();
    forms.get(..len).unwrap_or_default()
}

/// A segment without escapes; as it is when it has none, or is not escaped as servers do it.
pub fn unescaped(raw: &str) -> Cow<'_, str> {
    unescape(raw).map_or(Cow::Borrowed(raw), Cow::Owned)
}

/// A text as a segment.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02x}"));
        }
    }
    escaped
}

/// None when nothing is escaped, an escape is broken, or the bytes are not UTF-8.
pub(crate) fn unescape(raw: &str) -> Option<String> {
    memchr::memchr(b'%', raw.as_bytes())?;
    let mut parts = raw.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
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

    fn prefix(key: &str) -> Option<(&'static str, usize)> {
        KeyParts::of(key).map(|key| (key.form.prefix, key.form.segments.len()))
    }

    #[test]
    fn forms_of_keys() {
        assert_eq!(prefix("__fd_table_lock/t/7/8"), Some(("__fd_table_lock", 3)));
        assert_eq!(prefix("__fd_table_lock/7/8"), Some(("__fd_table_lock", 2)));
        assert_eq!(prefix("__fd_table_lock_v2_seq"), Some(("__fd_table_lock_v2_seq", 0)));
        assert_eq!(
            prefix("__fd_table_copied_files/7/a/b//c"),
            Some(("__fd_table_copied_files", 2))
        );
        assert_eq!(prefix("tenant/history_log_clean/l/heartbeat"), Some(("*", 3)));
        for unknown in ["", "/", "__fd_table", "__fd_table/x/y", "__fd_table_by_id/1/2", "a/b"] {
            assert_eq!(prefix(unknown), None, "{unknown}");
        }
        assert_eq!(prefix("__fd_table_by_id/99999999999999999999"), None);
    }

    #[test]
    fn parts_are_those_of_the_library() {
        for text in ["", "/", "a", "a/", "/a", "a//b/ü/", "ü/c"] {
            for most in [0, 1, 2, 3, usize::MAX] {
                assert!(parts(text, most).eq(text.splitn(most, '/')), "{text} {most}");
            }
        }
    }

    #[test]
    fn one_of_each_kind() {
        assert_eq!(ObjectKind::MaskingPolicy.one(), "a masking policy");
        assert_eq!(ObjectKind::Index.one(), "an index");
        assert_eq!(ObjectKind::Udf.one(), "a udf");
    }

    #[test]
    fn a_user_has_a_name_and_a_host() {
        let key = KeyParts::of("__fd_users/t/%27o%2527x%27%40%27%25%27").unwrap();
        assert_eq!(key.name(ObjectKind::User).as_deref(), Some("'o%27x'@'%'"));
    }
}
