//! Where a server listens: `HOST:PORT`, or `[IPv6]:PORT`, with `http://` or `https://` before it
//! when the choice of TLS is not left to the other options.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// The address of a server.
///
/// ```text
/// 10.0.0.1:9191   meta-0.meta:9191   [::1]:9191   http://localhost:9191   https://localhost:9191
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    scheme: Option<Scheme>,
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    host: String,
    port: u16,
}

/// What stands before `://`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address: expected {expected}")]
pub struct AddressError {
    /// The text.
    pub text: String,
    /// What is missing or wrong.
    pub expected: String,
}

impl Address {
    /// The name, or the IP address; an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What stood before `://`.
    pub const fn scheme(&self) -> Option<Scheme> {
        self.scheme
    }

    /// `HOST:PORT`, with brackets around an IPv6 address, and without the scheme.
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            None => "",
            Some(Scheme::Http) => "http://",
            Some(Scheme::Https) => "https://",
        };
        write!(f, "{scheme}{}", self.authority())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text).map_err(|expected| AddressError { text: text.to_owned(), expected })
    }
}

fn parse(text: &str) -> Result<Address, String> {
    let (scheme, rest) = match text.split_once("://") {
        None => (None, text),
        Some(("http", rest)) => (Some(Scheme::Http), rest),
        Some(("https", rest)) => (Some(Scheme::Https), rest),
        Some(_) => return Err("http:// or https://, or nothing before the host".to_owned()),
    };
    // A lone slash is what a browser's address bar leaves behind.
    let rest = if scheme.is_some() { rest.strip_suffix('/').unwrap_or(rest) } else { rest };
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("a `]` after the IPv6 address")?;
            host.parse::<Ipv6Addr>().map_err(|_| "an IPv6 address in the brackets")?;
            (host, port.strip_prefix(':').ok_or("`:` and the port after the bracket")?)
        }
        None => {
            let (host, port) = rest
                .rsplit_once(':')
                .ok_or_else(|| format!("`:` and the port, as in {rest}:9191"))?;
            if rest.parse::<Ipv6Addr>().is_ok() || host.parse::<Ipv6Addr>().is_ok() {
                return Err("brackets around the IPv6 address, as in [::1]:9191".to_owned());
            }
            if host.is_empty() || !host.chars().all(is_host_char) {
                return Err("a host name or an IP address before the port".to_owned());
            }
            (host, port)
        }
    };
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| *port != 0 && is_number);
    let port = port.ok_or("a port from 1 to 65535")?;
    Ok(Address { scheme, host: host.to_owned(), port })
}

fn is_host_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, scheme: Option<Scheme>, host: &str, port: u16) {
        let address = Address { scheme, host: host.to_owned(), port };
        assert_eq!(text.parse(), Ok(address.clone()), "{text}");
        assert_eq!(address.to_string(), text.trim_end_matches('/'));
    }

    fn check_error(text: &str, expected: &str) {
        let error = AddressError { text: text.to_owned(), expected: expected.to_owned() };
        assert_eq!(text.parse::<Address>(), Err(error), "{text}");
    }

    #[test]
    fn addresses() {
        check("127.0.0.1:9191", None, "127.0.0.1", 9191);
        check("meta-0.meta_x:1", None, "meta-0.meta_x", 1);
        check("[::1]:65535", None, "::1", 65535);
        check("http://localhost:9191", Some(Scheme::Http), "localhost", 9191);
        check("https://[fe80::1]:9191", Some(Scheme::Https), "fe80::1", 9191);
        check("https://localhost:9191/", Some(Scheme::Https), "localhost", 9191);
    }

    #[test]
    fn errors_say_what_is_missing() {
        check_error("", "`:` and the port, as in :9191");
        check_error("localhost", "`:` and the port, as in localhost:9191");
        check_error("localhost:", "a port from 1 to 65535");
        check_error("localhost:0", "a port from 1 to 65535");
        check_error("localhost:65536", "a port from 1 to 65535");
        check_error("localhost:+1", "a port from 1 to 65535");
        check_error("localhost:9191/", "a port from 1 to 65535");
        check_error(":9191", "a host name or an IP address before the port");
        check_error("a b:9191", "a host name or an IP address before the port");
        check_error("user@host:9191", "a host name or an IP address before the port");
        check_error("a:1,b:2", "a host name or an IP address before the port");
        check_error("::1", "brackets around the IPv6 address, as in [::1]:9191");
        check_error("::1:9191", "brackets around the IPv6 address, as in [::1]:9191");
        check_error("[::1", "a `]` after the IPv6 address");
        check_error("[::1]", "`:` and the port after the bracket");
        check_error("[::1]9191", "`:` and the port after the bracket");
        check_error("[x]:9191", "an IPv6 address in the brackets");
        check_error("grpc://a:1", "http:// or https://, or nothing before the host");
    }

    proptest! {
        #[test]
        fn what_is_an_address_prints_as_it_was_read(text in "(https?://)?[\\[\\]:.a-f0-9-]{0,20}:[0-9]{1,6}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
