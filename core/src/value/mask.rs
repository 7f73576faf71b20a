//! Hides credentials.

use super::credential::{MASKED, METHOD, masked_text, names_credential, speaks_of_credentials};
use super::items::{Name, Scalar};
use super::key::KeyParts;
use super::meaning::{MOST_JSON_BYTES, Meaning};
use super::message::{Decoded, Message, Value};
use super::table::{Field, KeyForm, Mask, Segment, ValueForm};

/// Whether credentials are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Secrets {
    /// [`MASKED`] stands for them.
    #[default]
    Masked,
    /// They are shown.
    Shown,
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
        let of_message = |form: &ValueForm| match form {
            ValueForm::Message(of) => of.holds_credentials,
            _ => false,
        };
        !self.masked_members.is_empty() || self.values.iter().any(of_message)
    }
}

impl Decoded<'_> {
    /// Puts [`MASKED`] in the place of every credential, and counts them.
    pub fn mask(&mut self) -> u64 {
        let count = self.message.mask();
        // The bytes may have more than the message: of a field that is there twice.
        if count > 0 || (self.exact.is_some() && self.message.of.holds_credentials) {
            self.exact = None;
        }
        count
    }
}

impl Message<'_> {
    fn mask(&mut self) -> u64 {
        let is_unknown = |(name, _): &(Name, Value<'_>)| matches!(name, Name::Unknown(_));
        let may_hold = self.members.iter().any(is_unknown) && self.of.holds_credentials;
        let mask = |(name, value): &mut (Name, Value<'_>)| match name {
            Name::Field(Field { mask: Mask::Always, .. })
            | Name::Former(Field { mask: Mask::Always, .. }, _) => value.mask(),
            Name::Field(Field { mask: Mask::ByKey, .. }) => mask_members(value, &[]),
            // A newer server may have a credential there.
            Name::Unknown(_) if may_hold => value.mask(),
            _ => value.mask_inner(),
        };
        self.members.iter_mut().map(mask).sum()
    }
}

impl Value<'_> {
    /// Masks what is in it.
    fn mask_inner(&mut self) -> u64 {
        match self {
            Self::Scalar(scalar) => scalar.mask_inner(),
            Self::Message(message) => message.mask(),
            Self::List(list) => list.iter_mut().map(Self::mask_inner).sum(),
            Self::Map(entries) => entries.iter_mut().map(|(_, value)| value.mask_inner()).sum(),
        }
    }

    /// Masks all of it. What is empty is no credential.
    fn mask(&mut self) -> u64 {
        match self {
            Self::Scalar(Scalar::Null | Scalar::Bool(_)) => 0,
            Self::Scalar(Scalar::Text(text)) if text.is_empty() || text == MASKED => 0,
            Self::Scalar(Scalar::Bytes(bytes)) if bytes.is_empty() => 0,
            // As a dump that can be shared has it.
            Self::Scalar(Scalar::Bytes(bytes)) if **bytes == *MASKED.as_bytes() => {
                *self = Self::Scalar(Scalar::Text(MASKED.into()));
                0
            }
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
            Self::Map(entries) => {
                let mask = |(key, value): &mut (Scalar<'_>, Self)| match &*key.key_text() {
                    METHOD => value.mask_inner(),
                    _ => value.mask(),
                };
                entries.iter_mut().map(mask).sum()
            }
        }
    }
}

impl Scalar<'_> {
    /// Masks the credentials in a text.
    fn mask_inner(&mut self) -> u64 {
        let Self::Text(text) = self else { return 0 };
        let Some((masked, count)) = masked_text(text) else { return 0 };
        *text = masked.into();
        count
    }
}

/// What is masked of bytes whose form is not known, or not theirs.
#[derive(Debug, Clone, PartialEq)]
pub enum RawMask {
    /// Nothing.
    Nothing,
    /// Members of JSON, and how many.
    Json(Value<'static>, u64),
    /// All of it: it has the name of a credential, and what belongs to that is not known.
    Whole,
}

/// Looks for credentials in bytes whose form is not known, or not theirs.
pub fn mask_raw(bytes: &[u8]) -> RawMask {
    let json = bytes.get(..MOST_JSON_BYTES.saturating_add(1).min(bytes.len())).unwrap_or_default();
    match serde_json::from_slice::<Value<'static>>(json) {
        Ok(mut value) if !matches!(value, Value::Scalar(_)) => {
            match mask_members(&mut value, &[]) {
                0 => RawMask::Nothing,
                masked => RawMask::Json(value, masked),
            }
        }
        _ => {
            if speaks_of_credentials(bytes) {
                RawMask::Whole
            } else {
                RawMask::Nothing
            }
        }
    }
}

