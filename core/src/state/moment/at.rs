//! The moments that people name: `end`, `snapshot`, `83`, `T3-N1.83`, a time, `-2h`.

use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::character::complete::{char, one_of, u64 as number};
use nom::combinator::{all_consuming, cut, map, value};
use nom::sequence::preceded;
use nom::{IResult, Parser};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::dump::record::{LeaderId, LogId, NodeId};
use crate::dump::syntax::SyntaxError;

/// A moment of a state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum At {
    /// When the snapshot was taken.
    Snapshot,
    /// After the last committed entry.
    #[default]
    End,
    /// After the entry of an index, which need not be committed.
    Index(u64),
    /// After an entry, which need not be committed.
    Entry(LogId),
    /// A time: after the entries that were proposed until its end. One without a fraction is a whole
    /// second, as times are shown.
    Time {
        /// Where it begins, in milliseconds since 1970.
        first_ms: u64,
        /// Its last millisecond.
        last_ms: u64,
    },
    /// So many milliseconds before now.
    Ago(u64),
}

const EXPECTED: &str =
    "snapshot, end, a log index, T1-N2.34, a time as 2026-11-28T14:28:47Z, or -2h";

type Parsed<'a, T> = IResult<&'a str, T>;

impl At {
    /// Reads a moment.
    ///
    /// # Errors
    ///
    /// When the text is none: where, and what is expected.
    ///
    /// ```
    /// use metadump::moment::At;
    ///
    /// assert_eq!(At::parse("-2h"), Ok(At::Ago(7_200_000)));
    /// let error = At::parse("-2x").unwrap_err().to_string();
    /// assert!(error.ends_with("\n  -2x\n    ^"), "{error}");
    /// ```
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let word = alt((value(Self::Snapshot, tag("snapshot")), value(Self::End, tag("end"))));
        let index = map(number, Self::Index);
        // A date begins with a number, too.
        let text_of_time = as_printed(text).unwrap_or_else(|| text.to_owned());
        if let Ok(time) = OffsetDateTime::parse(&text_of_time, &Rfc3339)
            && let Ok(first_ms) = u64::try_from(time.unix_timestamp_nanos() / 1_000_000)
        {
            let rest_of_second_ms = if text.contains('.') { 0 } else { 999 };
            return Ok(Self::Time { first_ms, last_ms: first_ms + rest_of_second_ms });
        }
        let read = all_consuming(alt((word, entry, ago, index))).parse(text);
        read.map(|(_, at)| at).map_err(|error| SyntaxError::of(text, &error, EXPECTED))
    }
}

/// A time as times are shown, `2026-11-28 14:28:47 UTC`.
fn as_printed(text: &str) -> Option<String> {
    let (date, time) = text.strip_suffix(" UTC")?.split_once(' ')?;
    Some(format!("{date}T{time}Z"))
}

/// `T3-N1.83`
fn entry(input: &str) -> Parsed<'_, At> {
    let parts = (
        preceded(char('T'), cut(number)),
        cut(preceded(tag("-N"), number)),
        cut(preceded(char('.'), number)),
    );
    map(parts, |(term, node_id, index)| {
        let leader_id = LeaderId { term, node_id: NodeId(node_id) };
        At::Entry(LogId { leader_id, index })
    })
    .parse(input)
}

/// `-90s`, `-5m`, `-2h`, `-1d`
fn ago(input: &str) -> Parsed<'_, At> {
    map(preceded(char('-'), cut(span)), At::Ago).parse(input)
}

/// `90s`, `5m`, `2h`, `1d`, in milliseconds.
fn span(input: &str) -> Parsed<'_, u64> {
    let unit = map(one_of("smhd"), |unit| match unit {
        's' => 1000_u64,
        'm' => 60_000,
        'h' => 3_600_000,
        _ => 86_400_000,
    });
    map((number, unit), |(count, unit)| count.saturating_mul(unit)).parse(input)
}

/// Reads how long something is, `90s`, `5m`, `25h` or `1d`, in milliseconds.
///
/// # Errors
///
/// When the text says none: where, and what is expected.
///
/// ```
/// assert_eq!(metadump::moment::parse_span("25h"), Ok(90_000_000));
/// assert!(metadump::moment::parse_span("25").is_err());
/// ```
pub fn parse_span(text: &str) -> Result<u64, SyntaxError> {
    let read = all_consuming(span).parse(text);
    read.map(|(_, ms)| ms).map_err(|error| SyntaxError::of(text, &error, "90s, 5m, 25h or 1d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let leader_id = LeaderId { term: 3, node_id: NodeId(1) };
        let time = |first_ms, last_ms| At::Time { first_ms, last_ms };
        let second = time(1_795_876_127_000, 1_795_876_127_999);
        let half = time(1_795_876_127_500, 1_795_876_127_500);
        for (text, expected) in [
            ("snapshot", At::Snapshot),
            ("end", At::End),
            ("83", At::Index(83)),
            ("T3-N1.83", At::Entry(LogId { leader_id, index: 83 })),
            ("2026-11-28T14:28:47Z", second),
            ("2026-11-28T15:28:47.5+01:00", half),
            ("2026-11-28 14:28:47 UTC", second),
            ("2026-11-28 14:28:47.5 UTC", half),
            ("-90s", At::Ago(90_000)),
            ("-1d", At::Ago(86_400_000)),
        ] {
            assert_eq!(At::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_pointed_at() {
        for (text, column) in [
            ("", 0),
            ("later", 0),
            ("83x", 2),
            ("T3-N1", 5),
            ("-2", 2),
            ("endless", 3),
            ("2026-11-28", 4),
        ] {
            assert_eq!(At::parse(text).unwrap_err().column, column, "{text}");
        }
    }
}
