//! A cluster that much is asked of, through connections that break and leaders that go.

use std::time::Duration;

use super::{ConnectOptions, Failure, Note, Retry, Session};

/// A pause of half a second, then each twice as long: longer than the election of a leader takes.
const ELECTION: Retry = Retry { tries: 5, first_pause: Duration::from_millis(500) };

/// A session that is opened anew, with another server if there are several, when it fails.
pub struct Cluster {
    options: ConnectOptions,
    session: Session,
    patience: Retry,
}

impl Cluster {
    /// Opens a session with the first address that answers.
    ///
    /// # Errors
    ///
    /// The [`Failure`] of the last try.
    pub async fn open(
        options: &ConnectOptions,
        note: &mut dyn FnMut(&Note),
    ) -> Result<Self, Failure> {
        let session = Session::open(options, note).await?;
        Ok(Self { options: options.clone(), session, patience: ELECTION })
    }

    /// Pauses like this after failures in a row.
    #[cfg(test)]
    pub fn with_patience(self, patience: Retry) -> Self {
        Self { patience, ..self }
    }

    /// The session.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// The pauses after failures in a row.
    pub(super) fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        self.patience.pauses()
    }

    /// Asks until there is an answer, a failure that does not pass, or no patience any more. What
    /// is asked must do no harm when it happens twice.
    ///
    /// # Errors
    ///
    /// The [`Failure`] of the last try.
    pub async fn ask<T>(
        &mut self,
        note: &mut dyn FnMut(&Note),
        mut call: impl AsyncFnMut(&Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut pauses = self.pauses();
        loop {
            match call(&self.session).await {
                Err(failure) => self.recover(failure, &mut pauses, note).await?,
                answered => return answered,
            }
        }
    }

    /// After a failure that may pass: pauses, and opens a session anew, with the other servers
    /// first.
    ///
    /// # Errors
    ///
    /// The failure when it does not pass, or when there are no pauses left.
    pub(super) async fn recover(
        &mut self,
        mut failure: Failure,
        pauses: &mut impl Iterator<Item = Duration>,
        note: &mut dyn FnMut(&Note),
    ) -> Result<(), Failure> {
        loop {
            if !failure.may_pass() {
                return Err(failure);
            }
            let Some(pause) = pauses.next() else { return Err(failure) };
            note(&Note::Retrying { failure: failure.to_string(), pause });
            tokio::time::sleep(pause).await;
            let failed = self.session.address();
            self.options.addresses.sort_by_key(|address| address == failed);
            // Which of them do not answer has been said, or is reported with the next failure.
            match Session::open_first(&self.options, &mut |_| {}).await {
                Ok(session) => {
                    note(&Note::GoingOn { address: session.address().clone() });
                    self.session = session;
                    return Ok(());
                }
                Err(again) => failure = again,
            }
        }
    }
}
