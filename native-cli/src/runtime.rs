//! The runtime of everything that waits for the network: on the thread that asks for it, and without
//! a panic when the operating system refuses another one.

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::{self, Runtime};

use crate::failure::WithHelp;

/// Longer than any process runs.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A runtime on this thread. What blocks needs [`keep_a_thread`] first.
///
/// # Errors
///
/// When the operating system refuses what it needs.
pub fn on_this_thread() -> Result<Runtime> {
    runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(FOREVER)
        .build()
        .context("cannot start what talks to the network")
}

/// Lets the runtime that this is called in do what blocks, such as looking up a name.
///
/// It makes do with as many threads as it gets, but panics when it gets none: the first one is
/// asked for here, and stays.
///
/// # Errors
///
/// When there is none.
pub fn keep_a_thread() -> io::Result<()> {
    let asked = Builder::new().spawn(|| ())?;
    // It does nothing that could go wrong.
    let _ = asked.join();
    drop(tokio::task::spawn_blocking(|| ()));
    Ok(())
}

/// Starts a thread.
///
/// # Errors
///
/// When the operating system gives this process no more.
pub fn start_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    no_thread(Builder::new().name(name.to_owned()).spawn(work))
}

/// Says what is wrong when there is no thread, and what to do.
///
/// # Errors
///
/// When there is none.
pub fn no_thread<T>(started: io::Result<T>) -> Result<T> {
    started
        .context("the operating system refuses a thread")
        .help("allow the user more processes (ulimit -u, TasksMax, pids.max) or more memory")
}
