//! Ids of objects in keys and values, and what another cluster has in their place.

use std::borrow::Cow;

use super::key::{KeyParts, escape};
use super::meaning::{MOST_UNPACKED_BYTES, unpacked};
use super::table::{Cardinality, Field, MessageType, ObjectKind, Refers, Segment, Type, ValueForm};
use super::wire::{Fields, Wire, put, put_varint};

/// What an id becomes: asked for every id of an object that a key or value has.
pub type NewId<'f> = dyn FnMut(ObjectKind, u64) -> u64 + 'f;

/// Options of tables whose texts are ids.
const OPTIONS_WITH_IDS: [(&str, ObjectKind); 2] = [
    ("database_id", ObjectKind::Database),
    ("materialized_view_source_table_id", ObjectKind::Table),
];

/// Why the ids of a value cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnreadIds {
    /// It is no value of its key's form.
    #[error("its value does not decode")]
    Undecoded,
    /// It is JSON, as servers wrote it before the messages.
    #[error("its value is JSON of an old server, in which ids are not followed")]
    Json,
}

impl KeyParts<'_> {
    /// The key with other ids, and with another name of the object that it is of.
    pub fn renumbered(&self, new_id: &mut NewId<'_>, new_name: Option<&str>) -> String {
        let kind = self.form.kind;
        let mut key = self.prefix_text().to_owned();
        for (segment, raw) in self.segments() {
            key.push('/');
            match (segment, new_name) {
                (Segment::Id(of), _) => match raw.parse() {
                    Ok(id) => key.push_str(&new_id(own_kind(of), id).to_string()),
                    Err(_) => key.push_str(raw),
                },
                (Segment::Name(of), Some(name)) if of == kind => key.push_str(&escape(name)),
                _ => key.push_str(raw),
            }
        }
        key
    }

    /// The value of the key with other ids, and with another name where it holds that of its object;
    /// none when it stays as it is. One that is packed and changes is unpacked.
    ///
    /// # Errors
    ///
    /// When its ids cannot be told.
    pub fn renumbered_value(
        &self,
        bytes: &[u8],
        new_id: &mut NewId<'_>,
        new_name: Option<&str>,
    ) -> Result<Option<Vec<u8>>, UnreadIds> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let plain = unpacked(bytes, MOST_UNPACKED_BYTES).map_err(|_| UnreadIds::Undecoded)?;
        let form = self.forms().of(&plain);
        if self.forms().fit(&plain).is_err() {
            return Err(UnreadIds::Undecoded);
        }
        match form {
            Some(ValueForm::Message(of)) => {
                let mut walk = Walk { new_id, new_name: new_name.filter(|_| self.has_name()) };
                Ok(walk.message(of, &plain, Some(self.form.kind)))
            }
            Some(ValueForm::Id(kind)) => Ok(decimal(&plain, kind, new_id)),
            Some(ValueForm::Json(name)) if self.has_ids_in_json(name) => Err(UnreadIds::Json),
            _ => Ok(None),
        }
    }

    /// Whether the value says what the object is called.
    fn has_name(&self) -> bool {
        self.form.prefix.ends_with("_id_to_name")
    }

    /// Whether the messages that took the place of such JSON have ids.
    fn has_ids_in_json(&self, name: &str) -> bool {
        matches!(name, "OwnershipInfo" | "RoleInfo" | "UserInfo")
    }
}

/// A view that is kept is a table.
const fn own_kind(kind: ObjectKind) -> ObjectKind {
    match kind {
        ObjectKind::MaterializedView => ObjectKind::Table,
        kind => kind,
    }
}

fn decimal(text: &[u8], kind: ObjectKind, new_id: &mut NewId<'_>) -> Option<Vec<u8>> {
    let id: u64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let new = new_id(own_kind(kind), id);
    (new != id).then(|| new.to_string().into_bytes())
}