/// Bytes whose form is not known, or not theirs: a text where they are one.
pub fn raw_scalar(bytes: &[u8]) -> Scalar<'_> {
    let text = std::str::from_utf8(bytes).ok();
    let text = text.filter(|text| !text.chars().any(|c| c.is_control() && c != '\n'));
    text.map_or_else(|| Scalar::Bytes(bytes.into()), |text| Scalar::Text(text.into()))
}

/// JSON whose form is not known, and the same with its credentials masked; none of what is no JSON,
/// or has no members.
pub(crate) fn json_of_unknown_form(bytes: &[u8]) -> Option<(Value<'static>, Value<'static>)> {
    let bytes = Some(bytes).filter(|bytes| bytes.len() <= MOST_JSON_BYTES)?;
    let value: Value<'static> = serde_json::from_slice(bytes).ok()?;
    if matches!(value, Value::Scalar(_)) {
        return None;
    }
    let mut masked = value.clone();
    mask_members(&mut masked, &[]);
    Some((value, masked))
}

/// Masks the members whose names are those of credentials, and credentials in texts.
fn mask_members(value: &mut Value<'_>, listed: &[&str]) -> u64 {
    match value {
        Value::Map(entries) => {
            // A setting has its name beside its value.
            let names_its_value = entries.iter().any(|(key, value)| match value {
                Value::Scalar(Scalar::Text(name)) => {
                    key.key_text() == "name" && names_credential(name)
                }
                _ => false,
            });
            let mask = |(key, value): &mut (Scalar<'_>, Value<'_>)| {
                let key = key.key_text();
                let is_named = names_its_value && key == "value";
                if is_named || listed.contains(&&*key) || names_credential(&key) {
                    value.mask()
                } else {
                    mask_members(value, listed)
                }
            };
            entries.iter_mut().map(mask).sum()
        }
        Value::List(list) => list.iter_mut().map(|value| mask_members(value, listed)).sum(),
        Value::Message(message) => message.mask(),
        Value::Scalar(scalar) => scalar.mask_inner(),
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
    use super::super::table::MessageType;
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
        let RawMask::Json(value, masked) = mask_raw(br#"{"a":1,"password":"p"}"#) else { panic!() };
        let json = serde_json::to_string(&value).unwrap();
        assert_eq!((json.as_str(), masked), (r#"{"a":1,"password":"***"}"#, 1));
        for plain in [&br#"{"a":1}"#[..], b"a key", b"[1", b"", b"\xff\xfe"] {
            assert_eq!(mask_raw(plain), RawMask::Nothing);
        }
        let long = format!(r#"{{"secret":"{}"}}"#, "x".repeat(MOST_JSON_BYTES));
        let deep = format!(r#"{}"secret"{}"#, "[".repeat(200), "]".repeat(200));
        for whole in [&br#"{"Secret":"p""#[..], b"password=p", long.as_bytes(), deep.as_bytes()] {
            assert_eq!(mask_raw(whole), RawMask::Whole);
        }
    }

    #[test]
    fn what_a_newer_server_added_is_masked_where_credentials_are() {
        let stage =
            r#"{"stage_name":"s","stage_params":{"storage":{"99":{"@bytes":"AQI="}}},"98":"x"}"#;
        let shown = r#"{"stage_name":"s","stage_params":{"storage":{"99":"***"}},"98":"***"}"#;
        assert_eq!(masked("__fd_stages/t/s", stage), (2, shown.to_owned()));
        let name = r#"{"db_id":1,"98":"x"}"#;
        assert_eq!(masked("__fd_table_id_to_name/1", name), (0, name.to_owned()));
    }

    #[test]
    fn bytes_beside_a_message_hold_what_it_has_twice() {
        let of = MessageType::named("TableMeta").unwrap();
        let entry = |value: &[u8]| {
            let len = value.len() as u8;
            [&[0x2a, 4 + len + 1, 0x0a, 1, b'k', 0x12, len], value].concat()
        };
        let bytes = [entry(b"PW"), vec![0x30, 0]].concat();
        assert!(Decoded::read(of, &bytes).is_err());
        let twice = [&[0x2a, 9, 0x0a, 1, b'k', 0x12, 2, b'P', b'W', 0x12, 0][..]].concat();
        let mut decoded = Decoded::read(of, &twice).unwrap();
        assert!(decoded.exact.is_some());
        decoded.mask();
        assert_eq!(decoded.exact, None);
    }

    #[test]
    fn a_setting_that_is_a_credential() {
        let setting = r#"{"name":"aws_secret","value":{"String":[80,87]}}"#;
        let shown = r#"{"name":"aws_secret","value":{"String":"***"}}"#;
        assert_eq!(masked("__fd_settings/t/aws_secret", setting), (1, shown.to_owned()));
    }

    #[test]
    fn a_token_in_a_key() {
        let key = KeyParts::of("__fd_token/t/abc").unwrap();
        assert_eq!(key.masked().as_deref(), Some("__fd_token/t/***"));
        assert_eq!(KeyParts::of("__fd_roles/t/r").unwrap().masked(), None);
    }
}
