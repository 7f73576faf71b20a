//! Generates the tables of keys and messages from `proto/value`, for `src/value/table.rs`.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use protox::prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind,
    MessageDescriptor, Value,
};

const PACKAGE: &str = "metadump.value.";

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    println!("cargo::rerun-if-changed=proto/value");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir("proto/value")? {
        let name =
            entry?.file_name().into_string().map_err(|name| format!("{}", name.display()))?;
        if name.ends_with(".proto") {
            names.insert(format!("value/{name}"));
        }
    }
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).open_files(names)?;
    let pool = compiler.descriptor_pool();
    let ours = |name: &str| name.starts_with(PACKAGE);

    let mut code = String::new();
    let kinds = pool.get_enum_by_name("metadump.value.Kind").ok_or("no enum Kind")?;
    write_kinds(&mut code, &kinds)?;
    let mut messages: Vec<MessageDescriptor> = pool
        .all_messages()
        .filter(|message| ours(message.full_name()) && !message.is_map_entry())
        .filter(|message| message.parent_file().name() != "value/options.proto")
        .collect();
    messages.sort_by(|a, b| short(a.full_name()).cmp(short(b.full_name())));
    for enumeration in pool.all_enums().filter(|of| ours(of.full_name())) {
        if enumeration.parent_file().name() != "value/options.proto" {
            write_enum(&mut code, &enumeration)?;
        }
    }
    let credentials = holding(&messages, |field| is_set(&pool, field, "mask", &["MASK_NONE"]));
    let code_texts = holding(&messages, |field| {
        is_set(&pool, field, "holds", &["HOLDS_TEXT", "HOLDS_TIME", "HOLDS_TYPE", "HOLDS_LOCATION"])
    });
    for message in &messages {
        let holds = |which: &BTreeSet<String>| which.contains(message.full_name());
        write_message(&mut code, &pool, message, holds(&credentials), holds(&code_texts))?;
    }
    writeln!(code, "pub(super) static MESSAGES: &[&MessageType] = &[")?;
    for message in &messages {
        writeln!(code, "    &{},", constant("MESSAGE", message.full_name()))?;
    }
    writeln!(code, "];")?;
    write_keys(&mut code, &fs::read_to_string("proto/value/keys.tsv")?, &messages)?;

    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    fs::write(Path::new(&out).join("value_tables.rs"), code)?;
    Ok(())
}

/// A name without the package.
fn short(full_name: &str) -> &str {
    full_name.strip_prefix(PACKAGE).unwrap_or(full_name)
}

/// The name of a table in the generated code.
fn constant(what: &str, full_name: &str) -> String {
    let name: String = short(full_name)
        .chars()
        .flat_map(|c| match c {
            '.' => vec!['_', '_'],
            c if c.is_ascii_uppercase() => vec!['_', c],
            c => vec![c.to_ascii_uppercase()],
        })
        .collect();
    format!("{what}{name}")
}

/// `KIND_ROW_ACCESS_POLICY` as `RowAccessPolicy`.
fn camel(name: &str, prefix: &str) -> String {
    let words = name.strip_prefix(prefix).unwrap_or(name).split('_');
    words
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            format!("{}{}", first.to_ascii_uppercase(), rest.to_ascii_lowercase())
        })
        .collect()
}

