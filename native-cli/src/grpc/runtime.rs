//! The bridge from commands, which are synchronous, to the client, which is not.

use std::future::Future;
use std::net::IpAddr;

use anyhow::Result;

use super::Address;
use crate::runtime::{keep_a_thread, on_this_thread};

/// Runs `future` to its end on this thread.
///
/// Nothing runs in parallel: while a callback works nothing is read from the network, which is
/// what holds a server back that sends faster than the dump is written.
///
/// # Errors
///
/// When the operating system refuses what a runtime needs.
pub fn wait<F: Future>(future: F) -> Result<F::Output> {
    let runtime = on_this_thread()?;
    let output = runtime.block_on(future);
    // Not waiting for threads: a name look-up cannot be cancelled, and may outlive its time limit.
    runtime.shutdown_background();
    Ok(output)
}

/// Makes sure that the host of an address, when it is a name, can be looked up.
///
/// # Errors
///
/// What the operating system says when there is no thread for it.
pub(super) fn can_look_up(address: &Address) -> Result<(), String> {
    if address.host().parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    keep_a_thread()
        .map_err(|error| format!("no thread can be started to look up its name: {error}"))
}
