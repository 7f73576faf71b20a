//! Changes of keys, as they happen.

use std::fmt;

use metadump::record::expire_at_ms;
use metadump_proto::meta::watch_request::FilterType;
use metadump_proto::meta::{SeqV, WatchRequest, WatchResponse};
use time::OffsetDateTime;

use super::messages::Messages;
use super::{Failure, Session};

/// Which keys are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched<'a> {
    /// All.
    All,
    /// Those below a directory: `a` and `a/` are the keys that begin with `a/`.
    Directory(&'a str),
    /// Those that begin with a text.
    Prefix(&'a str),
}

impl Watched<'_> {
    /// The first key, and the first one behind them.
    fn range(self) -> (String, String) {
        let first = match self {
            Self::All => String::new(),
            Self::Directory(directory) => format!("{}/", directory.trim_end_matches('/')),
            Self::Prefix(prefix) => prefix.to_owned(),
        };
        let end = end_of_prefix(&first);
        (first, end)
    }
}

/// Calls `each` with every record that is watched, then with a response without an
/// event, and then with every change, until the server ends the stream. Changes may be any time
/// apart.
///
/// # Errors
///
/// A [`Failure`]; one of `each` comes back as [`Failure::Consumer`].
pub async fn watch(
    session: &Session,
    watched: Watched<'_>,
    each: &mut dyn FnMut(&WatchResponse) -> anyhow::Result<()>,
) -> Result<(), Failure> {
    const CALL: &str = "Watch";
    let (key, end) = watched.range();
    let request = WatchRequest {
        key,
        key_end: Some(end),
        filter_type: FilterType::All.into(),
        initial_flush: true,
    };
    let mut client = session.client();
    // Without anything to send, a server may not even answer that it watches.
    let response = client.watch(request).await;
    let response =
        response.map_err(|status| Failure::of_status(session.address(), CALL, &status))?;
    let mut changes = Messages::new(response.into_inner(), None);
    while let Some(change) = changes.next().await.map_err(|stop| stop.failure(session, CALL))? {
        each(&change).map_err(Failure::Consumer)?;
    }
    Ok(())
}

/// The first key behind all that begin with `prefix`.
///
/// Keys are text, so it must be text too: the last character that has a next one is replaced by
/// it. The last character of all stands for the end when there is none; no key begins with it.
fn end_of_prefix(prefix: &str) -> String {
    let kept = prefix.trim_end_matches(char::MAX);
    let mut end = kept.to_owned();
    let next = end.pop().and_then(|last| (last..=char::MAX).nth(1)).unwrap_or(char::MAX);
    end.push(next);
    end
}

/// A change as the official tool prints it:
/// `received-watch-event: CHANGE:(key: (seq=1 [] 'a') -> None)`, with `INIT` for records that were
/// there before.
pub struct WatchText<'a>(pub &'a WatchResponse);

impl fmt::Display for WatchText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(response) = self;
        let kind = if response.is_initialization { "INIT" } else { "CHANGE" };
        write!(f, "received-watch-event: {kind}:")?;
        let Some(event) = &response.event else { return f.write_str("None") };
        write!(f, "({}: ", event.key)?;
        write_record(f, event.prev.as_ref())?;
        f.write_str(" -> ")?;
        write_record(f, event.current.as_ref())?;
        f.write_str(")")
    }
}

fn write_record(f: &mut fmt::Formatter<'_>, record: Option<&SeqV>) -> fmt::Result {
    let Some(record) = record else { return f.write_str("None") };
    write!(f, "(seq={} [", record.seq)?;
    let meta = record.meta.unwrap_or_default();
    let expires = meta.expire_at.map(|at| ("expire", at, expire_at_ms(at)));
    let proposed = meta.proposed_at_ms.map(|at| ("proposed", at, at));
    let mut separator = "";
    for (name, given, ms) in expires.into_iter().chain(proposed) {
        write!(f, "{separator}{name}=")?;
        write_time(f, given, ms)?;
        separator = ", ";
    }
    match std::str::from_utf8(&record.data) {
        Ok(text) => write!(f, "] '{text}')"),
        Err(_) => write!(f, "] {:?})", record.data),
    }
}

