//! `print` and what else goes to stdout, whose failures count.

use std::io::{self, Write};

use mlua::{Function, Lua, Value, Variadic};

use super::Shared;
use crate::stdout::{marked, stdout};

/// Puts it in the place of Lua's own, which ignores that it cannot write.
pub fn add(lua: &Lua, shared: &Shared) -> mlua::Result<()> {
    let shared = shared.clone();
    let tostring: Function = lua.globals().get("tostring")?;
    let print = lua.create_function(move |_, values: Variadic<Value>| {
        let mut line = Vec::new();
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                line.push(b'\t');
            }
            let text: mlua::String = tostring.call(value)?;
            line.extend_from_slice(&text.as_bytes());
        }
        line.push(b'\n');
        let mut out = stdout();
        out.write_all(&line).and_then(|()| out.flush()).map_err(|error| {
            let said = mlua::Error::runtime(format!("cannot write to stdout: {error}"));
            shared.unwritten.borrow_mut().get_or_insert(error);
            said
        })
    })?;
    lua.globals().set("print", print)
}

/// What notes the number of the error that something could not be written to stdout with.
pub fn unwritten(lua: &Lua, shared: &Shared) -> mlua::Result<Function> {
    let shared = shared.clone();
    lua.create_function(move |_, code: i32| {
        let error = marked(io::Error::from_raw_os_error(code));
        // Where nobody reads there is nothing more to do.
        let nobody_reads = error.kind() == io::ErrorKind::BrokenPipe;
        let ended = mlua::Error::runtime(format!("cannot write to stdout: {error}"));
        shared.unwritten.borrow_mut().get_or_insert(error);
        if nobody_reads { Err(ended) } else { Ok(()) }
    })
}
