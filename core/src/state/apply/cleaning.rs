//! Removes the records that have expired by an entry's clock.

use super::rules::CleaningRule;
use super::store::Store;
use super::upsert::Write;
use super::{Application, ApplyError};
use crate::dump::record::{Cmd, ExpireKey, MatchSeq, Request, TxnRequest};

/// How many entries of the index are looked at under [`CleaningRule::FirstEntries`].
const FIRST_ENTRIES: usize = 32;

impl<S: Store> Application<'_, S> {
    /// Removes what has expired before the command runs, also when the command will do nothing.
    ///
    /// Which entries of the index are due is settled before the first removal.
    pub(super) fn clean_expired(&mut self) -> Result<(), ApplyError<S::Error>> {
        let now_ms = self.now_ms;
        if now_ms == 0 {
            return Ok(());
        }
        let cleaned_to_ms = *self.cleaned_to_ms;
        let (from_ms, most) = match self.rules.cleaning {
            CleaningRule::NoIndex => return Ok(()),
            CleaningRule::FirstEntries => (0, FIRST_ENTRIES),
            CleaningRule::UpToNow => (0, usize::MAX),
            CleaningRule::SinceLatest | CleaningRule::SinceLast => (cleaned_to_ms, usize::MAX),
        };
        let mut due = Vec::new();
        for expiry in self.store.expiries(from_ms, Some(now_ms)).take(most) {
            let (at, value) = expiry?;
            due.push((at, value.key.into_owned()));
        }
        *self.cleaned_to_ms = match self.rules.cleaning {
            CleaningRule::SinceLatest => cleaned_to_ms.max(now_ms),
            // Also when the clock has gone back.
            _ => now_ms,
        };
        for (at, key) in due {
            match self.rules.cleaning {
                CleaningRule::SinceLast => {}
                _ => self.require_fresh(at, &key)?,
            }
            if self.rules.cleaning.hides_expired() {
                self.remove_expired(at, &key)?;
            } else {
                // A stale entry removes what its key holds, and stays in the index.
                self.upsert(&key, MatchSeq::GE(1), &Write::Delete, None)?;
            }
        }
        Ok(())
    }

    /// Stops, as servers up to 1.2.783 do, when the index does not tell of the record that is
    /// there.
    fn require_fresh(&self, at: ExpireKey, key: &str) -> Result<(), ApplyError<S::Error>> {
        let held = self.store.record(key)?.map(|record| record.seq);
        if held == Some(at.seq) {
            return Ok(());
        }
        Err(ApplyError::StaleExpiry { log_id: self.log_id, at, key: key.to_owned(), held })
    }

    /// Removes a record that an upsert would take for absent, and its entry of the index.
    fn remove_expired(&mut self, at: ExpireKey, key: &str) -> Result<(), S::Error> {
        let record = self.store.record(key)?;
        self.store.remove_record(key)?;
        self.store.remove_expiry(at)?;
        self.note_change(key, record, None)
    }

    /// Lists the keys that `DeleteByPrefix` will delete: up to 1.2.52 those that are there before
    /// the entry, expired ones among them.
    pub(super) fn list_before(&mut self, cmd: &Cmd<'_>) -> Result<(), S::Error> {
        let Cmd::Transaction(request) = cmd else { return Ok(()) };
        if !self.rules.cleaning.hides_expired() {
            return Ok(());
        }
        for prefix in deleted_prefixes(request) {
            let keys = self.keys_with_prefix(prefix)?;
            self.keys_before.insert(prefix.to_owned(), keys);
        }
        Ok(())
    }
}

fn deleted_prefixes<'a>(request: &'a TxnRequest<'a>) -> impl Iterator<Item = &'a str> {
    let branches = request.operations.iter().map(|branch| &branch.operations);
    let operations = branches.chain([&request.if_then, &request.else_then]).flatten();
    operations.filter_map(|operation| match &operation.request {
        Some(Request::DeleteByPrefix { prefix }) => Some(prefix.as_str()),
        _ => None,
    })
}
