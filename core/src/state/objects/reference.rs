//! How people name an object: `sales.orders`, `acme/sales`, `table:42`, `user:'root'@'%'`, a key.

use std::borrow::Cow;
use std::fmt;

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_till1};
use nom::character::complete::char;
use nom::combinator::{all_consuming, cut, map, opt, recognize, rest, verify};
use nom::multi::many1_count;
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use super::catalogue::{Object, full_name};
use super::near::near;
use crate::dump::syntax::SyntaxError;
use crate::ordered;
use crate::value::{KeyParts, ObjectKind};

/// What names an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectRef {
    /// A key, which may be there or not.
    Key(String),
    /// A kind and an id: `table:42`.
    Id(ObjectKind, u64),
    /// A kind and a name: `user:'root'@'%'`, `user:acme/'root'@'%'`.
    Name {
        /// The kind.
        kind: ObjectKind,
        /// The tenant; any when it is not said.
        tenant: Option<String>,
        /// The name; of a table with its database in front, when it is said: `sales.orders`.
        name: String,
    },
    /// A database, or what is in one: `sales`, `sales.orders`, `acme/sales.orders`.
    Path {
        /// The tenant; any when it is not said.
        tenant: Option<String>,
        /// The database.
        database: String,
        /// What is in it.
        table: Option<String>,
    },
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_tenant = |tenant: &Option<String>| {
            tenant.as_ref().map_or_else(String::new, |tenant| format!(" of tenant {tenant}"))
        };
        match self {
            Self::Key(key) => write!(f, "key {key}"),
            Self::Id(kind, id) => write!(f, "{} with id {id}", kind.name()),
            Self::Name { kind, tenant, name } => {
                write!(f, "{} {name}{}", kind.name(), of_tenant(tenant))
            }
            Self::Path { tenant, database, table: None } => {
                write!(f, "database {database}{}", of_tenant(tenant))
            }
            Self::Path { tenant, database, table: Some(table) } => {
                write!(f, "table {database}.{table}{}", of_tenant(tenant))
            }
        }
    }
}

const EXPECTED: &str = "DATABASE.TABLE, KIND:ID, KIND:NAME or a key";

type Parsed<'a, T> = IResult<&'a str, T>;

impl ObjectRef {
    /// Reads the name of an object. Names that hold `.`, `/`, `:` or `"` stand in double quotes, a quote
    /// within them twice.
    ///
    /// # Errors
    ///
    /// When the text names none: where, and what is expected.
    ///
    /// ```
    /// use metadump::objects::ObjectRef;
    /// use metadump::value::ObjectKind;
    ///
    /// assert_eq!(ObjectRef::parse("table:42"), Ok(ObjectRef::Id(ObjectKind::Table, 42)));
    /// let error = ObjectRef::parse("sales.").unwrap_err().to_string();
    /// assert!(error.ends_with("\n  sales.\n        ^"));
    /// ```
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let key = text.strip_prefix("key:").filter(|key| !key.is_empty());
        if key.is_some() || KeyParts::of(text).is_some() || text.starts_with("__fd_") {
            return Ok(Self::Key(key.unwrap_or(text).to_owned()));
        }
        let read = all_consuming(alt((of_kind, path))).parse(text);
        read.map(|(_, found)| found).map_err(|error| SyntaxError::of(text, &error, EXPECTED))
    }

    /// Whether it names an object.
    pub fn names(&self, object: &Object) -> bool {
        let Object { kind, tenant, id, database, name, .. } = object;
        let [tenant, database, name] = [tenant, database, name].map(Option::as_deref);
        self.is(*kind, *id, tenant, database, name)
    }

    /// The names of objects that are near it, as they are read, where it names none; none of a key.
    pub fn near(&self, objects: &[Object]) -> Vec<String> {
        let (kind, name) = match self {
            Self::Id(kind, id) => (*kind, id.to_string()),
            Self::Name { kind, name, .. } => (*kind, name.clone()),
            Self::Path { database, table: None, .. } => (ObjectKind::Database, database.clone()),
            Self::Path { database, table: Some(table), .. } => {
                (ObjectKind::Table, format!("{database}.{table}"))
            }
            Self::Key(_) => return Vec::new(),
        };
        let of_kind = objects.iter().filter(|object| object.kind == kind);
        let of_kind = ordered::set(of_kind.map(|object| match (self, object.id) {
            (Self::Id(..), Some(id)) => format!("{}:{id}", kind.name()),
            (Self::Path { .. }, _) => path_of(object),
            _ => in_quotes(&object.full_name(), &['/', '"']).into_owned(),
        }));
        near(&name, of_kind.iter().map(String::as_str))
    }

    /// Whether it names the object of these names.
    pub(super) fn is(
        &self,
        kind: ObjectKind,
        id: Option<u64>,
        tenant: Option<&str>,
        database: Option<&str>,
        name: Option<&str>,
    ) -> bool {
        let of_tenant = |asked: &Option<String>| asked.is_none() || asked.as_deref() == tenant;
        match self {
            Self::Key(_) => false,
            Self::Id(asked_kind, asked_id) => kind == *asked_kind && id == Some(*asked_id),
            Self::Name { kind: asked_kind, tenant, name: asked } => {
                let is_named = name == Some(asked)
                    || (database.is_some() && full_name(kind, database, name, id) == *asked)
                    || (*asked_kind == ObjectKind::User
                        && name.is_some_and(|user| {
                            user.strip_prefix('\'')
                                .and_then(|user| user.split_once("'@'"))
                                .is_some_and(|(user, _)| user == asked)
                        }));
                kind == *asked_kind && of_tenant(tenant) && is_named
            }
            Self::Path { tenant, database: asked, table: None } => {
                kind == ObjectKind::Database && of_tenant(tenant) && name == Some(asked)
            }
            Self::Path { tenant, database: asked, table: Some(table) } => {
                kind == ObjectKind::Table
                    && of_tenant(tenant)
                    && database == Some(asked)
                    && name == Some(table)
            }
        }
    }
}

