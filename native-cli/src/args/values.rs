//! Values of flags, refused in words of the field: the parsers of the standard library speak of
//! types.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{OsStringValueParser, TypedValueParser};

/// Reads a whole number; `range` says which there can be.
pub fn whole<N: FromStr>(text: &str, range: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("expected a whole number {range}"))
}

/// Reads the address that a service listens at.
pub fn listening(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected an IP address and a port, such as 127.0.0.1:9191 or [::1]:0".into())
}

/// Reads the name of a file; no name at all is `-`, as with the official tool.
pub fn file_or_dash() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new()
        .map(|name| if name.is_empty() { PathBuf::from("-") } else { PathBuf::from(name) })
}
