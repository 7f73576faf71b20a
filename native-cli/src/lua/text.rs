//! `to_string`: any value in a line, with the keys of tables in order.

use std::cmp::Ordering;

use mlua::{Function, Lua, Table, Value};

/// How many bytes of a list are text.
const MOST_BYTES: usize = 1 << 20;

/// How long a text may get: one table may stand in it many times.
const MOST_TEXT_BYTES: usize = 256 << 20;

/// How deep tables are followed: one may hold itself.
const DEEPEST: usize = 200;

/// Adds `to_string`.
pub fn add(lua: &Lua, metactl: &Table) -> mlua::Result<()> {
    let tostring: Function = lua.globals().get("tostring")?;
    let to_string = lua.create_function(move |lua, value: Value| {
        let mut text = Text { bytes: Vec::new(), tostring: &tostring };
        text.put(&value, 0)?;
        lua.create_string(&text.bytes)
    })?;
    metactl.set("to_string", to_string)
}

/// A text that grows.
struct Text<'a> {
    bytes: Vec<u8>,
    /// Lua's own function, which knows how numbers are written.
    tostring: &'a Function,
}

impl Text<'_> {
    fn put(&mut self, value: &Value, depth: usize) -> mlua::Result<()> {
        if self.bytes.len() > MOST_TEXT_BYTES {
            let most = MOST_TEXT_BYTES >> 20;
            let what = format!("to_string: the text is longer than {most} MiB");
            return Err(mlua::Error::runtime(what));
        }
        match value {
            value if value.is_null() => self.bytes.extend_from_slice(b"NULL"),
            Value::Nil | Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => {
                self.put_plain(value)?;
            }
            Value::String(string) => quote(&mut self.bytes, &string.as_bytes()),
            Value::Table(table) => self.put_table(table, depth)?,
            Value::LightUserData(_) => self.bytes.extend_from_slice(b"<userdata>"),
            other => self.bytes.extend_from_slice(format!("<{}>", other.type_name()).as_bytes()),
        }
        Ok(())
    }

    fn put_plain(&mut self, value: &Value) -> mlua::Result<()> {
        let text: mlua::String = self.tostring.call(value)?;
        self.bytes.extend_from_slice(&text.as_bytes());
        Ok(())
    }

    fn put_table(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        if depth == DEEPEST {
            let what = format!("to_string: tables are nested deeper than {DEEPEST} levels");
            return Err(mlua::Error::runtime(what));
        }
        if let Some(bytes) = bytes(table)? {
            quote(&mut self.bytes, &bytes);
            return Ok(());
        }
        let pairs = table.pairs::<Value, Value>().collect::<mlua::Result<Vec<_>>>()?;
        let mut pairs: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_null()).collect();
        if pairs.iter().all(|(key, _)| key.is_string() || key.is_number() || key.is_integer()) {
            pairs.sort_by(|(a, _), (b, _)| order(a, b));
        }
        self.bytes.push(b'{');
        for (at, (key, value)) in pairs.iter().enumerate() {
            if at > 0 {
                self.bytes.push(b',');
            }
            if let Value::String(key) = key {
                quote(&mut self.bytes, &key.as_bytes());
            } else {
                self.bytes.push(b'[');
                self.put_plain(key)?;
                self.bytes.push(b']');
            }
            self.bytes.push(b'=');
            self.put(value, depth + 1)?;
        }
        self.bytes.push(b'}');
        Ok(())
    }
}

/// Numbers before strings, each in their order.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => (*a.as_bytes()).cmp(&b.as_bytes()),
        (Value::String(_), _) => Ordering::Greater,
        (_, Value::String(_)) => Ordering::Less,
        (a, b) => {
            let [a, b] = [a, b].map(number);
            a.total_cmp(&b)
        }
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Integer(number) => *number as f64,
        Value::Number(number) => *number,
        _ => f64::NAN,
    }
}

/// A list of numbers from 0 to 255 as the bytes that it stands for.
fn bytes(table: &Table) -> mlua::Result<Option<Vec<u8>>> {
    let len = table.raw_len();
    if len == 0 {
        return Ok(None);
    }
    let mut count = 0;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let is_index = key.as_usize().is_some_and(|index| (1..=len).contains(&index));
        if !is_index || byte(&value).is_none() {
            return Ok(None);
        }
        count += 1;
    }
    if count != len {
        return Ok(None);
    }
    if len > MOST_BYTES {
        return Ok(Some(format!("<bytes vector too large: {len} bytes>").into_bytes()));
    }
    let mut bytes = Vec::with_capacity(len);
    for value in table.sequence_values::<Value>() {
        bytes.extend(byte(&value?));
    }
    Ok(Some(bytes))
}

fn byte(value: &Value) -> Option<u8> {
    match value {
        Value::Integer(number) => u8::try_from(*number).ok(),
        Value::Number(number) if number.fract() == 0.0 && (0.0..=255.0).contains(number) => {
            Some(*number as u8)
        }
        _ => None,
    }
}

/// In quotes, with an escape for what is no visible character of ASCII.
fn quote(text: &mut Vec<u8>, bytes: &[u8]) {
    text.push(b'"');
    for byte in bytes {
        match byte {
            8 => text.extend_from_slice(b"\\b"),
            b'\t' => text.extend_from_slice(b"\\t"),
            b'\n' => text.extend_from_slice(b"\\n"),
            12 => text.extend_from_slice(b"\\f"),
            b'\r' => text.extend_from_slice(b"\\r"),
            b'"' => text.extend_from_slice(b"\\\""),
            b'\\' => text.extend_from_slice(b"\\\\"),
            32..=126 => text.push(*byte),
            byte => text.extend_from_slice(format!("\\x{byte:02X}").as_bytes()),
        }
    }
    text.push(b'"');
}