fn write_kinds(code: &mut String, kinds: &EnumDescriptor) -> Outcome {
    let names: Vec<String> = kinds
        .values()
        .filter(|value| value.number() > 1)
        .map(|value| value.name().to_owned())
        .collect();
    writeln!(code, "/// A kind of object.")?;
    writeln!(code, "#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]")?;
    writeln!(code, "#[derive(serde::Deserialize)]")?;
    writeln!(code, "#[serde(rename_all = \"snake_case\")]")?;
    writeln!(code, "#[non_exhaustive]\npub enum ObjectKind {{")?;
    for name in &names {
        let plain = name.trim_start_matches("KIND_").to_ascii_lowercase().replace('_', " ");
        writeln!(code, "    /// Of a {plain}.\n    {},", camel(name, "KIND_"))?;
    }
    writeln!(
        code,
        "}}\n\nimpl ObjectKind {{\n    /// Every kind.\n    pub const ALL: &'static [Self] = &["
    )?;
    for name in &names {
        writeln!(code, "        Self::{},", camel(name, "KIND_"))?;
    }
    writeln!(code, "    ];\n\n    /// The name: `row_access_policy`.")?;
    writeln!(code, "    pub const fn name(self) -> &'static str {{\n        match self {{")?;
    for name in &names {
        let plain = name.trim_start_matches("KIND_").to_ascii_lowercase();
        writeln!(code, "            Self::{} => {plain:?},", camel(name, "KIND_"))?;
    }
    writeln!(code, "        }}\n    }}\n}}")?;
    Ok(())
}

fn write_enum(code: &mut String, of: &EnumDescriptor) -> Outcome {
    writeln!(
        code,
        "static {}: EnumType = EnumType {{ name: {:?}, values: &[",
        constant("ENUM", of.full_name()),
        short(of.full_name())
    )?;
    for value in of.values() {
        writeln!(code, "    ({}, {:?}),", value.number(), value.name())?;
    }
    writeln!(code, "] }};")?;
    Ok(())
}

/// The messages that have a field of a sort, or hold a message that has one.
fn holding(
    messages: &[MessageDescriptor],
    is_of_sort: impl Fn(&FieldDescriptor) -> bool,
) -> BTreeSet<String> {
    let mut holding = BTreeSet::new();
    loop {
        let holds = |field: FieldDescriptor| {
            let value = match field.kind() {
                Kind::Message(entry) if entry.is_map_entry() => {
                    entry.map_entry_value_field().kind()
                }
                kind => kind,
            };
            is_of_sort(&field)
                || matches!(value, Kind::Message(of) if holding.contains(of.full_name()))
        };
        let found: BTreeSet<String> = messages
            .iter()
            .filter(|message| message.fields().any(holds))
            .map(|message| message.full_name().to_owned())
            .collect();
        if found == holding {
            return holding;
        }
        holding = found;
    }
}

/// Whether an option of a field has another value than these.
fn is_set(pool: &DescriptorPool, field: &FieldDescriptor, name: &str, others: &[&str]) -> bool {
    let of = if name == "mask" { "Mask" } else { "Holds" };
    let value = option(pool, &field.options(), name).map(|number| enum_name(pool, of, &number));
    value.is_some_and(|value| !others.contains(&value.as_str()))
}

fn write_message(
    code: &mut String,
    pool: &DescriptorPool,
    of: &MessageDescriptor,
    holds_credentials: bool,
    holds_code: bool,
) -> Outcome {
    let is_sql_type = option(pool, &of.options(), "sql_type").is_some();
    writeln!(
        code,
        "static {}: MessageType = MessageType {{ name: {:?}, is_sql_type: {is_sql_type}, \
         holds_credentials: {holds_credentials}, holds_code: {holds_code}, fields: &[",
        constant("MESSAGE", of.full_name()),
        short(of.full_name())
    )?;
    let mut fields: Vec<FieldDescriptor> = of.fields().collect();
    fields.sort_by_key(FieldDescriptor::number);
    for field in fields {
        write_field(code, pool, &field)?;
    }
    writeln!(code, "] }};")?;
    Ok(())
}

