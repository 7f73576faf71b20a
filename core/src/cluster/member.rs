//! The grammar of one member: `ID=HOST:PORT`.

use std::fmt;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, digit1};
use nom::combinator::{opt, recognize, rest};
use nom::error::{ErrorKind, ParseError};
use nom::sequence::{delimited, preceded, separated_pair};
use nom::{IResult, Parser};

use crate::record::{Endpoint, NodeId};

/// One node of a new cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterMember {
    /// The node's id.
    pub id: NodeId,
    /// Its Raft address.
    pub endpoint: Endpoint,
}

/// A text that is no member. Its message has a line that points at the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberError {
    /// The text.
    pub text: String,
    /// Where it stops being a member, in bytes from 0.
    pub column: usize,
    /// What should stand there.
    pub expected: String,
}

impl fmt::Display for MemberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.text.get(..self.column).unwrap_or(&self.text);
        let indent = " ".repeat(before.chars().count());
        write!(f, "expected {}\n  {}\n  {indent}^", self.expected, self.text)
    }
}

impl std::error::Error for MemberError {}

/// Where the grammar failed, and what it expected there.
#[derive(Debug)]
struct Expected<'a> {
    at: &'a str,
    what: &'static str,
}

impl<'a> ParseError<&'a str> for Expected<'a> {
    fn from_error_kind(at: &'a str, _: ErrorKind) -> Self {
        Self { at, what: "ID=HOST:PORT" }
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = IResult<&'a str, T, Expected<'a>>;

/// Names what `parser` expects where it fails.
fn expect<'a, T>(
    what: &'static str,
    mut parser: impl Parser<&'a str, Output = T, Error = Expected<'a>>,
) -> impl FnMut(&'a str) -> Parsed<'a, T> {
    move |input| {
        parser.parse(input).map_err(|error| error.map(|found| Expected { at: found.at, what }))
    }
}

/// Reads `ID=HOST:PORT`; an IPv6 address stands in brackets, which are kept.
///
/// A second part behind a comma, the gRPC address of releases before 0.9.23, is ignored.
///
/// # Errors
///
/// When the text is something else: where, and what is expected there.
///
/// ```
/// use metadump::cluster::parse_member;
///
/// let member = parse_member("2=[::1]:28203").unwrap();
/// assert_eq!((member.id.0, member.endpoint.to_string().as_str()), (2, "[::1]:28203"));
///
/// let error = parse_member("2=localhost").unwrap_err();
/// assert_eq!(error.to_string(), "expected `:` and the port\n  2=localhost\n             ^");
/// ```
pub fn parse_member(text: &str) -> Result<ClusterMember, MemberError> {
    let fail = |at: &str, expected: &str| MemberError {
        text: text.to_owned(),
        column: text.len() - at.len(),
        expected: expected.to_owned(),
    };
    let (left, ((id, host), port)) = member(text).map_err(|error| match error {
        nom::Err::Error(found) | nom::Err::Failure(found) => fail(found.at, found.what),
        nom::Err::Incomplete(_) => fail("", "more"),
    })?;
    let id_number = id.parse().map_err(|_| fail(text, "an id below 2^64"))?;
    // The port stands right before what the grammar left over and the ignored second part.
    let from_port = text.get(text.len() - left.len() - port.len()..).unwrap_or_default();
    let from_port = port_onwards(text, id, host).unwrap_or(from_port);
    let port = match port.parse() {
        Ok(0) | Err(_) => return Err(fail(from_port, "a port from 1 to 65535")),
        Ok(port) => port,
    };
    if !left.is_empty() {
        return Err(fail(left, "nothing more"));
    }
    let endpoint = Endpoint { addr: host.to_owned(), port };
    Ok(ClusterMember { id: NodeId(id_number), endpoint })
}

fn port_onwards<'a>(text: &'a str, id: &str, host: &str) -> Option<&'a str> {
    text.get(id.len() + 1 + host.len() + 1..)
}

