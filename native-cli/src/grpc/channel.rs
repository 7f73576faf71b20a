//! A connection to one server, before the handshake.

use tonic::transport::{Channel, Endpoint};

use super::address::Scheme;
use super::causes::root_cause;
use super::runtime::can_look_up;
use super::{Address, ConnectOptions, Failure, Tls, TlsProblem};

/// Connects, within the time that the options give.
///
/// TLS is spoken when the address says `https://` or, unless it says `http://`, when the options
/// hold anything about TLS.
pub async fn connect(address: &Address, options: &ConnectOptions) -> Result<Channel, Failure> {
    let endpoint = endpoint(address, options)?;
    can_look_up(address)
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
