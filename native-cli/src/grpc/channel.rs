//! A connection to one server, before the handshake.

use std::net::IpAddr;
use std::thread::{self, JoinHandle};

use tonic::transport::{Channel, Endpoint};

use super::address::Scheme;
use super::causes::root_cause;
use super::{Address, ConnectOptions, Failure, Tls, TlsProblem};

/// Connects, within the time that the options give.
///
/// TLS is spoken when the address says `https://` or, unless it says `http://`, when the options
/// hold anything about TLS.
pub async fn connect(address: &Address, options: &ConnectOptions) -> Result<Channel, Failure> {
    let endpoint = endpoint(address, options)?;
    assert_look_up(address)
        .map_err(|cause| Failure::Unreachable { address: address.clone(), cause })?;
    match tokio::time::timeout(options.connect_timeout, endpoint.connect()).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(failure(address, &error)),
        Err(_) => Err(Failure::ConnectTimeout {
            address: address.clone(),
            waited: options.connect_timeout,
        }),
    }
}

/// Fails when the name of a server cannot be looked up for want of a thread: the libraries look it
/// up on one, and panic without.
pub(super) fn assert_look_up(address: &Address) -> Result<(), String> {
    if address.host().parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    match thread::Builder::new().spawn(|| {}).map(JoinHandle::join) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("no thread can be started to look up its name: {error}")),
    }
}

fn endpoint(address: &Address, options: &ConnectOptions) -> Result<Endpoint, Failure> {
    let tls = match (address.scheme(), &options.tls) {
        (Some(Scheme::Http), Some(_)) => {
            return Err(Failure::TlsUnwanted { address: address.clone() });
        }
        (Some(Scheme::Https), tls) => Some(tls.clone().unwrap_or_default()),
        (None | Some(Scheme::Http), tls) => tls.clone(),
    };
    let build = |tls: Option<Tls>| {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{}", address.authority()))?
            .user_agent(concat!("databend-metactl/", env!("CARGO_PKG_VERSION")))?
            // Once more inside, for connections that are made anew after they broke.
            .connect_timeout(options.connect_timeout);
        match tls {
            Some(tls) => endpoint.tls_config(tls.config(address)),
            None => Ok(endpoint),
        }
    };
    build(tls).map_err(|error| failure(address, &error))
}

fn failure(address: &Address, error: &tonic::transport::Error) -> Failure {
    let address = address.clone();
    match TlsProblem::among_causes(error) {
        Some(problem) => Failure::Tls { address, problem },
        None => Failure::Unreachable { address, cause: root_cause(error) },
    }
}
