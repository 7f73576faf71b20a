//! The part of a file that a client asks for.

/// Bytes of a file, from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub from: u64,
    /// The byte behind the last.
    pub to: u64,
}

impl Span {
    /// How many bytes it has.
    pub const fn len(self) -> u64 {
        self.to.saturating_sub(self.from)
    }
}

/// What to answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The whole file: also for what is no single range of bytes, which may be ignored.
    Whole,
    /// A part of it.
    Part(Span),
    /// Nothing: the range starts behind the end.
    Unsatisfiable,
}

impl Asked {
    /// Reads the `Range` header of a request for a file of `size` bytes.
    pub fn of(header: Option<&str>, size: u64) -> Self {
        let Some((first, last)) = header.and_then(single_range) else { return Self::Whole };
        let number = |text: &str| text.parse::<u64>().ok();
        let span = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => {
                Span { from: first, to: last.saturating_add(1).min(size) }
            }
            (Some(first), None) if last.is_empty() => Span { from: first, to: size },
            (None, Some(length)) if first.is_empty() => {
                Span { from: size.saturating_sub(length), to: size }
            }
            _ => return Self::Whole,
        };
        if span.from < span.to { Self::Part(span) } else { Self::Unsatisfiable }
    }
}

/// The two numbers of `bytes=0-9`, either of which may be missing.
fn single_range(header: &str) -> Option<(&str, &str)> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(first) && is_number(last)).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        let part = |from, to| Asked::Part(Span { from, to });
        for (header, asked) in [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-9", part(0, 10)),
            ("bytes=3-4", part(3, 5)),
            ("bytes=9-18446744073709551615", part(9, 10)),
            ("bytes=9-", part(9, 10)),
            ("bytes=-1", part(9, 10)),
            ("bytes=-99", part(0, 10)),
            ("bytes=10-", Asked::Unsatisfiable),
            ("bytes=10-10", Asked::Unsatisfiable),
            ("bytes=-0", Asked::Unsatisfiable),
            ("bytes=4-3", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=18446744073709551616-", Asked::Whole),
            ("lines=0-1", Asked::Whole),
            ("", Asked::Whole),
        ] {
            assert_eq!(Asked::of(Some(header), 10), asked, "{header}");
        }
        assert_eq!(Asked::of(None, 10), Asked::Whole);
        assert_eq!(Asked::of(Some("bytes=0-"), 0), Asked::Unsatisfiable);
    }
}
