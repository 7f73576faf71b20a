//! The members of the cluster.

use metadump_proto::meta::MemberListRequest;

use super::{Failure, Session};

/// The gRPC addresses of the members, as the official tool prints them, one a line.
///
/// # Errors
///
/// A [`Failure`].
pub async fn member_list(session: &Session) -> Result<Vec<String>, Failure> {
    let mut client = session.client();
    let request = MemberListRequest { data: String::new() };
    Ok(session.answer("MemberList", client.member_list(request)).await?.data)
}
