//! Where a key belongs, and what it needs.

use super::choice::Choice;
use crate::check::{FIRST_SYSTEM_ID, Found, References, Relation, Said, Target};
use crate::dump::record::Bytes;
use crate::state::objects::{ObjectRecord, Owner};
use crate::value::{Fields, KeyParts, ObjectKind, Segment, ValueForm};

/// What a key and its value say. It is small, and can be made on any thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belonging {
    pub(super) home: Home,
    /// What is said of the object.
    pub(super) record: ObjectRecord,
    /// What the key needs.
    pub(super) needs: Vec<Owner>,
    /// The objects that have or had the name that the key lists.
    pub(super) listed: Vec<Owner>,
    /// How many of its needs are not known.
    pub(super) left_out: u64,
    /// Whether the value is needed to say which object the key belongs to.
    pub(super) value_tells: bool,
}

/// Where a key belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) owner: Owner,
    /// The other object, of a key that links two.
    pub(super) beside: Option<Beside>,
    /// Whether the object is known by the key: its name, its record.
    pub(super) is_identity: bool,
    pub(super) class: Class,
}

/// The other object of a key that links two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beside {
    pub(super) object: Owner,
    /// Whether that object needs the owner of the key; else the owner needs it.
    pub(super) needs_owner: bool,
}

/// Whose a key is that belongs to no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A tenant's, or an object's.
    Owned,
    /// The cluster's: counters.
    Shared,
    /// Nobody's for long: marks of transactions, queues.
    Transient,
    /// Its form is not known.
    Unknown,
}

impl Belonging {
    /// What a key and its value say, for a choice.
    pub fn of(key: &str, value: &Bytes<'_>, choice: &Choice) -> Self {
        let mut record = ObjectRecord::of(key, value);
        let parts = KeyParts::of(key);
        let home = Home::of(parts.as_ref(), record.owner.clone(), choice.is_official);
        if home.owner != record.owner {
            record.says = None;
            record.owner = home.owner.clone();
        }
        let value_tells = parts.is_some_and(|parts| Owner::of_key(&parts).is_none());
        let parent = record.says.as_ref().and_then(|says| says.parent);
        let mut belonging =
            Self { home, record, needs: Vec::new(), listed: Vec::new(), left_out: 0, value_tells };
        if let Some(found) = References::of_key(key, value).map(References::into_found) {
            belonging.read(found, parent);
        }
        belonging
    }

    /// The object that the key belongs to.
    pub(crate) const fn owner(&self) -> &Owner {
        &self.home.owner
    }

    /// The other object, of a key that links two.
    pub(crate) fn other(&self) -> Option<&Owner> {
        self.home.beside.as_ref().map(|beside| &beside.object)
    }

    /// The same, but that objects which have or had one name do not bring each other.
    pub(crate) fn without_namesakes(mut self) -> Self {
        self.listed.clear();
        self
    }

    fn read(&mut self, found: Found, parent: Option<u64>) {
        let Found { said, left_out, .. } = found;
        self.left_out = left_out;
        for said in said {
            match said {
                // What it is in is known from the object.
                Said::Needs {
                    relation: Relation::NameIn | Relation::NameOfIn | Relation::ListIn,
                    object: Target::Id(_, id),
                } if Some(id) == parent => {}
                Said::Needs { object, .. } => {
                    let object = owner(object);
                    if object != self.home.owner {
                        self.needs.push(object);
                    }
                }
                Said::Lists { kind, ids } => {
                    let ids = Fields::new(&ids).numbers().filter(|id| *id < FIRST_SYSTEM_ID);
                    let others = ids.map(|id| Owner::Id(kind, id));
                    self.listed.extend(others.filter(|object| *object != self.home.owner));
                }
                Said::Here { .. } | Said::Leads { .. } => {}
            }
        }
    }
}

fn owner(target: Target) -> Owner {
    match target {
        Target::Id(kind, id) => Owner::Id(kind, id),
        Target::Name(kind, named) => {
            let (tenant, name) = *named;
            Owner::Name(kind, tenant, name)
        }
    }
}