/// What has become of a field.
enum New {
    Number(u64),
    Bytes(Vec<u8>),
}

/// The way through a value, which is known to be one of its form: no deeper than those are read.
struct Walk<'f, 'n> {
    new_id: &'f mut NewId<'n>,
    new_name: Option<&'f str>,
}

impl Walk<'_, '_> {
    /// The message with other ids, inside of what refers to a kind of object; none when it has none.
    fn message(
        &mut self,
        of: &'static MessageType,
        bytes: &[u8],
        around: Option<ObjectKind>,
    ) -> Option<Vec<u8>> {
        spliced(bytes, |number, wire| {
            let field = of.field(number)?;
            match (field.cardinality, wire) {
                (Cardinality::Map(_), Wire::Bytes(entry)) => {
                    self.entry(of, field, entry, around).map(New::Bytes)
                }
                (Cardinality::Repeated, Wire::Bytes(list)) if field.of.is_number() => {
                    self.list(list, referred(field.id_of, around)?).map(New::Bytes)
                }
                _ => self.value(field, wire, around),
            }
        })
    }

    fn value(&mut self, field: &Field, wire: Wire<'_>, around: Option<ObjectKind>) -> Option<New> {
        let kind = referred(field.id_of, around);
        match (field.of, wire) {
            (Type::Message(inner), Wire::Bytes(bytes)) => {
                let around = kind.or_else(|| referred(field.name_of, around));
                self.message(inner, bytes, around).map(New::Bytes)
            }
            (Type::String, Wire::Bytes(text)) if matches!(field.name, "name" | "table_name") => {
                let name = self.new_name?.as_bytes();
                (name != text).then(|| New::Bytes(name.to_vec()))
            }
            (_, Wire::Varint(id)) => {
                let new = (self.new_id)(own_kind(kind?), id);
                (new != id).then_some(New::Number(new))
            }
            _ => None,
        }
    }

    fn list(&mut self, list: &[u8], kind: ObjectKind) -> Option<Vec<u8>> {
        let mut new = Vec::with_capacity(list.len());
        for id in Fields::new(list).numbers() {
            put_varint(&mut new, (self.new_id)(own_kind(kind), id));
        }
        (new != list).then_some(new)
    }

    fn entry(
        &mut self,
        of: &MessageType,
        field: &Field,
        entry: &[u8],
        around: Option<ObjectKind>,
    ) -> Option<Vec<u8>> {
        let option = (of.name == "TableMeta" && field.name == "options")
            .then(|| {
                OPTIONS_WITH_IDS.iter().find(|(name, _)| {
                    Fields::new(entry).any(|field| field == Ok((1, Wire::Bytes(name.as_bytes()))))
                })
            })
            .flatten();
        spliced(entry, |number, wire| match (number, wire, option) {
            (2, Wire::Bytes(text), Some((_, kind))) => {
                decimal(text, *kind, self.new_id).map(New::Bytes)
            }
            (2, wire, None) => self.value(field, wire, around),
            _ => None,
        })
    }
}

fn referred(refers: Option<Refers>, around: Option<ObjectKind>) -> Option<ObjectKind> {
    match refers? {
        Refers::To(kind) => Some(kind),
        Refers::ToParent => around,
    }
}

