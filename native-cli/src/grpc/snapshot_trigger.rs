//! Asks a server through its admin API to take a snapshot, which shortens the log part of a dump.

use std::time::Duration;

use super::{Address, Failure, admin_get};

/// Where the admin API takes the request.
const PATH: &str = "/v1/ctrl/trigger_snapshot";

/// Asks the server at the admin address to take a snapshot. It answers at once and takes the
/// snapshot afterwards.
///
/// # Errors
///
/// A [`Failure`] when the server cannot be reached in plain HTTP within `timeout`, or refuses.
pub async fn trigger_snapshot(address: &Address, timeout: Duration) -> Result<(), Failure> {
    admin_get(address, PATH, timeout).await.map(drop)
}
