//! A stream of messages that is complete only when the server says so.

use std::time::Duration;

use tonic::{Status, Streaming};

use super::{Failure, Session};

/// The messages that a server streams.
pub struct Messages<T> {
    streaming: Streaming<T>,
    idle_timeout: Option<Duration>,
}

/// Why a stream is not complete.
pub enum Stop {
    /// There was no message for too long.
    Idle,
    /// The server ended it with another status than OK, or it just ended.
    Status(Box<Status>),
}

impl<T> Messages<T> {
    /// Messages that come at most `idle_timeout` apart; none means that they may take any time.
    pub fn new(streaming: Streaming<T>, idle_timeout: Option<Duration>) -> Self {
        Self { streaming, idle_timeout }
    }

    /// The next message; none once the server has ended the stream with the status OK.
    pub async fn next(&mut self) -> Result<Option<T>, Stop> {
        let message = self.streaming.message();
        let message = match self.idle_timeout {
            Some(limit) => tokio::time::timeout(limit, message).await.map_err(|_| Stop::Idle)?,
            None => message.await,
        };
        message.map_err(|status| Stop::Status(Box::new(status)))
    }
}

impl Stop {
    /// The failure of a call whose answers are of no use unless they are all there.
    pub fn failure(self, session: &Session, call: &'static str) -> Failure {
        match self {
            Self::Idle => session.silent(call),
            Self::Status(status) => Failure::of_status(session.address(), call, &status),
        }
    }
}