/// The name of a database or of what is in one, as it is read.
fn path_of(object: &Object) -> String {
    let names = [&object.database, &object.name].into_iter().flatten();
    let names: Vec<_> = names.map(|name| in_quotes(name, &['.', '/', ':', '"'])).collect();
    names.join(".")
}

/// A name as it is read: in quotes where it would be taken apart.
fn in_quotes<'n>(name: &'n str, apart: &[char]) -> Cow<'n, str> {
    if name.contains(apart) {
        format!("\"{}\"", name.replace('"', "\"\"")).into()
    } else {
        name.into()
    }
}

fn quoted(input: &str) -> Parsed<'_, String> {
    let name = recognize(many1_count(alt((is_not("\""), tag("\"\"")))));
    map(delimited(char('"'), name, char('"')), |name: &str| name.replace("\"\"", "\"")).parse(input)
}

fn word(input: &str) -> Parsed<'_, String> {
    let bare = take_till1(|c| matches!(c, '.' | '/' | ':' | '"'));
    alt((quoted, map(bare, str::to_owned))).parse(input)
}

fn tenant(input: &str) -> Parsed<'_, Option<String>> {
    opt(terminated(word, char('/'))).parse(input)
}

fn of_kind(input: &str) -> Parsed<'_, ObjectRef> {
    let kind = |text: &str| ObjectKind::ALL.iter().copied().find(|kind| kind.name() == text);
    let name = take_till1(|c| matches!(c, ':' | '.' | '/' | '"'));
    let (input, kind) = terminated(name.map_opt(kind), char(':')).parse(input)?;
    let id = |text: &str| text.parse().ok();
    let bare = map(verify(rest, |name: &str| !name.is_empty()), str::to_owned);
    alt((
        map(all_consuming(rest.map_opt(id)), move |id| ObjectRef::Id(kind, id)),
        map((tenant, alt((all_consuming(quoted), bare))), move |(tenant, name)| ObjectRef::Name {
            kind,
            tenant,
            name,
        }),
    ))
    .parse(input)
}

fn path(input: &str) -> Parsed<'_, ObjectRef> {
    map((tenant, word, opt(preceded(char('.'), cut(word)))), |(tenant, database, table)| {
        ObjectRef::Path { tenant, database, table }
    })
    .parse(input)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(tenant: Option<&str>, database: &str, table: Option<&str>) -> ObjectRef {
        let [tenant, table] = [tenant, table].map(|name| name.map(str::to_owned));
        ObjectRef::Path { tenant, database: database.to_owned(), table }
    }

    fn name(kind: ObjectKind, tenant: Option<&str>, name: &str) -> ObjectRef {
        ObjectRef::Name { kind, tenant: tenant.map(str::to_owned), name: name.to_owned() }
    }

    #[test]
    fn names_of_objects() {
        for (text, expected) in [
            ("sales", path(None, "sales", None)),
            ("sales.orders", path(None, "sales", Some("orders"))),
            ("acme/sales.orders", path(Some("acme"), "sales", Some("orders"))),
            ("acme/sales", path(Some("acme"), "sales", None)),
            (r#""a.b"."c/d""#, path(None, "a.b", Some("c/d"))),
            ("table:42", ObjectRef::Id(ObjectKind::Table, 42)),
            ("table:sales.orders", name(ObjectKind::Table, None, "sales.orders")),
            ("user:'root'@'%'", name(ObjectKind::User, None, "'root'@'%'")),
            ("user:acme/'root'@'%'", name(ObjectKind::User, Some("acme"), "'root'@'%'")),
            (r#"stage:"a/b""#, name(ObjectKind::Stage, None, "a/b")),
            (r#"stage:a"b"#, name(ObjectKind::Stage, None, r#"a"b"#)),
            (r#"udf:acme/"""f""""#, name(ObjectKind::Udf, Some("acme"), r#""f""#)),
            (r#""a""b".c"#, path(None, r#"a"b"#, Some("c"))),
            ("masking_policy:m", name(ObjectKind::MaskingPolicy, None, "m")),
            ("__fd_table_by_id/42", ObjectRef::Key("__fd_table_by_id/42".to_owned())),
            ("__fd_new/1", ObjectRef::Key("__fd_new/1".to_owned())),
            ("key:a/b", ObjectRef::Key("a/b".to_owned())),
        ] {
            assert_eq!(ObjectRef::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_names_none_is_pointed_at() {
        for (text, column) in [
            ("", 0),
            ("sales.", 6),
            ("sales.a.b", 7),
            ("a/b/c", 3),
            ("\"a", 0),
            ("no_kind:x", 7),
            ("sales.a:b", 7),
        ] {
            let error = ObjectRef::parse(text).unwrap_err();
            assert_eq!(error.column, column, "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            if let Err(error) = ObjectRef::parse(&text) {
                prop_assert!(text.is_char_boundary(error.column));
            }
        }
    }
}