fn write_field(code: &mut String, pool: &DescriptorPool, field: &FieldDescriptor) -> Outcome {
    let options = field.options();
    let (cardinality, of) = match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => {
            let key = type_of(&entry.map_entry_key_field().kind())?;
            (format!("Cardinality::Map({key})"), entry.map_entry_value_field().kind())
        }
        kind if field.cardinality() == Cardinality::Repeated => {
            ("Cardinality::Repeated".to_owned(), kind)
        }
        kind => ("Cardinality::Single".to_owned(), kind),
    };
    let of = type_of(&of)?;
    let kind = |name| {
        option(pool, &options, name).map_or_else(
            || "None".to_owned(),
            |number| match enum_name(pool, "Kind", &number).as_str() {
                "KIND_NONE" => "None".to_owned(),
                "KIND_OF_PARENT" => "Some(Refers::ToParent)".to_owned(),
                name => format!("Some(Refers::To(ObjectKind::{}))", camel(name, "KIND_")),
            },
        )
    };
    let choice = |name, of, none: &str, prefix| {
        let value = option(pool, &options, name).map(|number| enum_name(pool, of, &number));
        format!("{of}::{}", camel(&value.unwrap_or_else(|| none.to_owned()), prefix))
    };
    let text =
        |name| option(pool, &options, name).and_then(|value| Some(value.as_str()?.to_owned()));
    let bits = match text("bits") {
        Some(name) => format!("Some(&{})", constant("ENUM", &name)),
        None => "None".to_owned(),
    };
    writeln!(
        code,
        "    Field {{ number: {}, name: {:?}, of: {of}, cardinality: {cardinality}, \
         id_of: {}, name_of: {}, key_of: {}, mask: {}, holds: {}, unit: {}, bits: {bits}, \
         sql: {:?}, former: &[{}] }},",
        field.number(),
        field.name(),
        kind("id_of"),
        kind("name_of"),
        kind("key_of"),
        choice("mask", "Mask", "MASK_NONE", "MASK_"),
        choice("holds", "Holds", "HOLDS_TEXT", "HOLDS_"),
        choice("unit", "Unit", "UNIT_NONE", "UNIT_"),
        text("sql"),
        formers(pool, &options, &of),
    )?;
    Ok(())
}

/// The former fields that are written in another way than the field.
fn formers(pool: &DescriptorPool, options: &DynamicMessage, of: &str) -> String {
    let list = option(pool, options, "former");
    let formers = list.iter().filter_map(Value::as_list).flatten().filter_map(Value::as_message);
    let text = |former: &DynamicMessage, name| {
        former.get_field_by_name(name).and_then(|value| Some(value.as_str()?.to_owned()))
    };
    formers
        .filter_map(|former| Some((text(former, "name")?, text(former, "type")?)))
        .filter_map(|(name, was)| match was.as_str() {
            "string" => Some((name, "Type::String")),
            "bytes" => Some((name, "Type::Bytes")),
            "uint32" => Some((name, "Type::Uint32")),
            "uint64" => Some((name, "Type::Uint64")),
            _ => None,
        })
        .filter(|(_, was)| *was != of)
        .map(|(name, was)| format!("Former {{ name: {name:?}, of: {was} }}, "))
        .collect()
}

fn type_of(kind: &Kind) -> Outcome<String> {
    Ok(match kind {
        Kind::Bool => "Type::Bool".to_owned(),
        Kind::Int32 => "Type::Int32".to_owned(),
        Kind::Int64 => "Type::Int64".to_owned(),
        Kind::Uint32 => "Type::Uint32".to_owned(),
        Kind::Uint64 => "Type::Uint64".to_owned(),
        Kind::Sint32 => "Type::Sint32".to_owned(),
        Kind::Sint64 => "Type::Sint64".to_owned(),
        Kind::Fixed32 => "Type::Fixed32".to_owned(),
        Kind::Fixed64 => "Type::Fixed64".to_owned(),
        Kind::Float => "Type::Float".to_owned(),
        Kind::Double => "Type::Double".to_owned(),
        Kind::String => "Type::String".to_owned(),
        Kind::Bytes => "Type::Bytes".to_owned(),
        Kind::Enum(of) => format!("Type::Enum(&{})", constant("ENUM", of.full_name())),
        Kind::Message(of) => format!("Type::Message(&{})", constant("MESSAGE", of.full_name())),
        Kind::Sfixed32 | Kind::Sfixed64 => return Err("no value has a signed fixed number".into()),
    })
}

