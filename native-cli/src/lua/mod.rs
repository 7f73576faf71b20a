//! Lua scripts with clients of a meta service, in the vocabulary of the official tool: the global
//! table `metactl`.
//!
//! ```text
//! sources ─► Lua, one state for all ─┬─► GrpcClient ─► Session   (a write is sent once)
//!            on this thread          ├─► AdminClient ─► HTTP
//!                                    └─► spawn ─► tasks, each of which goes on while others wait
//! ```
//!
//! A signal ends the process, whatever the script does: none is caught.

mod admin_client;
mod answers;
mod grpc_client;
mod memory;
mod printing;
mod script_error;
mod tasks;
mod text;
mod transaction;

use std::cell::{Cell, RefCell};
use std::future;
use std::io;
use std::rc::Rc;

use anyhow::{Context, Result};
use mlua::{ChunkMode, Lua, Value};
use tokio::task::LocalSet;

use crate::failure::WithHelp;
use crate::grpc::{Address, ConnectOptions, wait};
use crate::report::plural;
use script_error::explained;

/// What is written in Lua itself: the generator of keys, and the tables that make a transaction.
const PRELUDE: &str = include_str!("prelude.lua");

/// One piece of Lua.
pub struct Script {
    /// What it is called in messages.
    pub name: String,
    /// The text.
    pub text: Vec<u8>,
}

/// What the functions of a script share.
#[derive(Clone)]
struct Shared {
    /// How to reach a service.
    options: Rc<ConnectOptions>,
    /// How many tasks have ended with an error.
    failed_tasks: Rc<Cell<u64>>,
    /// Why something that the script prints could not be written.
    unwritten: Rc<RefCell<Option<io::Error>>>,
}

/// Runs scripts one after the other; what one leaves in globals the next one finds.
///
/// # Errors
///
/// The first error of a script that the script does not catch; or that a task has failed, or that
/// stdout cannot be written.
pub fn run(scripts: &[Script], options: ConnectOptions) -> Result<()> {
    let shared =
        Shared { options: Rc::new(options), failed_tasks: Rc::default(), unwritten: Rc::default() };
    let lua = Lua::new();
    let prepared = memory::limit(&lua).and_then(|()| prepare(&lua, &shared));
    prepared.map_err(|error| explained(&error)).context("cannot start Lua")?;
    let ended = wait(LocalSet::new().run_until(async {
        for Script { name, text } in scripts {
            let chunk = lua.load(without_hash_bang(text)).set_name(name).set_mode(ChunkMode::Text);
            chunk.exec_async().await?;
        }
        Ok(())
    }))?;
    if let Some(error) = shared.unwritten.take() {
        return Err(error).context("cannot write to stdout");
    }
    ended.map_err(|error: mlua::Error| explained(&error))?;
    match shared.failed_tasks.get() {
        0 => Ok(()),
        failed => {
            let tasks = plural(failed, "task");
            Err(anyhow::anyhow!("{tasks} of the script failed"))
                .help("why has been said; `pcall` in the function of a task catches its errors")
        }
    }
}

/// The address that a script names; or what is wrong with it, in a line.
fn address(text: &str) -> std::result::Result<Address, String> {
    text.parse().map_err(|error: metadump::SyntaxError| {
        let what = error.to_string();
        format!("{text}: {}", what.lines().next().unwrap_or_default())
    })
}

/// A script that starts with `#!` can be run by its name.
fn without_hash_bang(text: &[u8]) -> &[u8] {
    match text {
        [b'#', ..] => text.iter().position(|byte| *byte == b'\n').map_or(&[], |end| {
            // The line end stays, so that lines keep their numbers.
            text.get(end..).unwrap_or_default()
        }),
        text => text,
    }
}

fn prepare(lua: &Lua, shared: &Shared) -> mlua::Result<()> {
    let metactl = lua.create_table()?;
    metactl.set("NULL", Value::NULL)?;
    grpc_client::add(lua, &metactl, shared)?;
    admin_client::add(lua, &metactl, shared)?;
    tasks::add(lua, &metactl, shared)?;
    text::add(lua, &metactl)?;
    lua.globals().set("metactl", metactl)?;
    printing::add(lua, shared)?;
    let forever = lua.create_async_function(|_, ()| future::pending::<mlua::Result<()>>())?;
    lua.load(PRELUDE).set_name("=metactl").call((printing::unwritten(lua, shared)?, forever))
}
