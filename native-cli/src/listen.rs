//! Listening: where, and taking connections whatever happens to one of them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};

use crate::failure::{Usage, WithHelp};

/// How long to wait when the system has no room for another connection.
const FULL_PAUSE: Duration = Duration::from_millis(50);

/// Whether clients on other machines may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only those on this machine.
    ThisMachine,
    /// All that can reach the address.
    Anywhere,
}

/// Listens at an address.
///
/// # Errors
///
/// When the address is one that others reach and they shall not, or cannot be had.
pub async fn bind(what: &str, address: SocketAddr, reach: Reach) -> Result<TcpListener> {
    if reach == Reach::ThisMachine && !address.ip().is_loopback() {
        return Err(Usage::error(
            format!("{what} {address} can be reached from other machines"),
            "use a loopback address such as 127.0.0.1, or say --allow-remote-clients: everybody \
             who reaches the address can then read and change the data",
        ));
    }
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen at {what} {address}"))
        .help("another process may listen there; port 0 takes any free port")
}

/// The next connection. An error is that of one connection, or passes: a service that gives up
/// because it has too many clients has none.
pub async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small answers shall not wait for more; a stream that refuses is only slower.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(_) => tokio::time::sleep(FULL_PAUSE).await,
        }
    }
}

/// Lets the process have as many files, and so connections, as the system allows it.
pub fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // The old limit does, for fewer clients.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}
