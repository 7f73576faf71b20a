//! Hides credentials.

use super::items::{Name, Scalar};
use super::key::KeyParts;
use super::meaning::{MOST_JSON_BYTES, Meaning};
use super::message::{Decoded, Message, Value};
use super::table::{Field, KeyForm, Mask, MessageType, Segment, Type, ValueForm};

/// What stands in the place of a credential.
pub const MASKED: &str = "***";

/// Whether credentials are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Secrets {
    /// [`MASKED`] stands for them.
    #[default]
    Masked,
    /// They are shown.
    Shown,
}

/// Words of names of credentials.
const WORDS: [&str; 8] =
    ["key", "secret", "token", "password", "passwd", "pwd", "credential", "private"];

/// Whether the name of an option or of a member of JSON is that of a credential.
fn names_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

impl Meaning<'_> {
    /// Puts [`MASKED`] in the place of every credential, and counts them.
    pub fn mask(&mut self, form: &KeyForm) -> u64 {
        match self {
            Self::Message(decoded) => decoded.mask(),
            Self::Json(_, value) => mask_members(value, form.masked_members),
            _ => 0,
        }
    }
}

impl KeyForm {
    /// Whether its values may hold credentials: then one that does not decode is not shown either.
    pub fn may_hold_credentials(&self) -> bool {
        let mut left: Vec<&MessageType> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        left.extend(self.values.iter().filter_map(|form| match form {
            ValueForm::Message(of) => Some(*of),
            _ => None,
        }));
        while let Some(of) = left.pop() {
            if seen.contains(&of.name) {
                continue;
            }
            seen.push(of.name);
            if of.fields.iter().any(|field| field.mask != Mask::None) {
                return true;
            }
            left.extend(of.fields.iter().filter_map(|field| match field.of {
                Type::Message(of) => Some(of),
                _ => None,
            }));
        }
        !self.masked_members.is_empty()
    }
}

impl Decoded<'_> {
    /// Puts [`MASKED`] in the place of every credential, and counts them.
    pub fn mask(&mut self) -> u64 {
        let count = self.message.mask();
        if count > 0 {
            self.exact = None;
        }
        count
    }
}

impl Message<'_> {
    fn mask(&mut self) -> u64 {
        let has_credentials = self.of.has_credentials();
        let mask = |(name, value): &mut (Name, Value<'_>)| match name {
            Name::Field(Field { mask: Mask::Always, .. })
            | Name::Former(Field { mask: Mask::Always, .. }, _) => value.mask(),
            Name::Field(Field { mask: Mask::ByKey, .. }) => mask_members(value, &[]),
            // A server may have got a credential more.
            Name::Unknown(_) if has_credentials => value.mask(),
            _ => value.mask_inner(),
        };
        self.members.iter_mut().map(mask).sum()
    }
}

impl MessageType {
    fn has_credentials(&self) -> bool {
        self.fields.iter().any(|field| field.mask == Mask::Always)
    }
}

impl Value<'_> {
    /// Masks what is in it.
    fn mask_inner(&mut self) -> u64 {
        match self {
            Self::Scalar(_) => 0,
            Self::Message(message) => message.mask(),
            Self::List(list) => list.iter_mut().map(Self::mask_inner).sum(),
            Self::Map(entries) => entries.iter_mut().map(|(_, value)| value.mask_inner()).sum(),
        }
    }

    /// Masks all of it. What is empty is no credential.
    fn mask(&mut self) -> u64 {
        match self {
            Self::Scalar(Scalar::Null | Scalar::Bool(_)) => 0,
            Self::Scalar(Scalar::Text(text)) if text.is_empty() => 0,
            Self::Scalar(Scalar::Bytes(bytes)) if bytes.is_empty() => 0,
            // Text as JSON of servers has it: numbers of bytes.
            Self::List(list) if list.iter().all(|element| matches!(element, Self::Scalar(_))) => {
                let is_some = !list.is_empty();
                if is_some {
                    *self = Self::Scalar(Scalar::Text(MASKED.into()));
                }
                u64::from(is_some)
            }
            Self::Scalar(scalar) => {
                *scalar = Scalar::Text(MASKED.into());
                1
            }
            Self::Message(message) => {
                message.members.iter_mut().map(|(_, value)| value.mask()).sum()
            }
            Self::List(list) => list.iter_mut().map(Self::mask).sum(),
            Self::Map(entries) => entries.iter_mut().map(|(_, value)| value.mask()).sum(),
        }
    }
}

