//! Changes of keys, as they happen.

use std::fmt;

use metadump::record::expire_at_ms;
use metadump_proto::meta::watch_request::FilterType;
use metadump_proto::meta::{KvMeta, SeqV, WatchRequest, WatchResponse};
use time::OffsetDateTime;

use super::messages::Messages;
use super::{Failure, Session};

/// Calls `each` with every record whose key begins with `prefix`, then with a response without an
/// event, and then with every change, until the server ends the stream. Changes may be any time
/// apart.
///
/// # Errors
///
/// A [`Failure`]; one of `each` comes back as [`Failure::Consumer`].
pub async fn watch(
    session: &Session,
    prefix: &str,
    each: &mut dyn FnMut(&WatchResponse) -> anyhow::Result<()>,
) -> Result<(), Failure> {
    const CALL: &str = "Watch";
    let request = WatchRequest {
        key: prefix.to_owned(),
        key_end: Some(end_of_prefix(prefix)),
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

/// A change as the official tool prints it: `CHANGE:(key: (seq=1 [] 'a') -> None)`, with `INIT`
/// for records that were there before.
pub struct WatchText<'a>(pub &'a WatchResponse);

impl fmt::Display for WatchText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(response) = self;
        f.write_str(if response.is_initialization { "INIT:" } else { "CHANGE:" })?;
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
    write!(f, "(seq={} ", record.seq)?;
    write_expiry(f, record.meta.as_ref())?;
    match std::str::from_utf8(&record.data) {
        Ok(text) => write!(f, " '{text}')"),
        Err(_) => write!(f, " {:?})", record.data),
    }
}

/// `[]`, or `[expire=2024-08-08T07:40:19.000]` in UTC.
fn write_expiry(f: &mut fmt::Formatter<'_>, meta: Option<&KvMeta>) -> fmt::Result {
    let Some(expire_at) = meta.and_then(|meta| meta.expire_at) else { return f.write_str("[]") };
    let ms = expire_at_ms(expire_at);
    match OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000) {
        Ok(at) => write!(
            f,
            "[expire={:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}]",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        ),
        // Beyond the year 9999.
        Err(_) => write!(f, "[expire={expire_at}]"),
    }
}

#[cfg(test)]
mod tests {
    use metadump_proto::meta::Event;
    use proptest::prelude::*;

    use super::*;

    fn record(seq: u64, expire_at: Option<u64>, data: &[u8]) -> SeqV {
        let meta = expire_at.map(|at| KvMeta { expire_at: Some(at), proposed_at_ms: Some(1) });
        SeqV { seq, data: data.to_vec(), meta }
    }

    fn check(is_initialization: bool, event: Option<Event>, expected: &str) {
        let response = WatchResponse { event, is_initialization };
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
        let meta = Some(KvMeta::default());
        let without_expiry = SeqV { seq: 5, data: Vec::new(), meta };
        check(false, event(None, Some(without_expiry)), "CHANGE:(k/é: None -> (seq=5 [] ''))");
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
