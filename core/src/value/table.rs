//! What keys and values are: tables that the build makes from `proto/value`.

/// The newest version of messages that the tables know: the `ver` of what today's servers write.
pub const NEWEST_VER: u64 = 182;

/// A message.
#[derive(Debug)]
pub struct MessageType {
    /// The name: `TableMeta`.
    pub name: &'static str,
    /// Whether it is a type of SQL, of which one member says which.
    pub is_sql_type: bool,
    /// Whether a credential may be in it, or in a message that it may hold.
    pub holds_credentials: bool,
    /// Whether a query or a script may be in it, or in a message that it may hold.
    pub holds_code: bool,
    /// The fields, by number.
    pub fields: &'static [Field],
}

impl MessageType {
    /// The message of a name.
    ///
    /// ```
    /// use metadump::value::MessageType;
    ///
    /// let table = MessageType::named("TableMeta").unwrap();
    /// assert_eq!(table.field(24).unwrap().name, "drop_on");
    /// ```
    pub fn named(name: &str) -> Option<&'static Self> {
        let at = MESSAGES.binary_search_by(|message| message.name.cmp(name)).ok()?;
        MESSAGES.get(at).copied()
    }

    /// The field of a number.
    pub fn field(&self, number: u32) -> Option<&'static Field> {
        let at = self.fields.binary_search_by_key(&number, |field| field.number).ok()?;
        self.fields.get(at)
    }

    /// The field of a name, today's or a former one.
    pub fn field_named(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| {
            field.name == name || field.former.iter().any(|former| former.name == name)
        })
    }

    /// Every message.
    pub const fn all() -> &'static [&'static Self] {
        MESSAGES
    }
}

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    /// The number.
    pub number: u32,
    /// The name.
    pub name: &'static str,
    /// The type; of a map, that of its values.
    pub of: Type,
    /// How many there are.
    pub cardinality: Cardinality,
    /// What the number is the id of, or the numbers in the message.
    pub id_of: Option<Refers>,
    /// What the text is the name of, or the texts in the message.
    pub name_of: Option<Refers>,
    /// What the keys of the map are ids or names of.
    pub key_of: Option<Refers>,
    /// Whether the value is a credential.
    pub mask: Mask,
    /// What the text is.
    pub holds: Holds,
    /// What the number counts.
    pub unit: Unit,
    /// What the bits of the number are called, by position from the lowest on.
    pub bits: Option<&'static EnumType>,
    /// The name of the type in SQL.
    pub sql: Option<&'static str>,
    /// What was written under the number before, where it has another type.
    pub former: &'static [Former],
}

/// How often a field occurs.
#[derive(Debug, Clone, Copy)]
pub enum Cardinality {
    /// Once, or not at all.
    Single,
    /// As a list.
    Repeated,
    /// As a map with keys of this type.
    Map(Type),
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "protobuf's names")]
pub enum Type {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Float,
    Double,
    String,
    Bytes,
    Enum(&'static EnumType),
    Message(&'static MessageType),
}

/// A field that had the number before.
#[derive(Debug)]
pub struct Former {
    /// The name.
    pub name: &'static str,
    /// The type.
    pub of: Type,
}

/// An enum.
#[derive(Debug)]
pub struct EnumType {
    /// The name.
    pub name: &'static str,
    /// Numbers and names.
    pub values: &'static [(i32, &'static str)],
}

impl EnumType {
    /// The name of a number.
    pub fn value_name(&self, number: i32) -> Option<&'static str> {
        self.values.iter().find(|(value, _)| *value == number).map(|(_, name)| *name)
    }

    /// The number of a name.
    pub fn number(&self, name: &str) -> Option<i32> {
        self.values.iter().find(|(_, value)| *value == name).map(|(number, _)| *number)
    }
}

/// What a field refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refers {
    /// What the field around the message refers to, or what the key is of.
    ToParent,
    /// An object.
    To(ObjectKind),
}

/// How a credential is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mask {
    /// It is none.
    None,
    /// Always; in a map every value.
    Always,
    /// In a map, the values whose keys name a credential.
    ByKey,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Itself.
    Text,
    /// A time in UTC.
    Time,
    /// A query or an expression.
    Sql,
    /// The name of a type in SQL.
    Type,
    /// A script.
    Code,
    /// A place in object storage.
    Location,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Unit {
    None,
    Bytes,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Days,
    MicrosecondsSince1970,
    DaysSince1970,
}

/// A form that keys have, and what is stored under them.
#[derive(Debug)]
pub struct KeyForm {
    /// The first segment; `*` is any, the tenant's name.
    pub prefix: &'static str,
    /// The segments after it.
    pub segments: &'static [Segment],
    /// What the value is, newest form first.
    pub values: &'static [ValueForm],
    /// The kind of object that the record describes.
    pub kind: ObjectKind,
    /// Whether every record expires.
    pub always_expires: bool,
    /// Members of a JSON value that are credentials.
    pub masked_members: &'static [&'static str],
    /// Segments of the key that are credentials.
    pub masked_segments: &'static [&'static str],
}

/// A segment of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment {
    /// Itself.
    Literal(&'static str),
    /// A tenant's name.
    Tenant,
    /// An object's name.
    Name(ObjectKind),
    /// A user: `'name'@'host'`.
    User(ObjectKind),
    /// An object's id in decimal.
    Id(ObjectKind),
    /// Another number in decimal.
    Number(&'static str),
    /// A number as 21 digits in groups of three.
    Grouped(&'static str),
    /// A number as 20 digits.
    Digits(&'static str),
    /// Hexadecimal digits.
    Hex(&'static str),
    /// Something else, escaped.
    Text(&'static str),
    /// The rest of the key as it is, which may hold `/`.
    Raw(&'static str),
}

/// What a value is.
#[derive(Debug, Clone, Copy)]
pub enum ValueForm {
    /// A message.
    Message(&'static MessageType),
    /// The id of an object in decimal.
    Id(ObjectKind),
    /// Another number in decimal.
    Number(&'static str),
    /// JSON.
    Json(&'static str),
    /// The value itself is a text.
    Text(&'static str),
    /// Zero bytes.
    Empty,
    /// The permits of a semaphore.
    Permit,
}

include!(concat!(env!("OUT_DIR"), "/value_tables.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_fields_are_in_order() {
        assert!(MESSAGES.is_sorted_by(|a, b| a.name < b.name));
        for message in MESSAGES {
            assert!(message.fields.is_sorted_by(|a, b| a.number < b.number), "{}", message.name);
        }
        assert!(KEYS.is_sorted_by_key(|form| (form.prefix.len(), form.prefix)));
    }

    #[test]
    fn kinds_are_written_by_their_names() {
        for kind in ObjectKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }

    #[test]
    fn no_field_is_called_like_a_number_or_an_escape() {
        let fields = MESSAGES.iter().flat_map(|message| message.fields);
        assert!(fields.map(|field| field.name).all(|name| name.starts_with(char::is_alphabetic)));
    }
}