/// A message in which some fields are new, and all else stays byte for byte; none when none is.
fn spliced(bytes: &[u8], mut new: impl FnMut(u32, Wire<'_>) -> Option<New>) -> Option<Vec<u8>> {
    let mut fields = Fields::new(bytes);
    let (mut out, mut done) = (None::<Vec<u8>>, 0);
    loop {
        let from = bytes.len() - fields.left();
        let Some(Ok((number, wire))) = fields.next() else { break };
        let to = bytes.len() - fields.left();
        let Some(new) = new(number, wire) else { continue };
        let out = out.get_or_insert_with(|| Vec::with_capacity(bytes.len()));
        out.extend_from_slice(bytes.get(done..from).unwrap_or_default());
        match new {
            New::Number(value) => put(out, number, Wire::Varint(value)),
            New::Bytes(value) => put(out, number, Wire::Bytes(&value)),
        }
        done = to;
    }
    let mut out = out?;
    out.extend_from_slice(bytes.get(done..).unwrap_or_default());
    Some(out)
}

/// A message without some of its fields, by their numbers; all else stays byte for byte.
pub(crate) fn without_fields(bytes: &[u8], numbers: &[u32]) -> Vec<u8> {
    let mut fields = Fields::new(bytes);
    let mut out = Vec::with_capacity(bytes.len());
    loop {
        let from = bytes.len() - fields.left();
        let Some(Ok((number, _))) = fields.next() else { break };
        let to = bytes.len() - fields.left();
        if !numbers.contains(&number) {
            out.extend_from_slice(bytes.get(from..to).unwrap_or_default());
        }
    }
    out
}

/// The ids of an id list; none when it is not one.
pub(crate) fn listed_ids(list: &[u8]) -> Option<Vec<u64>> {
    let mut ids = Vec::new();
    let list = unpacked(list, MOST_UNPACKED_BYTES).ok()?;
    for field in Fields::new(&list) {
        match field.ok()? {
            (1, Wire::Bytes(packed)) => {
                let before = ids.len();
                ids.extend(Fields::new(packed).numbers());
                let mut again = Vec::with_capacity(packed.len());
                ids.iter().skip(before).for_each(|id| put_varint(&mut again, *id));
                (again == packed).then_some(())?;
            }
            (1, Wire::Varint(id)) => ids.push(id),
            _ => {}
        }
    }
    Some(ids)
}

/// An id list with other ids; what else it says stays.
pub(crate) fn with_ids(list: &[u8], ids: &[u64]) -> Vec<u8> {
    let mut packed = Vec::new();
    ids.iter().for_each(|id| put_varint(&mut packed, *id));
    let mut out = Vec::new();
    put(&mut out, 1, Wire::Bytes(&packed));
    out.extend(without_fields(&plain(list), &[1]));
    out
}

/// A value unpacked; as it is when it cannot be.
fn plain(bytes: &[u8]) -> Cow<'_, [u8]> {
    unpacked(bytes, MOST_UNPACKED_BYTES).unwrap_or(Cow::Borrowed(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Decoded;

    fn moved(kind: ObjectKind, id: u64) -> u64 {
        match (kind, id) {
            (ObjectKind::Database, 7) => 700,
            (ObjectKind::Table, 8) => 1 << 40,
            (ObjectKind::MaskingPolicy, 5) => 50,
            (ObjectKind::RowAccessPolicy, 6) => 60,
            _ => id,
        }
    }

    fn key(key: &str, name: Option<&str>) -> String {
        KeyParts::of(key).unwrap().renumbered(&mut moved, name)
    }

    #[track_caller]
    fn value(of_key: &str, of: &str, json: &str, name: Option<&str>, expected: &str) {
        let of = MessageType::named(of).unwrap();
        let before = Decoded::from_json(of, json).unwrap().write();
        let key = KeyParts::of(of_key).unwrap();
        let after = key.renumbered_value(&before, &mut moved, name).unwrap();
        let after = after.unwrap_or(before);
        let shown = serde_json::to_string(&Decoded::read(of, &after).unwrap()).unwrap();
        assert_eq!(shown, expected);
    }

    #[test]
    fn ids_and_names_in_keys() {
        assert_eq!(key("__fd_table/7/t", None), "__fd_table/700/t");
        assert_eq!(key("__fd_table/7/t", Some("a b")), "__fd_table/700/a%20b");
        assert_eq!(key("__fd_database/t/d", Some("e")), "__fd_database/t/e");
        assert_eq!(
            key("__fd_table_copied_files/8/a/b%", None),
            format!("__fd_table_copied_files/{}/a/b%", 1_u64 << 40)
        );
        assert_eq!(
            key("__fd_object_tag_ref/t/table/8/9", None),
            format!("__fd_object_tag_ref/t/table/{}/9", 1_u64 << 40)
        );
        assert_eq!(
            key("__fd_materialized_view_by_source/t/8/8", None),
            format!("__fd_materialized_view_by_source/t/{0}/{0}", 1_u64 << 40)
        );
        assert_eq!(key("__fd_table_by_id/9", None), "__fd_table_by_id/9");
    }

    #[test]
    fn ids_in_values() {
        value(
            "__fd_table_id_to_name/8",
            "DbIdTableName",
            r#"{"db_id":7,"table_name":"t","ver":9}"#,
            Some("u"),
            r#"{"db_id":700,"table_name":"u","ver":9}"#,
        );
        value(
            "__fd_database_id_to_name/7",
            "TIdent",
            r#"{"tenant":"acme","name":"d"}"#,
            Some("e"),
            r#"{"tenant":"acme","name":"e"}"#,
        );
        value(
            "__fd_table_id_list/7/t",
            "TableIdList",
            r#"{"ids":[3,8]}"#,
            None,
            r#"{"ids":[3,1099511627776]}"#,
        );
        value(
            "__fd_table_by_id/8",
            "TableMeta",
            r#"{"options":{"database_id":"7","snapshot_location":"7/8/_ss/x"},"row_access_policy_columns_ids":{"policy_id":6},"column_mask_policy_columns_ids":{"1":{"policy_id":5,"columns_ids":[5]}}}"#,
            None,
            r#"{"options":{"database_id":"700","snapshot_location":"7/8/_ss/x"},"row_access_policy_columns_ids":{"policy_id":60},"column_mask_policy_columns_ids":{"1":{"policy_id":50,"columns_ids":[5]}}}"#,
        );
        value(
            "__fd_object_owners/t/table-by-id/8",
            "OwnershipInfo",
            r#"{"role":"r","object":{"table":{"catalog":"default","db":7,"table":8}}}"#,
            None,
            r#"{"role":"r","object":{"table":{"catalog":"default","db":700,"table":1099511627776}}}"#,
        );
        let name = KeyParts::of("__fd_table/7/t").unwrap();
        assert_eq!(
            name.renumbered_value(b"8", &mut moved, None),
            Ok(Some(b"1099511627776".to_vec()))
        );
        assert_eq!(name.renumbered_value(b"9", &mut moved, None), Ok(None));
    }

    #[test]
    fn what_cannot_be_followed() {
        let owner = KeyParts::of("__fd_object_owners/t/table-by-id/8").unwrap();
        assert_eq!(
            owner.renumbered_value(br#"{"role":"r"}"#, &mut moved, None),
            Err(UnreadIds::Json)
        );
        let table = KeyParts::of("__fd_table_by_id/8").unwrap();
        assert_eq!(table.renumbered_value(&[0xff; 3], &mut moved, None), Err(UnreadIds::Undecoded));
    }

    #[test]
    fn id_lists() {
        let list = [0x0a, 2, 3, 8, 0xa0, 6, 24];
        assert_eq!(listed_ids(&list), Some(vec![3, 8]));
        assert_eq!(with_ids(&list, &[3, 8]), list);
        assert_eq!(with_ids(&list, &[9]), [0x0a, 1, 9, 0xa0, 6, 24]);
        assert_eq!(listed_ids(&[0x08, 3, 0x08, 4]), Some(vec![3, 4]));
        assert_eq!(listed_ids(&[]), Some(vec![]));
        for broken in [&[255, 255, 255, 1, 2, 3][..], &[10, 2, 50, 51, 250, 255], &[10, 2, 50, 200]]
        {
            assert_eq!(listed_ids(broken), None, "{broken:?}");
        }
    }
}
