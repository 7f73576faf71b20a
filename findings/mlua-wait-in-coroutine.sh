#!/usr/bin/env bash
# Does an async function of mlua wait when a script calls it inside a coroutine of its own?
#
# Guess:    yes: the script runs by exec_async, and whatever it calls waits, as it does outside of a
#           coroutine. Or it fails, as what may not yield does.
# Fact:     the coroutine yields at once, and whoever has resumed it gets a value that only mlua knows, of
#           the type userdata, in place of what the function gives. Nothing fails, and what stands behind
#           the call has not run; it runs when somebody resumes the coroutine again.
# Versions: mlua 0.11.6 with Lua 5.4, tokio 1.54.1.
# Source:   seen when a script that read keys inside coroutine.wrap printed userdata; that the value comes
#           out like this is discussed in mlua's issues 76 and 499.
#
# Needs cargo and a C compiler. Exits with 0 while the behaviour is as described.
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"

[dependencies]
mlua = { version = "=0.11.6", features = ["lua54", "vendored", "async"] }
tokio = { version = "=1.54.1", features = ["macros", "rt", "time"] }
TOML
cat >src/main.rs <<'RUST'
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> mlua::Result<()> {
    let lua = mlua::Lua::new();
    let answer = lua.create_async_function(|_, ()| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(42)
    })?;
    lua.globals().set("answer", answer)?;
    let script = r#"
        print("outside of a coroutine", answer())
        local done = false
        local thread = coroutine.create(function()
            local got = answer()
            done = true
            return got
        end)
        local alive, got = coroutine.resume(thread)
        print("inside of one", alive, type(got), coroutine.status(thread), done)
    "#;
    lua.load(script).exec_async().await
}
RUST
cargo build --quiet
cargo metadata --format-version 1 | grep -oE '"name":"(mlua|tokio)","version":"[^"]*"' | sort -u
seen=$(./target/debug/probe)
echo "$seen"
expected='outside of a coroutine	42
inside of one	true	userdata	suspended	false'
[ "$seen" = "$expected" ] || { echo 'the behaviour has changed' >&2; exit 1; }
