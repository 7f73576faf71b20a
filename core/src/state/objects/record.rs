//! What one record of the key space says of objects.

use crate::dump::record::Bytes;
use crate::value::{
    Field, Holds, KeyForm, KeyParts, MessageType, ObjectKind, Scalar, Segment, ValueForm,
    first_part, forms, single_scalars, unpacked,
};

/// How many bytes a packed value may unpack to.
const MOST_UNPACKED_BYTES: u64 = 64 << 20;

/// How many bytes of a text in a value are kept; servers write names and times, which are shorter.
const MOST_TEXT_BYTES: usize = 1024;

/// Which object a record belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// An object with an id.
    Id(ObjectKind, u64),
    /// An object that has a name in a tenant, and no id in the key.
    Name(ObjectKind, Box<str>, Box<str>),
    /// A tenant's record of a kind whose objects are not distinguished, or nobody's.
    Rest(Option<ObjectKind>, Option<Box<str>>),
}

impl Owner {
    /// The object that the record of a key belongs to, where the key alone tells it; none where the
    /// value does.
    pub(crate) fn of_key(parts: &KeyParts<'_>) -> Option<Self> {
        let tells = |form: &ValueForm| match form {
            ValueForm::Id(of) => *of == parts.form.kind,
            ValueForm::Message(of) => is_id_list(of),
            _ => false,
        };
        let value_tells = parts.form.values.iter().any(tells);
        (!value_tells).then(|| read(parts, &[], &mut Says::default()))
    }

    /// Whether it is of a kind that stands in a database.
    pub(super) fn is_in_database(&self) -> bool {
        matches!(self, Self::Id(kind, _) if parent_kind(*kind) == Some(ObjectKind::Database))
    }
}

/// Whether a message lists the objects that have or had a name, the last one last.
fn is_id_list(of: &MessageType) -> bool {
    matches!(of.name, "DbIdList" | "TableIdList")
}

/// A record, and what it says of the object that it belongs to. It is small, and can be made on any
/// thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRecord {
    /// The object.
    pub owner: Owner,
    /// How many bytes the value has.
    pub bytes: u64,
    /// What it says; most records say nothing.
    pub says: Option<Box<Says>>,
}

/// What a record says of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Says {
    /// The tenant.
    pub tenant: Option<Box<str>>,
    /// The object that it is in: the database of a table, the table of an index.
    pub parent: Option<u64>,
    /// The name.
    pub name: Option<Box<str>>,
    /// What describes the object, if the record does.
    pub description: Option<Description>,
    /// The role that owns it.
    pub role: Option<Box<str>>,
}

/// What describes an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// When it was made.
    pub created_on: Option<Box<str>>,
    /// When it was changed.
    pub updated_on: Option<Box<str>>,
    /// When it was dropped.
    pub dropped_on: Option<Box<str>>,
    /// The engine of a database or table.
    pub engine: Option<Box<str>>,
}

impl ObjectRecord {
    /// What a key and its value say.
    pub fn of(key: &str, value: &Bytes<'_>) -> Self {
        let Some(parts) = KeyParts::of(key) else {
            return Self { owner: Owner::Rest(None, None), bytes: value.len(), says: None };
        };
        if !speaks(&parts) {
            let owner = read(&parts, &[], &mut Says::default());
            return Self { owner, bytes: value.len(), says: None };
        }
        let value = value.decode();
        let mut says = Says::default();
        let owner = read(&parts, &value, &mut says);
        let says = (says != Says::default()).then(|| Box::new(says));
        Self { owner, bytes: value.len() as u64, says }
    }

    /// The same of a record that says what an object with an id is called, or what it is in; none of
    /// all others, which are most, and recognised by how their keys begin.
    pub fn naming(key: &str, value: &Bytes<'_>) -> Option<Self> {
        let prefix = key.split('/').next().unwrap_or_default();
        forms(prefix).iter().any(names).then(|| Self::of(key, value))
    }
}