fn member(input: &str) -> Parsed<'_, ((&str, &str), &str)> {
    let id = expect("the node's id, a number", digit1);
    let equals = expect("`=` and the node's address", char('='));
    let colon = expect("`:` and the port", char(':'));
    let port = expect("the port, a number from 1 to 65535", digit1);
    let (left, parsed) =
        separated_pair(separated_pair(id, equals, host), colon, port).parse(input)?;
    let (left, _) = opt(preceded(tag(","), rest)).parse(left)?;
    Ok((left, parsed))
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
    let (_, after) = take_while::<_, _, Expected<'_>>(|c| c != ',').parse(left)?;
    if after.matches(':').count() > 1 {
        return Err(nom::Err::Error(Expected {
            at: input,
            what: "brackets around the IPv6 address",
        }));
    }
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let address = address.map(|address| address.split('%').next().unwrap_or_default());
    if address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_err()) {
        return Err(nom::Err::Error(Expected { at: input, what: "an IPv6 address" }));
    }
    Ok((left, host))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, id: u64, addr: &str, port: u16) {
        let endpoint = Endpoint { addr: addr.into(), port };
        assert_eq!(parse_member(text), Ok(ClusterMember { id: NodeId(id), endpoint }), "{text}");
    }

    fn check_error(text: &str, column: usize, expected: &str) {
        let error = MemberError { text: text.into(), column, expected: expected.into() };
        assert_eq!(parse_member(text), Err(error), "{text}");
    }

    #[test]
    fn members() {
        check("1=localhost:29103", 1, "localhost", 29103);
        check("2=10.0.0.2:80", 2, "10.0.0.2", 80);
        check("3=[::1]:28203", 3, "[::1]", 28203);
        check("4=[fe80::1%1]:28203", 4, "[fe80::1%1]", 28203);
        check("18446744073709551615=a-b_c.example:65535", u64::MAX, "a-b_c.example", 65535);
        check("1=meta-0.meta:28004,127.0.0.1:9191", 1, "meta-0.meta", 28004);
        check("1=a:1,", 1, "a", 1);
    }

    #[test]
    fn errors_point_at_the_place() {
        check_error("", 0, "the node's id, a number");
        check_error("localhost:29103", 0, "the node's id, a number");
        check_error("-1=a:1", 0, "the node's id, a number");
        check_error("1", 1, "`=` and the node's address");
        check_error("1:a:1", 1, "`=` and the node's address");
        check_error("18446744073709551616=a:1", 0, "an id below 2^64");
        let host = "a host name, an IPv4 address, or an IPv6 address in brackets";
        check_error("1=", 2, host);
        check_error("1=:1", 2, host);
        check_error("1=a b:1", 3, "`:` and the port");
        check_error("1=::1:28203", 2, host);
        check_error("1=fe80::1:28203", 2, "brackets around the IPv6 address");
        check_error("1=[xyz]:1", 2, host);
        check_error("1=[1]:1", 2, "an IPv6 address");
        check_error("1=a", 3, "`:` and the port");
        check_error("1=a:", 4, "the port, a number from 1 to 65535");
        check_error("1=a:x", 4, "the port, a number from 1 to 65535");
        check_error("1=a:0", 4, "a port from 1 to 65535");
        check_error("1=a:65536", 4, "a port from 1 to 65535");
        check_error("1=a:1x", 5, "nothing more");
        check_error("1=a:1 ", 5, "nothing more");
        check_error("1=http://a:1", 2, "brackets around the IPv6 address");
        check_error("1=é:1", 2, host);
    }

    proptest! {
        #[test]
        fn any_text_is_a_member_or_an_error_at_a_column(text in "\\PC{0,40}") {
            if let Err(error) = parse_member(&text) {
                prop_assert!(error.column <= text.len());
                prop_assert!(text.is_char_boundary(error.column));
                prop_assert!(error.to_string().contains(&text));
            }
        }
    }
}
