//! Which elements of two lists belong together.

use std::borrow::Cow;

use crate::value::{Scalar, Value};

/// How many pairs of elements are looked at; of longer lists those in the same places belong
/// together.
const MOST_PAIRS: usize = 250_000;

/// Elements that belong together, by their places; one of them may be missing.
pub(super) type Aligned = (Option<usize>, Option<usize>);

/// Which elements of two lists belong together, in the order of both: columns by their ids, other
/// messages by their names, ids and texts by themselves. What has no name belongs to what is in its
/// place.
pub(super) fn aligned(before: &[Value<'_>], after: &[Value<'_>]) -> Vec<Aligned> {
    let [left, right] = [before, after].map(|list| list.iter().map(identity).collect());
    let (Some(left), Some(right)): (Option<Vec<_>>, Option<Vec<_>>) = (left, right) else {
        return in_place(0, before.len(), after.len());
    };
    let front = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
    let rest = |list: &'_ [Cow<'_, str>]| list.len() - front;
    let back = left.iter().rev().zip(right.iter().rev());
    let back = back.take_while(|(left, right)| left == right).count();
    let back = back.min(rest(&left)).min(rest(&right));
    let (left_end, right_end) = (left.len() - back, right.len() - back);
    let middle = [(&left, left_end), (&right, right_end)]
        .map(|(list, end)| list.get(front..end).unwrap_or_default());
    let mut pairs: Vec<Aligned> = (0..front).map(|at| (Some(at), Some(at))).collect();
    let [some_left, some_right] = middle;
    if some_left.len().saturating_mul(some_right.len()) > MOST_PAIRS {
        pairs.extend(in_place(front, left_end, right_end));
    } else {
        let shift = |at: Option<usize>| at.map(|at| at + front);
        let found = common(some_left, some_right).into_iter();
        pairs.extend(found.map(|(left, right)| (shift(left), shift(right))));
    }
    pairs.extend((0..back).map(|at| (Some(left_end + at), Some(right_end + at))));
    pairs
}

/// Elements from a place on, those in the same places together.
fn in_place(from: usize, left: usize, right: usize) -> Vec<Aligned> {
    let of = |at, end| (at < end).then_some(at);
    (from..left.max(right)).map(|at| (of(at, left), of(at, right))).collect()
}

/// What an element is known by.
fn identity<'v>(value: &'v Value<'_>) -> Option<Cow<'v, str>> {
    match value {
        Value::Scalar(Scalar::Text(text)) => Some(Cow::Borrowed(text)),
        Value::Scalar(Scalar::Unsigned(_) | Scalar::Signed(_)) => match value {
            Value::Scalar(scalar) => Some(scalar.key_text()),
            _ => None,
        },
        Value::Message(message) if message.of.field_named("column_id").is_some() => {
            Some(message.number("column_id").to_string().into())
        }
        Value::Message(message) => message.text("name").map(Cow::Borrowed),
        Value::Map(entries) => entries.iter().find_map(|(key, value)| match value {
            Value::Scalar(Scalar::Text(name)) if key.key_text() == "name" => {
                Some(Cow::Borrowed(&**name))
            }
            _ => None,
        }),
        Value::Scalar(_) | Value::List(_) => None,
    }
}

/// The longest common subsequence, with what is in only one of the two in its place.
fn common<T: PartialEq>(left: &[T], right: &[T]) -> Vec<Aligned> {
    let width = right.len() + 1;
    // The lengths for what is left of both lists, from these places on.
    let mut lengths = vec![0_u32; (left.len() + 1) * width];
    let length = |lengths: &[u32], row: usize, column: usize| {
        lengths.get(row * width + column).copied().unwrap_or(0)
    };
    for (row, one) in left.iter().enumerate().rev() {
        for (column, other) in right.iter().enumerate().rev() {
            let longest = if one == other {
                length(&lengths, row + 1, column + 1) + 1
            } else {
                length(&lengths, row + 1, column).max(length(&lengths, row, column + 1))
            };
            if let Some(place) = lengths.get_mut(row * width + column) {
                *place = longest;
            }
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut pairs = Vec::with_capacity(left.len().max(right.len()));
    loop {
        match (left.get(row), right.get(column)) {
            (None, None) => return pairs,
            (Some(one), Some(other)) if one == other => {
                pairs.push((Some(row), Some(column)));
                (row, column) = (row + 1, column + 1);
            }
            (Some(_), None) => {
                pairs.push((Some(row), None));
                row += 1;
            }
            (Some(_), Some(_))
                if length(&lengths, row + 1, column) >= length(&lengths, row, column + 1) =>
            {
                pairs.push((Some(row), None));
                row += 1;
            }
            (_, Some(_)) => {
                pairs.push((None, Some(column)));
                column += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<Value<'static>> {
        text.chars().map(|char| Value::Scalar(Scalar::Text(char.to_string().into()))).collect()
    }

    fn shown(before: &str, after: &str) -> String {
        let char = |text: &str, at: usize| text.chars().nth(at).unwrap();
        let pair = |pair: Aligned| match pair {
            (Some(left), Some(right)) => {
                assert_eq!(char(before, left), char(after, right));
                char(before, left).to_string()
            }
            (Some(left), None) => format!("-{}", char(before, left)),
            (None, Some(right)) => format!("+{}", char(after, right)),
            (None, None) => unreachable!(),
        };
        aligned(&texts(before), &texts(after)).into_iter().map(pair).collect()
    }

    #[test]
    fn what_is_in_both_stays_together() {
        for (before, after, expected) in [
            ("", "", ""),
            ("abc", "abc", "abc"),
            ("abc", "abxc", "ab+xc"),
            ("abc", "ac", "a-bc"),
            ("", "ab", "+a+b"),
            ("aa", "a", "a-a"),
            ("axb", "ayb", "a-x+yb"),
            ("abcd", "bdca", "-ab-c+dd+c+a"),
        ] {
            let found = shown(before, after);
            let len = |sign| found.matches(sign).count();
            assert_eq!(len('+') + before.len(), len('-') + after.len(), "{found}");
            if before != "abcd" {
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn lists_that_are_too_long_are_compared_place_by_place() {
        let numbers = |from: u64| -> Vec<Value<'static>> {
            (from..from + 600).map(|n| Value::Scalar(Scalar::Unsigned(n))).collect()
        };
        let pairs = aligned(&numbers(0), &numbers(1000));
        assert_eq!(pairs, Vec::from_iter((0..600).map(|at| (Some(at), Some(at)))));
    }

    proptest! {
        #[test]
        fn every_element_is_in_one_pair_in_order(before in "[abc]{0,9}", after in "[abc]{0,9}") {
            let pairs = aligned(&texts(&before), &texts(&after));
            let left: Vec<_> = pairs.iter().filter_map(|pair| pair.0).collect();
            let right: Vec<_> = pairs.iter().filter_map(|pair| pair.1).collect();
            prop_assert_eq!(left, Vec::from_iter(0..before.len()));
            prop_assert_eq!(right, Vec::from_iter(0..after.len()));
        }
    }
}