/// Whether records of a form say what an object with an id is called, or what it is in.
fn names(form: &KeyForm) -> bool {
    let has_id = form.values.iter().any(|value| matches!(value, ValueForm::Id(_)));
    let is_of_index = form.kind == ObjectKind::Index && form.prefix.ends_with("_by_id");
    has_id || is_of_index || form.prefix.ends_with("_id_to_name")
}

/// Whether objects of a kind have ids, by which they are known when they have lost their names.
pub(crate) fn has_ids(kind: ObjectKind) -> bool {
    KeyForm::all().iter().any(|form| {
        form.values.iter().any(|value| matches!(value, ValueForm::Id(of) if *of == kind))
    })
}

/// What objects of a kind are in.
pub(crate) const fn parent_kind(kind: ObjectKind) -> Option<ObjectKind> {
    match kind {
        ObjectKind::Table | ObjectKind::Dictionary => Some(ObjectKind::Database),
        ObjectKind::Index => Some(ObjectKind::Table),
        _ => None,
    }
}

fn read(parts: &KeyParts<'_>, value: &[u8], says: &mut Says) -> Owner {
    let kind = match parts.form.kind {
        // A materialized view is a table.
        ObjectKind::MaterializedView => ObjectKind::Table,
        kind => kind,
    };
    let id = match parts.form.kind {
        ObjectKind::MaterializedView => parts.id(ObjectKind::MaterializedView),
        _ => None,
    };
    let id = id.or_else(|| parts.id(kind));
    let tenant = parts.tenant();
    let name = parts.name(kind);
    let parent = parent_kind(kind).and_then(|parent| parts.id(parent));
    let unpacked = unpacked(value, MOST_UNPACKED_BYTES);
    let form = unpacked.as_ref().ok().and_then(|value| parts.forms().of(value));
    let mut listed = None;
    if matches!(form, Some(ValueForm::Json(_))) {
        says.description = describes(parts).then(Description::default);
    } else if let (Ok(value), Some(ValueForm::Message(of))) = (&unpacked, form) {
        let is_list = of.name.ends_with("IdList");
        let mut description = (describes(parts) && !is_list).then(Description::default);
        // What does not fit its message is the business of the checks.
        let _ = single_scalars(of, value, |field, scalar| {
            scalar_says(kind, field, scalar, says, description.as_mut());
            if field.name == "ids" {
                listed = number(scalar).or(listed);
            }
        });
        says.description = description;
        if !is_id_list(of) {
            listed = None;
        }
    }
    let stored = match (form, &unpacked) {
        (Some(ValueForm::Id(of)), Ok(value)) if of == kind => decimal(value),
        _ => None,
    };
    let owner_id = id.or(stored).or(listed);
    let tells_tenant = says.tenant.is_none();
    match (owner_id, tenant, name) {
        (Some(id), tenant, name) => {
            if tells_tenant {
                says.tenant = tenant.map(|tenant| tenant.into());
            }
            if id_is_named_here(parts, kind) {
                says.name = name.map(|name| name.into()).or_else(|| says.name.take());
            }
            says.parent = parent.or(says.parent);
            Owner::Id(kind, id)
        }
        (None, Some(tenant), Some(name)) => Owner::Name(kind, tenant.into(), name.into()),
        (None, tenant, _) => match parent_kind(kind).zip(parent) {
            // A list of no ids, of what had the name.
            Some((parent, id)) => Owner::Id(parent, id),
            None => of_tenant(kind, tenant.map(|tenant| tenant.into())),
        },
    }
}

/// What owns a record that names nothing but a tenant: the tenant, where it is of that kind.
fn of_tenant(kind: ObjectKind, tenant: Option<Box<str>>) -> Owner {
    match tenant {
        Some(tenant) if kind == ObjectKind::Tenant => Owner::Name(kind, tenant.clone(), tenant),
        tenant => Owner::Rest(Some(kind), tenant),
    }
}

