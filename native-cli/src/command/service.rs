//! The running service that a command line names.

use std::env::VarError;

use anyhow::Result;
use rustls::pki_types::ServerName;

use crate::args::{Access, Connection, Service};
use crate::failure::Usage;
use crate::grpc::{Address, ConnectOptions, Credentials, Failure, Note, Session, TlsFiles, wait};
use crate::progress::Progress;

/// The environment variable of the address, as the official tool has it.
const ADDRESS_VARIABLE: &str = "METASRV_GRPC_API_ADDRESS";

/// Where a server listens unless it is configured otherwise.
const DEFAULT_ADDRESS: &str = "127.0.0.1:9191";

/// How to reach the service.
///
/// # Errors
///
/// A file of the command line cannot be read, what belongs together is not, or the environment's
/// address is none.
pub fn connect_options(args: &Service, progress: &Progress) -> Result<ConnectOptions> {
    connect_options_to(addresses(args, progress)?, &args.connection)
}

/// The same with the servers that are known.
///
/// # Errors
///
/// A file of the command line cannot be read, or what belongs together is not.
pub fn connect_options_to(servers: Vec<Address>, args: &Connection) -> Result<ConnectOptions> {
    let access = &args.access;
    assert_pair(access)?;
    let tls = TlsFiles {
        ca_cert: access.grpc_tls_ca_cert.clone(),
        domain_name: access.grpc_tls_domain_name.clone(),
        client_cert: args.grpc_tls_client_cert.clone(),
        client_key: args.grpc_tls_client_key.clone(),
    };
    Ok(ConnectOptions {
        tls: tls.load()?,
        credentials: Credentials::load(
            access.username.as_deref(),
            access.password_file.as_deref(),
        )?,
        connect_timeout: args.connect_timeout,
        idle_timeout: args.idle_timeout,
        max_message_bytes: args.max_message_bytes,
        ..ConnectOptions::new(servers)
    })
}

/// The certificates and the name of a server only go together, as with the official tool.
fn assert_pair(access: &Access) -> Result<()> {
    let (given, missing) = match (&access.grpc_tls_ca_cert, &access.grpc_tls_domain_name) {
        (_, Some(name)) if name.is_empty() => {
            return Err(Usage::error(
                "--grpc-tls-domain-name is empty",
                "give a name that the server's certificate is for",
            ));
        }
        (_, Some(name)) if ServerName::try_from(name.as_str()).is_err() => {
            return Err(Usage::error(
                format!(
                    "--grpc-tls-domain-name {name:?} is no name of a server, nor an IP address"
                ),
                "give a name that the server's certificate is for, without a port",
            ));
        }
        (Some(_), None) => ("--grpc-tls-ca-cert", "--grpc-tls-domain-name"),
        (None, Some(_)) => ("--grpc-tls-domain-name", "--grpc-tls-ca-cert"),
        _ => return Ok(()),
    };
    Err(Usage::error(
        format!("{given} is given without {missing}"),
        "give both: the authority that signed the server's certificate, and a name that the \
         certificate is for; an address that begins with https:// needs neither where the system \
         trusts the authority",
    ))
}

fn addresses(args: &Service, progress: &Progress) -> Result<Vec<Address>> {
    if !args.grpc_api_address.is_empty() {
        return Ok(args.grpc_api_address.clone());
    }
    let text = match std::env::var(ADDRESS_VARIABLE) {
        // A variable that is set to nothing is how many scripts leave one unset.
        Ok(text) if text.is_empty() => DEFAULT_ADDRESS.to_owned(),
        Ok(text) => text,
        Err(VarError::NotPresent) => DEFAULT_ADDRESS.to_owned(),
        Err(VarError::NotUnicode(text)) => text.to_string_lossy().into_owned(),
    };
    let addresses = text.split(',').map(|text| {
        text.parse().map_err(|error| {
            Usage::error(
                format!("{ADDRESS_VARIABLE}: {error}"),
                "set it to HOST:PORT, or give --grpc-api-address",
            )
        })
    });
    let addresses = addresses.collect::<Result<_>>()?;
    if text != DEFAULT_ADDRESS {
        progress.say(&format!("note: {text} is asked, as {ADDRESS_VARIABLE} says"));
    }
    Ok(addresses)
}

/// Opens a session with the service, lets `ask` use it, and explains what fails.
pub fn with_session<T>(
    args: &Service,
    progress: &Progress,
    ask: impl AsyncFnOnce(&Session) -> Result<T, Failure>,
) -> Result<T> {
    let options = connect_options(args, progress)?;
    let asked = wait(async {
        let session = Session::open(&options, &mut |note| say_note(note, progress)).await?;
        ask(&session).await
    })?;
    asked.map_err(Failure::explained)
}

/// Tells a note while the work goes on.
pub fn say_note(note: &Note, progress: &Progress) {
    progress.say(&format!("warning: {note}"));
}
