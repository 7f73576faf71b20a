//! What one line says of objects: which it is the record of, and which it needs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::copied_file;
use super::message::{Message, SeenFields};
use crate::dump::record::{Bytes, Fact};
use crate::dump::scan::{LineError, ScannedLine};
use crate::value::{
    KeyParts, MOST_UNPACKED_BYTES, Misfit, NEWEST_VER, ObjectKind, ValueForm, Wire, fields_fit,
    unpacked,
};

/// What one line says of objects, and what is wrong with its value. It can be found on any thread,
/// and is then taken by a checker with the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct References(Box<Found>);

/// What was found. Few lines say anything, so that it has a place of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) said: Vec<Said>,
    /// How many names it has beyond [`MOST_NAMES`], which are left out.
    pub(crate) left_out: u64,
    pub(super) fault: Option<Fault>,
}

/// A fact about objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Said {
    /// The record is the object's own.
    Here { object: Target, is_dropped: bool },
    /// The record is a name, which leads to the object.
    Leads { kind: ObjectKind, id: u64, database: Option<u64> },
    /// The record is of use with the object only.
    Needs { relation: Relation, object: Target },
    /// The record lists objects: their ids as in a packed list.
    Lists { kind: ObjectKind, ids: Box<[u8]> },
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Target {
    /// By its id.
    Id(ObjectKind, u64),
    /// By its tenant and name.
    Name(ObjectKind, Box<(Box<str>, Box<str>)>),
}

impl Target {
    fn named(kind: ObjectKind, tenant: &str, name: &str) -> Self {
        Self::Name(kind, Box::new((tenant.into(), name.into())))
    }

    /// How many bytes its name has.
    pub(super) fn name_bytes(&self) -> usize {
        match self {
            Self::Id(..) => 0,
            Self::Name(_, named) => named.0.len() + named.1.len(),
        }
    }

    pub(super) const fn kind(&self) -> ObjectKind {
        match self {
            Self::Id(kind, _) | Self::Name(kind, ..) => *kind,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = spaced(self.kind());
        match self {
            Self::Id(_, id) => write!(f, "{kind} {id}"),
            Self::Name(_, named) => {
                let (tenant, name) = &**named;
                write!(f, "{kind} {name:?} of the tenant {tenant:?}")
            }
        }
    }
}

/// The name of a kind for people: `masking policy`.
pub(super) fn spaced(kind: ObjectKind) -> String {
    kind.name().replace('_', " ")
}

/// How a record needs an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Relation {
    /// It is the object's own, and needs a name that leads to it.
    Own,
    /// It is a name that leads to it.
    Name,
    /// It is the name of something in it.
    NameIn,
    /// It has the name of it.
    NameOf,
    /// It has the name of something in it.
    NameOfIn,
    /// It lists it.
    Listed,
    /// It lists what is or was in it.
    ListIn,
    /// It is a file that was copied into it.
    CopiedFile,
    /// It locks it.
    Lock,
    /// It is the time from which on it can be seen.
    LeastVisibleTime,
    /// It says who owns it.
    Owner,
    /// It is a user who has it.
    User,
    /// It is a role that has it.
    Role,
    /// It is of something that it owns.
    Owned,
    /// It is a table that it guards. Nothing is reported of it: which of them engines leave behind is
    /// not known.
    Guarded,
}

impl Relation {
    /// Every relation, in the order of their numbers.
    pub(super) const ALL: [Self; 15] = [
        Self::Own,
        Self::Name,
        Self::NameIn,
        Self::NameOf,
        Self::NameOfIn,
        Self::Listed,
        Self::ListIn,
        Self::CopiedFile,
        Self::Lock,
        Self::LeastVisibleTime,
        Self::Owner,
        Self::User,
        Self::Role,
        Self::Owned,
        Self::Guarded,
    ];
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// It is not what its key says.
    Misfit(Box<str>),
    /// A newer server has written it: the message, and which version its reader must know.
    Newer(Box<str>, u64),
}

/// The field of every message that says which version its reader must know.
const MIN_READER_VER: u32 = 101;

/// How many names of objects one value may need. Nobody gives a user a thousand roles.
const MOST_NAMES: usize = 1000;

/// The kinds of which each object has an id, a record under it, and a name that leads to it.
const WITH_IDS: [ObjectKind; 9] = [
    ObjectKind::Database,
    ObjectKind::Table,
    ObjectKind::Catalog,
    ObjectKind::Index,
    ObjectKind::Dictionary,
    ObjectKind::Tag,
    ObjectKind::MaskingPolicy,
    ObjectKind::RowAccessPolicy,
    ObjectKind::Procedure,
];

