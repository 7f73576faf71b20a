//! The records of a log as text, in the words of the official `dump-raft-log-wal`.
//!
//! ```text
//! RecordAt ─► RecordPlace, RecordText ─► R-00005: [000_000_225, 000_000_277) Size(52): Append(…)
//! Payload  ─► WrittenValue ─► what the entry writes under which key, and in which operation
//! ```
//!
//! Values are not part of a record's text: it says what is compared and written by keys alone. Keys
//! that hold a credential are masked, unless [`Secrets::Shown`] asks for them.

mod entry;
mod kv_transaction;
mod record;
mod transaction;
mod values;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;

pub use record::{RecordPlace, RecordText};
pub use values::{WrittenValue, written_values};

use crate::value::{KeyParts, Secrets};

#[cfg(test)]
mod tests;

/// What is to become text, and whether credentials in its keys are shown.
struct As<'a, T: ?Sized>(&'a T, Secrets);

impl<'a, T: ?Sized> As<'a, T> {
    /// A part of it, in the same way.
    const fn part<U: ?Sized>(&self, part: &'a U) -> As<'a, U> {
        As(part, self.1)
    }

    /// A key in it.
    fn key(&self, key: &'a str) -> Cow<'a, str> {
        let hides = KeyParts::of(key).filter(|_| self.1 == Secrets::Masked);
        hides.and_then(|parts| parts.masked()).map_or(Cow::Borrowed(key), Cow::Owned)
    }

    /// A list in it.
    const fn list<U>(&self, items: &'a [U], form: &'static ListForm) -> List<'a, U> {
        List { items, secrets: self.1, form }
    }
}

/// How a list is written.
struct ListForm {
    /// How many elements there are at most: of more, the last stands behind `..`.
    most: usize,
    separator: &'static str,
    braces: [&'static str; 2],
}

/// A list of which the middle is left out when it is long.
struct List<'a, T> {
    items: &'a [T],
    secrets: Secrets,
    form: &'static ListForm,
}

impl<T> fmt::Display for List<'_, T>
where
    for<'x> As<'x, T>: fmt::Display,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { items, secrets, form } = *self;
        let [left, right] = form.braces;
        let first = if items.len() > form.most { form.most.saturating_sub(1) } else { items.len() };
        f.write_str(left)?;
        for (at, item) in items.iter().take(first).enumerate() {
            let separator = if at > 0 { form.separator } else { "" };
            write!(f, "{separator}{}", As(item, secrets))?;
        }
        if let Some(last) = items.last().filter(|_| first < items.len()) {
            write!(f, "{0}..{0}{1}", form.separator, As(last, secrets))?;
        }
        f.write_str(right)
    }
}

/// A value, or `None`.
struct OrNone<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for OrNone<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("None"),
        }
    }
}

/// Milliseconds since 1970 as `2026-11-23T04:58:40.693`.
struct Time(u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0 / 1000).unwrap_or(i64::MAX);
        match OffsetDateTime::from_unix_timestamp(seconds) {
            Ok(at) => write!(
                f,
                "{}T{:02}:{:02}:{:02}.{:03}",
                at.date(),
                at.hour(),
                at.minute(),
                at.second(),
                self.0 % 1000
            ),
            // Beyond the year 9999.
            Err(_) => write!(f, "{} ms after 1970", self.0),
        }
    }
}

/// The span of a number of milliseconds: `60s`, `1.5s`, `300ms`.
const fn span(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
