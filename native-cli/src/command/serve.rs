//! `serve`: the embedded meta service.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Outcome;
use super::at::{directory_at, dump_at};
use crate::args::Serve;
use crate::failure::Usage;
use crate::files::read_small_or_piped;
use crate::grpc::Credentials;
use crate::input::Source;
use crate::listen::Reach;
use crate::progress::Progress;
use crate::serve::{InitialData, OLDEST_CLIENT, Options, Passwords, Users, run as serve};

/// Runs the command.
pub fn run(args: &Serve, progress: &Progress) -> Result<Outcome> {
    let origin = match (args.dump.name()?, &args.raft_dir) {
        (Some(db), _) => {
            // A wrong name is reported before anything is created.
            let source = Source::open(Some(&db))?.with_manifest(args.manifest.as_deref())?;
            source.wait(progress)?;
            Some(InitialData::Dump(dump_at(source, args.at, progress)?))
        }
        (None, Some(dir)) => Some(match args.at {
            Some(at) => InitialData::Dump(directory_at(dir, at, progress)?),
            None => InitialData::RaftDir(dir.clone()),
        }),
        (None, None) if args.at.is_some() => {
            return Err(Usage::error(
                "--at is given without a dump",
                "name the dump, or the data directory with --raft-dir",
            ));
        }
        (None, None) => None,
    };
    let reach = if args.allow_remote_clients { Reach::Anywhere } else { Reach::ThisMachine };
    let options = Options {
        origin,
        data_dir: args.data_dir.clone(),
        grpc_address: args.grpc_api_address,
        admin_address: args.admin_api_address,
        reach,
        oldest_client: if args.accept_old_clients { 0 } else { OLDEST_CLIENT },
        users: users(args)?,
        token_lifetime: Duration::from_secs(args.token_lifetime),
        tls: tls(args)?,
    };
    serve(options, progress)?;
    Ok(Outcome::Done)
}

fn users(args: &Serve) -> Result<Users> {
    if let Some(path) = &args.grpc_auth {
        return Users::of_configuration(path);
    }
    let (username, file) = (args.username.as_deref(), args.password_file.as_deref());
    if username.is_none() {
        if file.is_some() {
            return Err(Usage::error(
                "--password-file is given without --user",
                "say with --user whose password it is",
            ));
        }
        return Ok(Users::RootAlone);
    }
    let credentials = Credentials::load(username, file)?;
    if credentials.password.is_empty() {
        return Err(Usage::error(
            format!("--user {} is given without a password", credentials.username),
            "put it into a file and name that with --password-file, or into METACTL_PASSWORD",
        ));
    }
    Ok(Users::Known { known: vec![credentials], passwords: Passwords::Required })
}

fn tls(args: &Serve) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let read = |path: &Path| {
        read_small_or_piped(path).with_context(|| format!("cannot read {}", path.display()))
    };
    match (&args.grpc_tls_server_cert, &args.grpc_tls_server_key) {
        (Some(certificate), Some(key)) => Ok(Some((read(certificate)?, read(key)?))),
        (None, None) => Ok(None),
        _ => Err(Usage::error(
            "a certificate and its key only go together",
            "give both --grpc-tls-server-cert and --grpc-tls-server-key",
        )),
    }
}
