//! The grammar of addresses: `HOST:PORT`.

use std::net::Ipv6Addr;

use nom::branch::alt;
use nom::bytes::complete::take_while1;
use nom::character::complete::{char, digit1};
use nom::combinator::recognize;
use nom::error::{ErrorKind, ParseError};
use nom::sequence::{delimited, separated_pair};
use nom::{IResult, Parser};

use crate::dump::record::Endpoint;
use crate::dump::syntax::SyntaxError;

/// Reads `HOST:PORT`. An IPv6 address stands in brackets, which are kept.
///
/// # Errors
///
/// When the text is something else: where, and what is expected there.
///
/// ```
/// use metadump::address::parse_endpoint;
///
/// let endpoint = parse_endpoint("[::1]:9191")?;
/// assert_eq!((endpoint.addr.as_str(), endpoint.port), ("[::1]", 9191));
///
/// let error = parse_endpoint("localhost").unwrap_err();
/// assert_eq!(error.to_string(), "expected `:` and the port\n  localhost\n           ^");
/// # Ok::<(), metadump::SyntaxError>(())
/// ```
pub fn parse_endpoint(text: &str) -> Result<Endpoint, SyntaxError> {
    parse_whole(text, 0, text, endpoint)
}

/// Reads the part of `text` that starts at byte `start`, to its end.
pub(super) fn parse_whole<'t, T>(
    text: &str,
    start: usize,
    part: &'t str,
    mut parser: impl FnMut(&'t str) -> Parsed<'t, T>,
) -> Result<T, SyntaxError> {
    let fail = |at: &str, expected: &str| SyntaxError {
        text: text.to_owned(),
        column: start + part.len() - at.len(),
        expected: expected.to_owned(),
    };
    match parser(part) {
        Ok(("", parsed)) => Ok(parsed),
        Ok((left, _)) => Err(fail(left, "nothing more")),
        Err(nom::Err::Error(found) | nom::Err::Failure(found)) => Err(fail(found.at, found.what)),
        Err(nom::Err::Incomplete(_)) => Err(fail("", "more")),
    }
}

/// Where the grammar failed, and what it expected there.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    at: &'a str,
    what: &'static str,
}

impl<'a> ParseError<&'a str> for Expected<'a> {
    fn from_error_kind(at: &'a str, _: ErrorKind) -> Self {
        Self { at, what: "HOST:PORT" }
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

pub(super) type Parsed<'a, T> = IResult<&'a str, T, Expected<'a>>;

/// The failure of a parser.
pub(super) fn expected<'a, T>(what: &'static str, at: &'a str) -> Parsed<'a, T> {
    Err(nom::Err::Error(Expected { at, what }))
}

/// Names what `parser` expects where it fails.
pub(super) fn expect<'a, T>(
    what: &'static str,
    mut parser: impl Parser<&'a str, Output = T, Error = Expected<'a>>,
) -> impl FnMut(&'a str) -> Parsed<'a, T> {
    move |input| {
        parser.parse(input).map_err(|error| error.map(|found| Expected { at: found.at, what }))
    }
}

/// `HOST:PORT`
pub(super) fn endpoint(input: &str) -> Parsed<'_, Endpoint> {
    let colon = expect("`:` and the port", char(':'));
    let (left, (host, port)) = separated_pair(host, colon, port).parse(input)?;
    Ok((left, Endpoint { addr: host.to_owned(), port }))
}

fn port(input: &str) -> Parsed<'_, u16> {
    let (left, digits) = expect("the port, a number from 1 to 65535", digit1)(input)?;
    match digits.parse() {
        Ok(0) | Err(_) => expected("a port from 1 to 65535", input),
        Ok(port) => Ok((left, port)),
    }
}

fn host(input: &str) -> Parsed<'_, &str> {
    let in_brackets = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.' | '%');
    let (left, host) = expect(
        "a host name, an IPv4 address, or an IPv6 address in brackets",
        alt((
            recognize(delimited(char('['), take_while1(in_brackets), char(']'))),
            take_while1(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')),
        )),
    )(input)?;
    // `::1:28203` would else be read as the host up to some colon.
    let goes_on = left.split(|c: char| !c.is_ascii_hexdigit() && c != ':').next();
    if goes_on.is_some_and(|more| more.matches(':').count() > 1) {
        return expected("brackets around the IPv6 address", input);
    }
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let address = address.map(|address| address.split('%').next().unwrap_or_default());
    if address.is_some_and(|address| address.parse::<Ipv6Addr>().is_err()) {
        return expected("an IPv6 address", input);
    }
    Ok((left, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, addr: &str, port: u16) {
        assert_eq!(parse_endpoint(text), Ok(Endpoint { addr: addr.into(), port }), "{text}");
    }

    fn check_error(text: &str, column: usize, expected: &str) {
        let error = SyntaxError { text: text.into(), column, expected: expected.into() };
        assert_eq!(parse_endpoint(text), Err(error), "{text}");
    }

    #[test]
    fn endpoints() {
        check("localhost:29103", "localhost", 29103);
        check("10.0.0.2:00080", "10.0.0.2", 80);
        check("a-b_c.example:65535", "a-b_c.example", 65535);
        check("[::1]:28203", "[::1]", 28203);
        check("[fe80::1%1]:28203", "[fe80::1%1]", 28203);
    }

    #[test]
    fn errors_point_at_the_place() {
        let host = "a host name, an IPv4 address, or an IPv6 address in brackets";
        check_error("", 0, host);
        check_error(":1", 0, host);
        check_error("a b:1", 1, "`:` and the port");
        check_error("user@host:1", 4, "`:` and the port");
        check_error("::1:28203", 0, host);
        check_error("fe80::1:28203", 0, "brackets around the IPv6 address");
        check_error("a:1,b:2", 3, "nothing more");
        check_error("http://a:1", 5, "the port, a number from 1 to 65535");
        check_error("[xyz]:1", 0, host);
        check_error("[::1", 0, host);
        check_error("[1]:1", 0, "an IPv6 address");
        check_error("[::1]", 5, "`:` and the port");
        check_error("[::1]1", 5, "`:` and the port");
        check_error("a", 1, "`:` and the port");
        check_error("a:", 2, "the port, a number from 1 to 65535");
        check_error("a:+1", 2, "the port, a number from 1 to 65535");
        check_error("a:0", 2, "a port from 1 to 65535");
        check_error("a:65536", 2, "a port from 1 to 65535");
        check_error("a:1x", 3, "nothing more");
        check_error("é:1", 0, host);
    }
}
