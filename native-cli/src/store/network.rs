//! The thread on which all talk with stores goes on, beside whoever reads or writes.

use std::future::{Future, pending};
use std::io;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::runtime::{keep_a_thread, no_thread, on_this_thread, start_thread};

/// How long one step may take, with all that is tried again: the limit when nothing else ends it.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Starts when it is first needed, and ends with the process.
static NETWORK: Mutex<Option<Handle>> = Mutex::new(None);

/// Starts what talks to stores, if it does not run yet.
///
/// # Errors
///
/// When the operating system refuses a thread.
pub fn start() -> Result<Handle> {
    let mut network = NETWORK.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*network {
        return Ok(handle.clone());
    }
    let runtime = on_this_thread()?;
    let handle = runtime.handle().clone();
    {
        let _inside = runtime.enter();
        // For looking up names.
        no_thread(keep_a_thread())?;
    }
    start_thread("stores", move || runtime.block_on(pending::<()>()))?;
    *network = Some(handle.clone());
    Ok(handle)
}

/// Waits until the network is done with something.
///
/// This blocks the thread; it may be one that runs something asynchronous, which waits then.
///
/// # Errors
///
/// `TimedOut` when it takes longer than `patience`.
pub fn wait<T: Send + 'static>(
    patience: Duration,
    future: impl Future<Output = T> + Send + 'static,
) -> io::Result<T> {
    let network = start().map_err(io::Error::other)?;
    let (done, result) = sync_channel(1);
    // Whoever waits cannot have gone.
    network.spawn(async move { done.send(timeout(patience, future).await) });
    match result.recv() {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(_)) => {
            let seconds = patience.as_secs();
            let reason = format!("the store did not answer within {seconds} s");
            Err(io::Error::new(io::ErrorKind::TimedOut, reason))
        }
        Err(_) => Err(io::Error::other("the thread of the network has ended")),
    }
}

/// The client of all stores.
///
/// # Errors
///
/// When the certificates that the system trusts cannot be read.
pub fn client() -> Result<reqwest::Client> {
    // Taken by the first who comes: the rest of the program names its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .build()
        .context("cannot start a client for object stores")
}