/// Databases and tables from here on are made up by engines and have no records.
pub(crate) const FIRST_SYSTEM_ID: u64 = 1 << 62;

/// The roles that every tenant has without a record.
const BUILT_IN_ROLES: [&str; 2] = ["public", "account_admin"];

impl References {
    /// What a line says; none when that is nothing, or only what its key tells.
    ///
    /// ```
    /// use metadump::check::References;
    /// use metadump::scan::scan_line;
    ///
    /// let line = br#"["state_machine/0",{"GenericKV":{"key":"__fd_table/7/orders","value":{"seq":9,"meta":null,"data":[52,50]}}}]"#;
    /// assert!(References::of(&scan_line(line)).is_some());
    /// ```
    pub fn of(scanned: &Result<ScannedLine<'_>, LineError>) -> Option<Self> {
        match scanned.as_ref().ok()?.record.fact() {
            Fact::Key(key, value) => Self::of_key(key, &value.data),
            _ => None,
        }
    }

    /// The same for a key and its value.
    pub(crate) fn of_key(key: &str, value: &Bytes<'_>) -> Option<Self> {
        if copied_file(key).is_some() {
            // Most of a dump is of such files; what is in the values is not read.
            return None;
        }
        let parts = KeyParts::of(key)?;
        let mut found = Found::default();
        let value = value.decode();
        match unpacked(&value, MOST_UNPACKED_BYTES) {
            Ok(value) => found.read(&parts, &value),
            Err(misfit) => {
                found.fault = Some(Fault::Misfit(misfit.to_string().into()));
                found.read(&parts, &[]);
            }
        }
        let says_nothing = found.said.is_empty() && found.fault.is_none();
        (!says_nothing).then(|| Self(Box::new(found)))
    }

    pub(crate) fn into_found(self) -> Found {
        *self.0
    }
}

impl Found {
    fn read(&mut self, parts: &KeyParts<'_>, value: &[u8]) {
        let of = parts.forms().message(value);
        let mut message = of.map(|of| Message::of(of, value));
        let fit = match &mut message {
            Some(message) => self.message(message),
            None => parts.forms().fit(value),
        };
        if let (Err(misfit), None) = (fit, &self.fault) {
            self.fault = Some(Fault::Misfit(misfit.to_string().into()));
        }
        // What cannot be read says nothing.
        let message = message.filter(|_| !matches!(self.fault, Some(Fault::Misfit(_))));
        self.key(parts, value, message);
    }

    /// Looks at the fields of a message. One for newer readers may be written in another way.
    fn message(&mut self, message: &mut Message<'_>) -> Result<(), Misfit> {
        let dropped_on = message.dropped_on();
        let mut version = 0;
        let mut is_dropped = false;
        let mut seen = SeenFields::NONE;
        let fit = fields_fit(message.of, message.bytes, |number, wire| {
            seen.insert(number);
            match wire {
                Wire::Varint(value) if number == MIN_READER_VER => version = value,
                Wire::Bytes(time) => is_dropped |= Some(number) == dropped_on && !time.is_empty(),
                _ => {}
            }
        });
        message.is_dropped = is_dropped;
        if fit.is_ok() {
            message.seen = seen;
        } else {
            // The version stands behind what is wrong.
            version = message.number(MIN_READER_VER).unwrap_or(version);
        }
        if version > NEWEST_VER && self.fault.is_none() {
            self.fault = Some(Fault::Newer(message.of.name.into(), version));
            return Ok(());
        }
        fit
    }

