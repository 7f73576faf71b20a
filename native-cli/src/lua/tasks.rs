//! Tasks that go on while others wait, and time.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use mlua::{Function, Lua, Table, UserData, UserDataMethods, Value};
use tokio::task::{JoinHandle, spawn_local};

use super::Shared;
use super::script_error::explained;
use crate::diagnostics;

/// A function that runs beside its caller.
struct Task(RefCell<Option<JoinHandle<Value>>>);

impl UserData for Task {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_async_method("join", |_, this, ()| async move {
            let handle = this.0.borrow_mut().take();
            match handle {
                // A task that failed has said so, and gives nil.
                Some(handle) => Ok(handle.await.unwrap_or(Value::Nil)),
                None => {
                    let said = "warning: a task is joined twice, which gives nil the second time";
                    diagnostics::say(said);
                    Ok(Value::Nil)
                }
            }
        });
    }
}

/// Adds `spawn`, `sleep` and `now_ms`.
pub fn add(lua: &Lua, metactl: &Table, shared: &Shared) -> mlua::Result<()> {
    let shared = shared.clone();
    let spawn = lua.create_function(move |_, function: Function| {
        let failed_tasks = shared.failed_tasks.clone();
        let handle = spawn_local(async move {
            function.call_async::<Value>(()).await.unwrap_or_else(|error| {
                failed_tasks.set(failed_tasks.get() + 1);
                diagnostics::say_failure(&explained(&error).context("a task failed"));
                Value::Nil
            })
        });
        Ok(Task(RefCell::new(Some(handle))))
    })?;
    metactl.set("spawn", spawn)?;
    let sleep = lua.create_async_function(|_, seconds: f64| async move {
        tokio::time::sleep(duration(seconds, "sleep")?).await;
        Ok(())
    })?;
    metactl.set("sleep", sleep)?;
    let start = Instant::now();
    let now_ms = lua.create_function(move |_, ()| Ok(start.elapsed().as_secs_f64() * 1000.0))?;
    metactl.set("now_ms", now_ms)
}

/// A span of seconds; `place` is what it is for.
pub fn duration(seconds: f64, place: &str) -> mlua::Result<Duration> {
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| {
        let what = "duration must be finite, non-negative, and representable";
        mlua::Error::runtime(format!("{place}: {what}"))
    })?;
    if u64::try_from(duration.as_millis()).is_err() {
        let what = "duration exceeds the meta service limit";
        return Err(mlua::Error::runtime(format!("{place}: {what}")));
    }
    Ok(duration)
}
