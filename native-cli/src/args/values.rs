//! Values of flags, refused in words of the field: the parsers of the standard library speak of
//! types.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command};

use crate::dump_name::DumpName;

/// Reads a whole number; `range` says which there can be.
pub fn whole<N: FromStr>(text: &str, range: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("expected a whole number {range}"))
}

/// Reads the address that a service listens at.
pub fn listening(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected an IP address and a port, such as 127.0.0.1:9191 or [::1]:0".into())
}

/// Reads the path of a data directory, which is never in a store.
pub fn directory() -> impl TypedValueParser<Value = PathBuf> {
    Directory
}

#[derive(Clone)]
struct Directory;

impl TypedValueParser for Directory {
    type Value = PathBuf;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<PathBuf, clap::Error> {
        let name = PathBufValueParser::new().parse_ref(command, arg, value)?;
        match DumpName::of(name.into()) {
            DumpName::Path(path) => Ok(path),
            // In words of our own: those of the parser have the value, and with it its credentials.
            name @ (DumpName::Url(_) | DumpName::Chain(_)) => {
                let what = format!(
                    "a data directory is on this machine, and {name} is not; export it, and keep the \
                     dump in the store\n"
                );
                Err(clap::Error::raw(ErrorKind::ValueValidation, what).with_cmd(command))
            }
        }
    }
}