    /// What key and value say together.
    fn key(&mut self, parts: &KeyParts<'_>, value: &[u8], message: Option<Message<'_>>) {
        let kind = parts.form.kind;
        let id = parts.id(kind);
        let database = parts.id(ObjectKind::Database);
        let prefix = parts.form.prefix;
        if let Some(ValueForm::Id(of)) = parts.forms().of(value)
            && WITH_IDS.contains(&of)
            && let Some(id) = decimal(value)
        {
            self.said.push(Said::Leads { kind: of, id, database });
            self.needs(Relation::NameIn, ObjectKind::Database, database);
            return;
        }
        match prefix {
            "__fd_db_id_list" | "__fd_table_id_list" => {
                if let Some(ids) = message.map(|message| message.numbers("ids")) {
                    self.said.push(Said::Lists { kind, ids });
                }
                self.needs(Relation::ListIn, ObjectKind::Database, database);
            }
            "__fd_table_lvt" => self.needs(Relation::LeastVisibleTime, kind, id),
            "__fd_table_lock" | "__fd_table_lock_v2" => self.needs(Relation::Lock, kind, id),
            "__fd_object_owners" => self.owner(parts, message),
            "__fd_users" => {
                self.named(parts);
                let tenant = parts.tenant();
                let tenant = tenant.as_deref().unwrap_or_default();
                let Some(user) = message else { return };
                self.roles(Relation::User, tenant, user);
                for option in user.messages("option") {
                    let policies = [
                        ("network_policy", ObjectKind::NetworkPolicy),
                        ("password_policy", ObjectKind::PasswordPolicy),
                    ];
                    for (field, kind) in policies {
                        for policy in option.texts(field) {
                            self.needs_named(Relation::User, kind, tenant, policy);
                        }
                    }
                }
            }
            "__fd_roles" => {
                self.named(parts);
                if let (Some(role), Some(tenant)) = (message, parts.tenant()) {
                    self.roles(Relation::Role, &tenant, role);
                }
            }
            "__fd_stages"
            | "__fd_udfs"
            | "__fd_connection"
            | "__fd_sequence"
            | "__fd_network_policies"
            | "__fd_password_policies" => self.named(parts),
            _ if prefix.ends_with("_id_to_name") && WITH_IDS.contains(&kind) => {
                self.needs(Relation::NameOf, kind, id);
                let within = message.and_then(|message| message.number(message.field("db_id")?));
                self.needs(Relation::NameOfIn, ObjectKind::Database, within);
            }
            _ if prefix.ends_with("_by_id") && WITH_IDS.contains(&kind) => {
                if let Some(id) = id {
                    let is_dropped = message.is_none_or(|message| message.is_dropped);
                    self.said.push(Said::Here { object: Target::Id(kind, id), is_dropped });
                }
                if let (ObjectKind::Table, Some(table)) = (kind, message) {
                    self.policies(table);
                }
            }
            _ => {}
        }
    }

    fn needs(&mut self, relation: Relation, kind: ObjectKind, id: Option<u64>) {
        if let Some(id) = id.filter(|id| *id < FIRST_SYSTEM_ID) {
            self.said.push(Said::Needs { relation, object: Target::Id(kind, id) });
        }
    }

    fn needs_named(&mut self, relation: Relation, kind: ObjectKind, tenant: &str, name: &str) {
        if name.is_empty() || (kind == ObjectKind::Role && BUILT_IN_ROLES.contains(&name)) {
            return;
        }
        if self.said.len() > MOST_NAMES {
            self.left_out += 1;
            return;
        }
        let object = Target::named(kind, tenant, name);
        self.said.push(Said::Needs { relation, object });
    }

    /// The record of an object that has a name and no id.
    fn named(&mut self, parts: &KeyParts<'_>) {
        let kind = parts.form.kind;
        if let (Some(tenant), Some(name)) = (parts.tenant(), parts.name(kind)) {
            let object = Target::named(kind, &tenant, &name);
            self.said.push(Said::Here { object, is_dropped: false });
        }
    }

    /// The policies that guard a table.
    fn policies(&mut self, table: Message<'_>) {
        let id = |guard: Message<'_>| guard.number(guard.field("policy_id")?);
        for guard in table.messages("row_access_policy_columns_ids") {
            self.needs(Relation::Guarded, ObjectKind::RowAccessPolicy, id(guard));
        }
        for guard in table.values("column_mask_policy_columns_ids") {
            self.needs(Relation::Guarded, ObjectKind::MaskingPolicy, id(guard));
        }
    }

    fn roles(&mut self, relation: Relation, tenant: &str, of: Message<'_>) {
        for grants in of.messages("grants") {
            for role in grants.keys("roles") {
                self.needs_named(relation, ObjectKind::Role, tenant, role);
            }
        }
    }

    fn owner(&mut self, parts: &KeyParts<'_>, message: Option<Message<'_>>) {
        let (kind, tenant) = (parts.form.kind, parts.tenant().unwrap_or_default());
        // Other catalogs keep their databases and tables elsewhere. Warehouses come and go.
        if parts.name(ObjectKind::Catalog).is_some() || kind == ObjectKind::Warehouse {
            return;
        }
        match parts.name(kind) {
            Some(name) => self.needs_named(Relation::Owner, kind, &tenant, &name),
            None => self.needs(Relation::Owner, kind, parts.id(kind)),
        }
        for role in message.into_iter().flat_map(|message| message.texts("role")) {
            self.needs_named(Relation::Owned, ObjectKind::Role, &tenant, role);
        }
    }
}

fn decimal(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}
