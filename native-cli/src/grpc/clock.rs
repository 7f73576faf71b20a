//! The clock of a server, by which its cluster decides what has expired.

use metadump_proto::meta::Empty;
use tonic::Code;

use super::{Failure, Session};
use crate::dump_writer::now_ms;

/// What a server's clock showed when it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerClock {
    /// Its time, milliseconds since 1970.
    pub now_ms: u64,
    /// How many milliseconds it is ahead of the clock of this machine; negative when behind.
    pub ahead_ms: i64,
}

/// Asks a server for its time; none when it does not tell, as servers before March 2024.
///
/// # Errors
///
/// A [`Failure`].
pub async fn server_clock(session: &Session) -> Result<Option<ServerClock>, Failure> {
    let mut client = session.client();
    let asked_ms = now_ms();
    let info = match session.answer("GetClientInfo", client.get_client_info(Empty {})).await {
        Ok(info) => info,
        Err(Failure::Call { code: Code::Unimplemented, .. }) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    // The server looked at its clock at some moment in between.
    let here_ms = asked_ms.midpoint(now_ms());
    Ok(info.server_time.map(|now_ms| {
        let apart_ms = i64::try_from(now_ms.abs_diff(here_ms)).unwrap_or(i64::MAX);
        let ahead_ms = if now_ms >= here_ms { apart_ms } else { -apart_ms };
        ServerClock { now_ms, ahead_ms }
    }))
}
