//! The bridge from commands, which are synchronous, to the client, which is not.

use std::future::Future;

use anyhow::{Context, Result};

/// Runs `future` to its end on this thread.
///
/// Nothing runs in parallel: while a callback works nothing is read from the network, which is
/// what holds a server back that sends faster than the dump is written.
///
/// # Errors
///
/// When the operating system refuses what a runtime needs.
pub fn wait<F: Future>(future: F) -> Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the network client")?;
    let output = runtime.block_on(future);
    // Not waiting for threads: a name look-up cannot be cancelled, and may outlive its time limit.
    runtime.shutdown_background();
    Ok(output)
}