/// Whether the name in the key is that of the object, and not of one beside it.
fn id_is_named_here(parts: &KeyParts<'_>, kind: ObjectKind) -> bool {
    let names = |segment: Segment| segment == Segment::Name(kind) || segment == Segment::User(kind);
    matches!(parts.segments().last(), Some((segment, _)) if names(segment))
        || parts.form.segments.contains(&Segment::Text("arguments"))
}

/// Whether a record says anything but which object it belongs to. Most are of files that were
/// copied into tables; what is in them is not read.
fn speaks(parts: &KeyParts<'_>) -> bool {
    let is_open = |segment: Option<&Segment>| matches!(segment, Some(Segment::Raw(_)));
    !is_open(parts.form.segments.last()) || parts.id(parts.form.kind).is_none()
}

/// Whether the value describes the object, and not what belongs to it.
fn describes(parts: &KeyParts<'_>) -> bool {
    let kind = parts.form.kind;
    let is_name =
        |segment: &Segment| *segment == Segment::Name(kind) || *segment == Segment::User(kind);
    let identity = match parts.form.segments {
        [Segment::Literal("v1"), identity @ ..] => identity,
        [Segment::Tenant, Segment::Literal("online_nodes"), name] => &[Segment::Tenant, *name],
        identity => identity,
    };
    parts.form.prefix.ends_with("_by_id")
        || matches!(identity, [Segment::Tenant, last] if is_name(last))
}

fn scalar_says(
    kind: ObjectKind,
    field: &Field,
    scalar: &Scalar<'_>,
    says: &mut Says,
    description: Option<&mut Description>,
) {
    let text = match scalar {
        Scalar::Text(text) => Some(&**text).filter(|text| !text.is_empty()),
        _ => None,
    };
    let boxed = || text.map(|text| Box::from(first_part(text, MOST_TEXT_BYTES)));
    match field.name {
        "tenant" => says.tenant = boxed(),
        "table_name" if kind == ObjectKind::Table => says.name = boxed(),
        "name" if description.is_none() => says.name = boxed(),
        "db_id" if kind == ObjectKind::Table => says.parent = number(scalar),
        "table_id" if kind == ObjectKind::Index => says.parent = number(scalar),
        "role" => says.role = boxed(),
        _ => {}
    }
    let Some(description) = description else { return };
    match field.name {
        "engine" => description.engine = boxed(),
        _ if field.holds != Holds::Time => {}
        "created_on" | "create_on" => description.created_on = boxed(),
        "updated_on" | "update_on" => description.updated_on = boxed(),
        "drop_on" | "dropped_on" => description.dropped_on = boxed(),
        _ => {}
    }
}

const fn number(scalar: &Scalar<'_>) -> Option<u64> {
    match scalar {
        Scalar::Unsigned(number) => Some(*number),
        _ => None,
    }
}