impl Home {
    /// Where a key belongs, whose record is that of an owner.
    pub(super) fn of(parts: Option<&KeyParts<'_>>, owner: Owner, is_official: bool) -> Self {
        let Some(parts) = parts else {
            let class = Class::Unknown;
            return Self { owner, beside: None, is_identity: false, class };
        };
        let prefix = parts.form.prefix;
        if is_official && prefix == "__fd_table_lock" && parts.tenant().is_none() {
            let owner = Owner::Rest(Some(parts.form.kind), None);
            return Self { owner, beside: None, is_identity: false, class: Class::Transient };
        }
        let owner = of_other_record(parts, owner);
        let class = match &owner {
            Owner::Rest(kind, None) => class(prefix, *kind),
            _ => Class::Owned,
        };
        Self { beside: beside(parts), is_identity: is_identity(parts), class, owner }
    }
}

const fn class(prefix: &'static str, kind: Option<ObjectKind>) -> Class {
    match kind {
        Some(ObjectKind::IdGenerator | ObjectKind::Table) => Class::Shared,
        // What queries wait for is known to nobody once they are gone.
        Some(ObjectKind::Queue) if matches!(prefix.as_bytes(), b"__fd_explain_perf") => {
            Class::Shared
        }
        Some(ObjectKind::Queue | ObjectKind::Transaction) => Class::Transient,
        _ => Class::Unknown,
    }
}

/// The owner, where it is not what the record describes.
fn of_other_record(parts: &KeyParts<'_>, owner: Owner) -> Owner {
    match (parts.form.prefix, &owner) {
        // Other catalogs keep their databases and tables elsewhere, under ids of their own.
        ("__fd_object_owners", Owner::Id(..)) => {
            match (parts.tenant(), parts.name(ObjectKind::Catalog)) {
                (Some(tenant), Some(catalog)) => {
                    Owner::Name(ObjectKind::Catalog, tenant.into(), catalog.into())
                }
                _ => owner,
            }
        }
        ("__fd_share_by", _) => {
            let shared = [ObjectKind::Database, ObjectKind::Table]
                .into_iter()
                .find_map(|kind| Some(Owner::Id(kind, parts.id(kind)?)));
            shared.unwrap_or(owner)
        }
        _ => owner,
    }
}

/// The other object of a key that links two.
fn beside(parts: &KeyParts<'_>) -> Option<Beside> {
    let table = || Some(Owner::Id(ObjectKind::Table, parts.id(ObjectKind::Table)?));
    let (object, needs_owner) = match parts.form.prefix {
        "__fd_object_tag_ref" | "__fd_tag_object_ref" => (tagged(parts)?, true),
        "__fd_mask_policy_apply_table_id" | "__fd_row_access_policy_apply_table_id" => {
            (table()?, true)
        }
        // The owner is the view.
        "__fd_materialized_view_by_source" => (table()?, false),
        _ => return None,
    };
    Some(Beside { object, needs_owner })
}

/// What a key says has a tag.
fn tagged(parts: &KeyParts<'_>) -> Option<Owner> {
    parts.segments().find_map(|(segment, raw)| match segment {
        Segment::Id(kind) if kind != ObjectKind::Tag => Some(Owner::Id(kind, raw.parse().ok()?)),
        Segment::Name(kind) | Segment::User(kind) => {
            let tenant = parts.tenant()?;
            Some(Owner::Name(kind, tenant.into(), segment.text(raw).into()))
        }
        _ => None,
    })
}

/// Whether an object is known by keys of a form.
fn is_identity(parts: &KeyParts<'_>) -> bool {
    let form = parts.form;
    let kind = form.kind;
    if form.values.iter().any(|value| matches!(value, ValueForm::Id(of) if *of == kind)) {
        return true;
    }
    if let [Segment::Tenant, Segment::Name(of) | Segment::User(of)] = form.segments {
        return *of == kind && !matches!(form.values, [ValueForm::Number(_)]);
    }
    let suffixes = ["_by_id", "_id_to_name", "_id_list", "_share_id", "_share_id_v2"];
    suffixes.iter().any(|suffix| form.prefix.ends_with(suffix))
}