/// JSON under a key that is not known, with the members masked whose names are those of credentials,
/// and how many; none when the bytes are not JSON, or nothing in them is masked.
pub fn masked_json(bytes: &[u8]) -> Option<(Value<'static>, u64)> {
    if bytes.len() > MOST_JSON_BYTES {
        return None;
    }
    let mut value = serde_json::from_slice(bytes).ok()?;
    let masked = mask_members(&mut value, &[]);
    (masked > 0).then_some((value, masked))
}

/// Masks the members whose names are those of credentials.
fn mask_members(value: &mut Value<'_>, listed: &[&str]) -> u64 {
    match value {
        Value::Map(entries) => {
            let mask = |(key, value): &mut (Scalar<'_>, Value<'_>)| {
                let key = key.key_text();
                if listed.contains(&&*key) || names_credential(&key) {
                    value.mask()
                } else {
                    mask_members(value, listed)
                }
            };
            entries.iter_mut().map(mask).sum()
        }
        Value::List(list) => list.iter_mut().map(|value| mask_members(value, listed)).sum(),
        Value::Message(message) => message.mask(),
        Value::Scalar(_) => 0,
    }
}

impl KeyParts<'_> {
    /// The key with [`MASKED`] in the place of segments that are credentials.
    pub fn masked(&self) -> Option<String> {
        let hidden = self.form.masked_segments;
        if hidden.is_empty() {
            return None;
        }
        let mut key = self.form.prefix.to_owned();
        for (segment, raw) in self.segments() {
            key.push('/');
            let is_hidden = matches!(segment, Segment::Text(name) if hidden.contains(&name));
            key.push_str(if is_hidden { MASKED } else { raw });
        }
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(key: &str, json: &str) -> (u64, String) {
        let form = KeyParts::of(key).unwrap().form;
        let mut meaning = match form.values[0] {
            ValueForm::Message(of) => Meaning::Message(Decoded::from_json(of, json).unwrap()),
            _ => Meaning::Json("", serde_json::from_str(json).unwrap()),
        };
        let count = meaning.mask(form);
        let json = match meaning {
            Meaning::Message(message) => serde_json::to_string(&message),
            Meaning::Json(_, value) => serde_json::to_string(&value),
            _ => unreachable!(),
        };
        (count, json.unwrap())
    }

    #[test]
    fn credentials_of_messages() {
        let stage = r#"{"stage_params":{"storage":{"s3":{"region":"r","access_key_id":"A","secret_access_key":"","15":"new","16":7}}}}"#;
        let shown = r#"{"stage_params":{"storage":{"s3":{"region":"r","access_key_id":"***","secret_access_key":"","15":"***","16":"***"}}}}"#;
        assert_eq!(masked("__fd_stages/t/s", stage), (3, shown.to_owned()));
    }

    #[test]
    fn options_by_their_names() {
        let table = r#"{"options":{"database_id":"1","AWS_SECRET_KEY":"s"}}"#;
        let shown = r#"{"options":{"database_id":"1","AWS_SECRET_KEY":"***"}}"#;
        assert_eq!(masked("__fd_table_by_id/1", table), (1, shown.to_owned()));
    }

    #[test]
    fn members_of_json() {
        let node = r#"{"id":"n","secret":"s","nested":[{"token":[1,2]}]}"#;
        let shown = r#"{"id":"n","secret":"***","nested":[{"token":"***"}]}"#;
        assert_eq!(masked("__fd_clusters_v6/t/online_nodes/n", node), (2, shown.to_owned()));
    }

    #[test]
    fn forms_that_may_hold_credentials() {
        let may = |key: &str| KeyParts::of(key).unwrap().form.may_hold_credentials();
        for key in ["__fd_stages/t/s", "__fd_table_by_id/1", "__fd_clusters_v6/t/online_nodes/n"] {
            assert!(may(key), "{key}");
        }
        for key in ["__fd_table/1/t", "__fd_roles/t/r", "__fd_table_id_to_name/1"] {
            assert!(!may(key), "{key}");
        }
    }

    #[test]
    fn json_of_an_unknown_form() {
        let (value, masked) = masked_json(br#"{"a":1,"password":"p"}"#).unwrap();
        let json = serde_json::to_string(&value).unwrap();
        assert_eq!((json.as_str(), masked), (r#"{"a":1,"password":"***"}"#, 1));
        assert_eq!(masked_json(br#"{"a":1}"#), None);
        assert_eq!(masked_json(b"password"), None);
    }

    #[test]
    fn a_token_in_a_key() {
        let key = KeyParts::of("__fd_token/t/abc").unwrap();
        assert_eq!(key.masked().as_deref(), Some("__fd_token/t/***"));
        assert_eq!(KeyParts::of("__fd_roles/t/r").unwrap().masked(), None);
    }
}