fn decimal(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Decoded;

    fn message(of: &str, json: &str) -> Vec<u8> {
        Decoded::from_json(MessageType::named(of).unwrap(), json).unwrap().write()
    }

    fn says(key: &str, value: &[u8]) -> (Owner, Says) {
        let record = ObjectRecord::of(key, &Bytes::Decoded(value.into()));
        (record.owner, record.says.map(|says| *says).unwrap_or_default())
    }

    #[test]
    fn names_and_what_is_behind_them() {
        let (owner, name) = says("__fd_table/7/orders", b"42");
        assert_eq!(owner, Owner::Id(ObjectKind::Table, 42));
        assert_eq!((name.name.as_deref(), name.parent), (Some("orders"), Some(7)));
        let (owner, name) = says("__fd_database/t%2d1/sales", b"7");
        assert_eq!(owner, Owner::Id(ObjectKind::Database, 7));
        assert_eq!((name.tenant.as_deref(), name.name.as_deref()), (Some("t-1"), Some("sales")));
        let value = message("DbIdTableName", r#"{"db_id":7,"table_name":"orders"}"#);
        let (owner, name) = says("__fd_table_id_to_name/42", &value);
        assert_eq!(owner, Owner::Id(ObjectKind::Table, 42));
        assert_eq!((name.name.as_deref(), name.parent), (Some("orders"), Some(7)));
        let value = message("TableIdList", r#"{"ids":[40,42]}"#);
        assert_eq!(says("__fd_table_id_list/7/orders", &value).0, Owner::Id(ObjectKind::Table, 42));
    }

    #[test]
    fn records_that_name_objects_are_few() {
        let is_naming = |key: &str| ObjectRecord::naming(key, &Bytes::default()).is_some();
        for key in [
            "__fd_table/7/t",
            "__fd_table_id_to_name/42",
            "__fd_database/t/d",
            "__fd_index_by_id/3",
        ] {
            assert!(is_naming(key), "{key}");
        }
        for key in ["__fd_table_by_id/42", "__fd_table_copied_files/42/f", "__fd_users/t/u", "x/y"]
        {
            assert!(!is_naming(key), "{key}");
        }
    }

    #[test]
    fn what_belongs_to_an_object_does_not_describe_it() {
        let lock = message("LockMeta", r#"{"created_on":"2025-01-01 00:00:00 UTC"}"#);
        let (owner, lock) = says("__fd_table_lock/t/42/1", &lock);
        assert_eq!(owner, Owner::Id(ObjectKind::Table, 42));
        assert_eq!((lock.description, lock.tenant.as_deref()), (None, Some("t")));
        let meta = r#"{"engine":"FUSE","drop_on":"2025-01-01 00:00:00 UTC"}"#;
        let (_, table) = says("__fd_table_by_id/42", &message("TableMeta", meta));
        let description = table.description.unwrap();
        assert_eq!(description.engine.as_deref(), Some("FUSE"));
        assert_eq!(description.dropped_on.as_deref(), Some("2025-01-01 00:00:00 UTC"));
    }

    #[test]
    fn json_describes_the_object_that_its_key_names() {
        let is_described = |key: &str| says(key, b"{}").1.description.is_some();
        for key in [
            "__fd_settings/t/max_threads",
            "__fd_warehouses/v1/t/w",
            "__fd_clusters_v6/t/online_nodes/n",
            "__fd_users/t/%27a%27%40%27%25%27",
        ] {
            assert!(is_described(key), "{key}");
        }
        for key in [
            "__fd_clusters_v6/t/online_clusters/w/c/n",
            "__fd_quotas/t",
            "__fd_object_owners/t/stage-by-name/s",
            "anything",
        ] {
            assert!(!is_described(key), "{key}");
        }
    }

    #[test]
    fn objects_without_ids_and_records_of_none() {
        let (owner, _) = says("__fd_users/t/%27a%27%40%27%25%27", b"");
        assert_eq!(owner, Owner::Name(ObjectKind::User, "t".into(), "'a'@'%'".into()));
        let (owner, _) = says("__fd_token/t/abc", b"");
        assert_eq!(owner, Owner::Rest(Some(ObjectKind::Token), Some("t".into())));
        let (owner, _) = says("__fd_quotas/t", b"");
        assert_eq!(owner, Owner::Name(ObjectKind::Tenant, "t".into(), "t".into()));
        assert_eq!(says("__fd_table/7/x", b"no id").0, Owner::Id(ObjectKind::Database, 7));
        assert_eq!(says("__fd_table_id_list/7/x", b"").0, Owner::Id(ObjectKind::Database, 7));
        assert_eq!(says("anything", b"").0, Owner::Rest(None, None));
        let owner = says("__fd_procedure/t/p/INT/8", b"9").0;
        assert_eq!(owner, Owner::Rest(None, None));
        let (owner, procedure) = says("__fd_procedure/t/p/INT", b"9");
        assert_eq!(owner, Owner::Id(ObjectKind::Procedure, 9));
        assert_eq!(procedure.name.as_deref(), Some("p"));
    }
}
