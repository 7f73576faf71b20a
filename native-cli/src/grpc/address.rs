//! Where a server listens: `HOST:PORT`, or `[IPv6]:PORT`, with `http://` or `https://` before it
//! when the choice of TLS is not left to the other options.

use std::fmt;
use std::str::FromStr;

use metadump::SyntaxError;
use metadump::address::parse_endpoint;
use metadump::record::Endpoint;

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
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let fail = |column, expected: &str| SyntaxError {
            text: text.to_owned(),
            column,
            expected: expected.to_owned(),
        };
        let (scheme, rest) = match text.split_once("://") {
            None => (None, text),
            Some(("http", rest)) => (Some(Scheme::Http), rest),
            Some(("https", rest)) => (Some(Scheme::Https), rest),
            Some(_) => return Err(fail(0, "http:// or https://, or nothing before the host")),
        };
        let start = text.len() - rest.len();
        // A lone slash is what a browser's address bar leaves behind.
        let rest = if scheme.is_some() { rest.strip_suffix('/').unwrap_or(rest) } else { rest };
        let Endpoint { addr, port } =
            parse_endpoint(rest).map_err(|error| fail(start + error.column, &error.expected))?;
        // Certificates and URLs have no place for a zone.
        if let Some(zone) = addr.find('%') {
            return Err(fail(start + zone, "an IPv6 address without a zone"));
        }
        let in_brackets = addr.strip_prefix('[').and_then(|addr| addr.strip_suffix(']'));
        Ok(Self { scheme, host: in_brackets.unwrap_or(&addr).to_owned(), port })
    }
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

    fn check_error(text: &str, column: usize, expected: &str) {
        let error = SyntaxError { text: text.to_owned(), column, expected: expected.to_owned() };
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
    fn errors_point_at_the_place() {
        check_error("localhost", 9, "`:` and the port");
        check_error("localhost:9191/", 14, "nothing more");
        check_error("https://localhost", 17, "`:` and the port");
        check_error("https://localhost/", 17, "`:` and the port");
        check_error("http://localhost:0/", 17, "a port from 1 to 65535");
        check_error("http://a:1//", 10, "nothing more");
        check_error("a:1,b:2", 3, "nothing more");
        check_error("[fe80::1%1]:9191", 8, "an IPv6 address without a zone");
        check_error("http://[fe80::1%1]:9191", 15, "an IPv6 address without a zone");
        check_error("grpc://a:1", 0, "http:// or https://, or nothing before the host");
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
