//! How much memory scripts may take.

use mlua::Lua;

/// The most that scripts may take, in bytes. A value of the service is a table of its bytes to a
/// script, sixteen times as large.
pub const MOST_BYTES: usize = 1 << 30;

/// Sets the limit.
pub fn limit(lua: &Lua) -> mlua::Result<()> {
    lua.set_memory_limit(MOST_BYTES).map(drop)
}