/// The value of one of our options, if it is set.
fn option(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = pool.get_extension_by_name(&format!("{PACKAGE}{name}"))?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

fn enum_name(pool: &DescriptorPool, of: &str, number: &Value) -> String {
    let value = pool
        .get_enum_by_name(&format!("{PACKAGE}{of}"))
        .and_then(|of| of.get_value(number.as_enum_number()?));
    value.map_or_else(String::new, |value| value.name().to_owned())
}

fn write_keys(code: &mut String, table: &str, messages: &[MessageDescriptor]) -> Outcome {
    let rows = table.lines().filter(|line| !line.starts_with('#')).skip(1);
    let mut rows: Vec<(&str, String)> =
        rows.map(|row| key_form(row, messages)).collect::<Outcome<_>>()?;
    // Rows of one prefix stay in their order; a length is compared sooner than a text.
    rows.sort_by_key(|(prefix, _)| (prefix.len(), *prefix));
    writeln!(code, "pub(super) static KEYS: &[KeyForm] = &[")?;
    for (_, row) in rows {
        writeln!(code, "    {row},")?;
    }
    writeln!(code, "];")?;
    Ok(())
}

/// A row of `keys.tsv`, whose head says what its columns are.
fn key_form<'a>(row: &'a str, messages: &[MessageDescriptor]) -> Outcome<(&'a str, String)> {
    let columns: Vec<&str> = row.split('\t').collect();
    let [prefix, key, value, kind, expires, _since, _until, mask, _notes] = columns.as_slice()
    else {
        return Err(format!("not nine columns: {row}").into());
    };
    let list = |text: &'a str, separator| text.split(separator).filter(|part| *part != "-");
    let segments: String = list(key, '/').map(segment).collect();
    let forms: String = list(value, '|')
        .map(|form| value_form(form, messages))
        .collect::<Outcome<Vec<_>>>()?
        .concat();
    let (mut members, mut hidden) = (Vec::new(), Vec::new());
    for part in list(mask, ',') {
        match part.split_once(':') {
            Some(("json", member)) => members.push(member),
            Some(("key", segment)) => hidden.push(segment),
            _ => return Err(format!("no mask: {part}").into()),
        }
    }
    let form = format!(
        "KeyForm {{ prefix: {prefix:?}, segments: &[{segments}], values: &[{forms}], \
         kind: ObjectKind::{}, always_expires: {}, masked_members: &{members:?}, \
         masked_segments: &{hidden:?} }}",
        camel(kind, ""),
        *expires == "always",
    );
    Ok((prefix, form))
}

fn segment(text: &str) -> String {
    let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
        return format!("Segment::Literal({text:?}), ");
    };
    let (role, what) = inner.split_once(':').unwrap_or((inner, inner));
    let role = camel(role, "");
    match role.as_str() {
        "Tenant" => "Segment::Tenant, ".to_owned(),
        "Id" => format!("Segment::Id(ObjectKind::{}), ", camel(what, "")),
        "User" | "Name" => format!("Segment::{role}(ObjectKind::{}), ", camel(what, "")),
        _ => format!("Segment::{role}({what:?}), "),
    }
}

fn value_form(text: &str, messages: &[MessageDescriptor]) -> Outcome<String> {
    let (form, of) = text.split_once(':').unwrap_or((text, ""));
    Ok(match form {
        "pb" => {
            let message = messages.iter().find(|message| short(message.full_name()) == of);
            let message = message.ok_or_else(|| format!("no message {of}"))?;
            format!("ValueForm::Message(&{}), ", constant("MESSAGE", message.full_name()))
        }
        "id" => format!("ValueForm::Id(ObjectKind::{}), ", camel(of, "")),
        "json" | "number" | "text" => format!("ValueForm::{}({of:?}), ", camel(form, "")),
        "empty" | "permit" => format!("ValueForm::{}, ", camel(form, "")),
        _ => return Err(format!("no form of a value: {text}").into()),
    })
}
