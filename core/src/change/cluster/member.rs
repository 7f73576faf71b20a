//! The grammar of members: `ID=HOST:PORT`, one or several with commas between them.

use nom::Parser;
use nom::character::complete::{char, digit1};
use nom::sequence::separated_pair;

use crate::change::address::{Parsed, endpoint, expect, expected, parse_endpoint, parse_whole};
use crate::dump::record::{Endpoint, NodeId};
use crate::dump::syntax::SyntaxError;

/// One node of a new cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterMember {
    /// The node's id.
    pub id: NodeId,
    /// Its Raft address.
    pub endpoint: Endpoint,
}

/// Reads the nodes of one `--initial-cluster`: `ID=HOST:PORT`, or several behind one another with
/// commas. An IPv6 address stands in brackets, which are kept.
///
/// Behind the comma of a single node may stand its gRPC address, `HOST:PORT`: releases before
/// 0.9.23 wanted it there, later ones ignore it. Nothing else is passed over.
///
/// # Errors
///
/// When the text is something else: where, and what is expected there.
///
/// ```
/// use metadump::cluster::parse_members;
///
/// let members = parse_members("2=[::1]:28203,3=c:28303").unwrap();
/// let shown = |at: usize| (members[at].id.0, members[at].endpoint.to_string());
/// assert_eq!(shown(0), (2, "[::1]:28203".to_owned()));
/// assert_eq!(shown(1), (3, "c:28303".to_owned()));
///
/// let error = parse_members("2=localhost").unwrap_err();
/// assert_eq!(error.to_string(), "expected `:` and the port\n  2=localhost\n             ^");
/// ```
pub fn parse_members(text: &str) -> Result<Vec<ClusterMember>, SyntaxError> {
    let second = text.split_once(',').map(|(_, second)| second);
    let is_obsolete =
        second.is_some_and(|second| second.is_empty() || parse_endpoint(second).is_ok());
    let parts = if is_obsolete { 1 } else { usize::MAX };
    let (mut members, mut start) = (Vec::new(), 0);
    for part in text.split(',').take(parts) {
        members.push(parse_whole(text, start, part, member)?);
        start += part.len() + 1;
    }
    Ok(members)
}

/// Reads `ID=HOST:PORT` as [`parse_members`] does, of one node only.
///
/// # Errors
///
/// When the text is something else, several nodes too.
pub fn parse_member(text: &str) -> Result<ClusterMember, SyntaxError> {
    let members = parse_members(text)?;
    let [member] = <[ClusterMember; 1]>::try_from(members).map_err(|_| SyntaxError {
        text: text.to_owned(),
        column: text.find(',').unwrap_or_default(),
        expected: "one node only".to_owned(),
    })?;
    Ok(member)
}

fn member(input: &str) -> Parsed<'_, ClusterMember> {
    let equals = expect("`=` and the node's address", char('='));
    let (left, (id, endpoint)) = separated_pair(id, equals, endpoint).parse(input)?;
    Ok((left, ClusterMember { id, endpoint }))
}

fn id(input: &str) -> Parsed<'_, NodeId> {
    let (left, digits) = expect("the node's id, a number", digit1)(input)?;
    match digits.parse() {
        Ok(id) => Ok((left, NodeId(id))),
        Err(_) => expected("an id below 2^64", input),
    }
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
        let error = SyntaxError { text: text.into(), column, expected: expected.into() };
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
        check_error("1=http://a:1", 7, "the port, a number from 1 to 65535");
        check_error("1=é:1", 2, host);
    }

    #[test]
    fn a_list_is_read_to_its_end_or_not_at_all() {
        let node = |id, addr: &str, port| {
            let endpoint = Endpoint { addr: addr.into(), port };
            ClusterMember { id: NodeId(id), endpoint }
        };
        let check = |text: &str, expected: &[ClusterMember]| {
            assert_eq!(parse_members(text).as_deref(), Ok(expected), "{text}");
        };
        check("1=a:1", &[node(1, "a", 1)]);
        check("1=a:1,b:9191", &[node(1, "a", 1)]);
        check("1=a:1,", &[node(1, "a", 1)]);
        check("1=a:1,2=b:2", &[node(1, "a", 1), node(2, "b", 2)]);
        check("1=a:1,2=[::1]:2,3=c:3", &[node(1, "a", 1), node(2, "[::1]", 2), node(3, "c", 3)]);
        let check_error = |text: &str, column: usize, expected: &str| {
            let error = SyntaxError { text: text.into(), column, expected: expected.into() };
            assert_eq!(parse_members(text), Err(error), "{text}");
        };
        let id = "the node's id, a number";
        check_error("1=a:1,b", 6, id);
        check_error("1=a:1,2", 7, "`=` and the node's address");
        check_error("1=a:1,b:9191,2=b:2", 6, id);
        check_error("1=a:1,2=b:2,b:9191", 12, id);
        check_error("1=a:1,b:9191,c:9191", 6, id);
        check_error("1=a:1,2=b:2,", 12, id);
        check_error("1=a:1,,2=b:2", 6, id);
        check_error("1=a:1, 2=b:2", 6, id);
        check_error("1=a:1,2=b", 9, "`:` and the port");
        check_error("1=a:1,2=b:0", 10, "a port from 1 to 65535");
        check_error("1=a:1,2=b:2x", 11, "nothing more");
        check_error("1=a:0,2=b:2", 4, "a port from 1 to 65535");
        check_error("1=a,2=b:2", 3, "`:` and the port");
        let two = parse_member("1=a:1,2=b:2").unwrap_err();
        assert_eq!(two.to_string(), "expected one node only\n  1=a:1,2=b:2\n       ^");
    }

    proptest! {
        #[test]
        fn any_text_is_members_or_an_error_at_a_column(text in "\\PC{0,40}|[0-9a=:,\\[\\]]{0,12}") {
            if let Err(error) = parse_members(&text) {
                prop_assert!(error.column <= text.len());
                prop_assert!(text.is_char_boundary(error.column));
                prop_assert!(error.to_string().contains(&text));
            }
        }
    }
}