/// `2024-08-08T07:40:19.000` in UTC; as it is given beyond the year 9999.
fn write_time(f: &mut fmt::Formatter<'_>, given: u64, ms: u64) -> fmt::Result {
    match OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000) {
        Ok(at) => write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        ),
        Err(_) => write!(f, "{given}"),
    }
}

#[cfg(test)]
mod tests {
    use metadump_proto::meta::{Event, KvMeta};
    use proptest::prelude::*;

    use super::*;

    fn record(seq: u64, expire_at: Option<u64>, data: &[u8]) -> SeqV {
        let meta = expire_at.map(|at| KvMeta { expire_at: Some(at), proposed_at_ms: None });
        SeqV { seq, data: data.to_vec(), meta }
    }

    fn check(is_initialization: bool, event: Option<Event>, expected: &str) {
        let response = WatchResponse { event, is_initialization };
        let expected = format!("received-watch-event: {expected}");
        assert_eq!(WatchText(&response).to_string(), expected);
    }

    #[test]
    fn responses_as_the_official_tool_prints_them() {
        check(true, None, "INIT:None");
        check(false, None, "CHANGE:None");
        let event = |prev, current| Some(Event { key: "k/é".to_owned(), current, prev });
        check(
            false,
            event(Some(record(1, Some(1000), b"a")), Some(record(2, None, b"'b'\n"))),
            "CHANGE:(k/é: (seq=1 [expire=1970-01-01T00:16:40.000] 'a') -> (seq=2 [] ''b'\n'))",
        );
        check(
            true,
            event(None, Some(record(3, Some(1_723_102_819_007), &[0, 159]))),
            "INIT:(k/é: None -> (seq=3 [expire=2024-08-08T07:40:19.007] [0, 159]))",
        );
        check(
            false,
            event(Some(record(4, Some(u64::MAX), b"")), None),
            "CHANGE:(k/é: (seq=4 [expire=18446744073709551615] '') -> None)",
        );
        let proposed = |expire_at| {
            let meta = Some(KvMeta { expire_at, proposed_at_ms: Some(1_723_102_800_000) });
            event(None, Some(SeqV { seq: 1, data: b"v".to_vec(), meta }))
        };
        check(
            true,
            proposed(None),
            "INIT:(k/é: None -> (seq=1 [proposed=2024-08-08T07:40:00.000] 'v'))",
        );
        check(
            true,
            proposed(Some(1_723_102_819)),
            "INIT:(k/é: None -> (seq=1 [expire=2024-08-08T07:40:19.000, \
             proposed=2024-08-08T07:40:00.000] 'v'))",
        );
        let meta = Some(KvMeta::default());
        let without_expiry = SeqV { seq: 5, data: Vec::new(), meta };
        check(false, event(None, Some(without_expiry)), "CHANGE:(k/é: None -> (seq=5 [] ''))");
    }

    #[test]
    fn ranges() {
        let check = |watched: Watched<'_>, first: &str, end: &str| {
            assert_eq!(watched.range(), (first.to_owned(), end.to_owned()), "{watched:?}");
        };
        check(Watched::All, "", "\u{10ffff}");
        check(Watched::Directory("tenant"), "tenant/", "tenant0");
        check(Watched::Directory("a/b//"), "a/b/", "a/b0");
        check(Watched::Directory("/"), "/", "0");
        check(Watched::Prefix("tenant"), "tenant", "tenanu");
    }

    #[test]
    fn ends_of_prefixes() {
        assert_eq!(end_of_prefix("a/"), "a0");
        assert_eq!(end_of_prefix("é"), "ê");
        assert_eq!(end_of_prefix("\u{d7ff}"), "\u{e000}");
        assert_eq!(end_of_prefix("a\u{10ffff}\u{10ffff}"), "b");
        assert_eq!(end_of_prefix(""), "\u{10ffff}");
        assert_eq!(end_of_prefix("\u{10ffff}"), "\u{10ffff}");
    }

    proptest! {
        #[test]
        fn a_key_is_before_the_end_exactly_when_it_has_the_prefix(
            prefix in "[a-cé\u{d7ff}\u{10fffe}]{0,3}",
            key in "[a-dé\u{d7ff}\u{e000}\u{10fffe}]{0,5}",
        ) {
            let within = key.as_str() >= prefix.as_str() && key < end_of_prefix(&prefix);
            prop_assert_eq!(within, key.starts_with(&prefix));
        }
    }
}
