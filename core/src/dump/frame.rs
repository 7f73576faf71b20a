//! Cuts a stream of bytes into lines, whatever the size of the pieces it comes in.

use memchr::memchr;
use serde::Serialize;

use crate::dump::scan::may_go_on;

/// The longest line that is read, in bytes: a dump ends at a longer one.
///
/// A byte of a value takes up to four characters, so this has room for a value of 128 MiB. The
/// messages that servers take, of which a line is made, have at most 32 MiB unless configured
/// otherwise; values of 63 MB have been met.
pub const LONGEST_LINE_BYTES: u64 = 512 << 20;

/// How much of a line is held whatever it is. To be held any further it has to be the beginning of
/// a record, so that a file of something else takes no more memory than this.
const JUDGED_BYTES: usize = 16 << 20;

/// A place in a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The line, counted from 1.
    pub line: u64,
    /// The byte in the dump, counted from 0.
    pub offset_bytes: u64,
}

impl Place {
    /// The start of a line.
    pub const fn of(line: &Line<'_>) -> Self {
        Self { line: line.number, offset_bytes: line.offset_bytes }
    }
}

/// One line of a dump, without its line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The line's number, counted from 1.
    pub number: u64,
    /// Where the line starts in the dump.
    pub offset_bytes: u64,
    /// The line without its `\n`.
    pub bytes: &'a [u8],
    /// Whether a `\n` followed; only the last line of a dump can lack it.
    pub terminated: bool,
    /// How many bytes the line has besides `bytes`: none, unless it is not held whole.
    pub(crate) elided_bytes: u64,
}

impl<'a> Line<'a> {
    /// A line that is held whole.
    pub const fn new(number: u64, offset_bytes: u64, bytes: &'a [u8], terminated: bool) -> Self {
        Self { number, offset_bytes, bytes, terminated, elided_bytes: 0 }
    }

    /// The same line at another place.
    #[must_use]
    pub const fn at(self, number: u64, offset_bytes: u64) -> Self {
        Self { number, offset_bytes, ..self }
    }

    /// Whether `bytes` is all of the line. Of a line that can be no record only the beginning is
    /// held, and a viewer's workers leave out what values have in them.
    pub const fn is_whole(&self) -> bool {
        self.elided_bytes == 0
    }

    /// How many bytes the line takes in the dump, its line end included.
    pub const fn len_bytes(&self) -> u64 {
        self.bytes.len() as u64 + self.elided_bytes + self.terminated as u64
    }

    /// Whether the line is longer than [`LONGEST_LINE_BYTES`]: nothing follows it.
    pub const fn is_too_long(&self) -> bool {
        self.bytes.len() as u64 + self.elided_bytes > LONGEST_LINE_BYTES
    }
}

/// Cuts pieces of a dump into lines; keeps only the tail that no `\n` has ended yet.
///
/// ```
/// let mut framer = metadump::LineFramer::default();
/// let mut seen = Vec::new();
/// for piece in [&b"one\ntw"[..], b"o\nthree"] {
///     framer.feed(piece, |line| -> Result<(), ()> {
///         seen.push((line.number, line.offset_bytes, line.bytes.to_vec()));
///         Ok(())
///     })?;
/// }
/// framer.finish(|line| -> Result<(), ()> {
///     assert!(!line.terminated);
///     seen.push((line.number, line.offset_bytes, line.bytes.to_vec()));
///     Ok(())
/// })?;
/// assert_eq!(seen, [(1, 0, b"one".to_vec()), (2, 4, b"two".to_vec()), (3, 8, b"three".to_vec())]);
/// # Ok::<(), ()>(())
/// ```
///
/// **Invariant:** of a line that is not held whole, the beginning that is handed on is no record.
#[derive(Debug, Default)]
pub struct LineFramer {
    tail: Tail,
    lines: u64,
    offset_bytes: u64,
    ended: bool,
}

impl LineFramer {
    /// Calls `each` for every line that `piece` completes, in order; stops at its first error.
    pub fn feed<E>(
        &mut self,
        mut piece: &[u8],
        mut each: impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !self.ended
            && let Some((line, rest)) = split_line(piece)
        {
            if self.tail.is_empty() && line.len() <= JUDGED_BYTES {
                each(self.next_line(line, 0, true))?;
            } else {
                self.tail.extend(line);
                self.end_line(true, &mut each)?;
            }
            piece = rest;
        }
        if !self.ended {
            self.tail.extend(piece);
            if self.tail.is_too_long() {
                self.end_line(false, each)?;
            }
        }
        Ok(())
    }

    /// Where the line starts that no `\n` has ended yet.
    pub const fn next_offset_bytes(&self) -> u64 {
        self.offset_bytes
    }

    /// Whether a line was too long: what follows it is not looked at.
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Calls `each` for the last line when it has no line end.
    pub fn finish<E>(mut self, each: impl FnMut(Line<'_>) -> Result<(), E>) -> Result<(), E> {
        if self.ended || self.tail.is_empty() { Ok(()) } else { self.end_line(false, each) }
    }

    /// Hands on the tail.
    fn end_line<E>(
        &mut self,
        terminated: bool,
        mut each: impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let tail = std::mem::take(&mut self.tail);
        self.ended = tail.is_too_long();
        each(self.next_line(&tail.held, tail.elided_bytes, terminated && !self.ended))?;
        self.tail = tail.emptied();
        Ok(())
    }

    fn next_line<'a>(&mut self, bytes: &'a [u8], elided_bytes: u64, terminated: bool) -> Line<'a> {
        self.lines += 1;
        let offset_bytes = self.offset_bytes;
        let line = Line { number: self.lines, offset_bytes, bytes, terminated, elided_bytes };
        self.offset_bytes += line.len_bytes();
        line
    }
}

/// A line whose end has not come yet.
#[derive(Debug, Default)]
struct Tail {
    held: Vec<u8>,
    /// How many bytes are not held.
    elided_bytes: u64,
    judged: bool,
}

impl Tail {
    const fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    const fn is_too_long(&self) -> bool {
        self.held.len() as u64 + self.elided_bytes > LONGEST_LINE_BYTES
    }

    /// Adds bytes, and drops what can be no record. When that is does not depend on the pieces.
    fn extend(&mut self, mut bytes: &[u8]) {
        if !self.judged && self.held.len() + bytes.len() > JUDGED_BYTES {
            let (judged, rest) = bytes.split_at(JUDGED_BYTES - self.held.len());
            self.held.extend_from_slice(judged);
            self.judged = true;
            if may_go_on(&self.held) {
                bytes = rest;
            } else {
                return self.elide(rest.len() as u64);
            }
        }
        let len = bytes.len() as u64;
        if self.elided_bytes > 0 {
            self.elide(len);
        } else if self.held.len() as u64 + len > LONGEST_LINE_BYTES {
            let held = self.held.len() as u64;
            self.held.truncate(JUDGED_BYTES);
            // It might be a record that only blanks follow: without its last byte it is none.
            let list = self.held.trim_ascii_end();
            let kept = list.strip_suffix(b"]").unwrap_or(list).len();
            self.held.truncate(kept);
            self.held.shrink_to_fit();
            self.elide(held + len - self.held.len() as u64);
        } else {
            let needed = self.held.len() + bytes.len();
            // Room is doubled, but not beyond what is ever held.
            let room = (2 * self.held.capacity()).min(LONGEST_LINE_BYTES as usize).max(needed);
            if needed > self.held.capacity() {
                self.held.reserve_exact(room - self.held.len());
            }
            self.held.extend_from_slice(bytes);
        }
    }

    /// Counts bytes, up to what is too long.
    fn elide(&mut self, bytes: u64) {
        let most = LONGEST_LINE_BYTES + 1 - self.held.len() as u64;
        self.elided_bytes = self.elided_bytes.saturating_add(bytes).min(most);
    }

    /// The same buffer for the next line, unless it is large.
    fn emptied(mut self) -> Self {
        if self.held.capacity() > JUDGED_BYTES {
            return Self::default();
        }
        self.held.clear();
        Self { held: self.held, ..Self::default() }
    }
}

/// The bytes up to the first `\n` and those after it.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr(b'\n', bytes)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame<'a, T>(
        pieces: impl IntoIterator<Item = &'a [u8]>,
        seen: impl Fn(Line<'_>) -> T,
    ) -> Vec<T> {
        let mut lines = Vec::new();
        let mut keep = |line: Line<'_>| -> Result<(), ()> {
            lines.push(seen(line));
            Ok(())
        };
        let mut framer = LineFramer::default();
        for piece in pieces {
            framer.feed(piece, &mut keep).unwrap();
        }
        framer.finish(&mut keep).unwrap();
        lines
    }

    fn lines_of(pieces: &[&[u8]]) -> Vec<(u64, u64, Vec<u8>, bool)> {
        frame(pieces.iter().copied(), |line| {
            (line.number, line.offset_bytes, line.bytes.to_vec(), line.terminated)
        })
    }

    #[test]
    fn empty_input_has_no_line_and_blank_lines_are_lines() {
        assert_eq!(lines_of(&[]), []);
        assert_eq!(lines_of(&[b"", b""]), []);
        assert_eq!(lines_of(&[b"\n\n"]), [(1, 0, vec![], true), (2, 1, vec![], true)]);
    }

    /// The lines of pieces: number, offset, how much is held, all bytes, terminated.
    fn lengths<'a>(
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Vec<(u64, u64, usize, u64, bool)> {
        frame(pieces, |line| {
            let len = line.bytes.len() as u64 + line.elided_bytes;
            // What is elided is no record, nor is what is left of it.
            assert!(line.elided_bytes == 0 || crate::dump::scan::scan_line(line.bytes).is_err());
            (line.number, line.offset_bytes, line.bytes.len(), len, line.terminated)
        })
    }

    #[test]
    fn of_a_long_line_that_is_no_record_only_the_beginning_is_held() {
        let long = JUDGED_BYTES + 5;
        for garbage in [&b"\0"[..], b"a", b" ", b"\xff", b"[1]", b"[1,x"] {
            let line: Vec<u8> = garbage.iter().copied().cycle().take(long).collect();
            let dump = [b"one\n", &line[..], b"\nthree"].concat();
            let expected = [
                (1, 0, 3, 3, true),
                (2, 4, JUDGED_BYTES, long as u64, true),
                (3, long as u64 + 5, 5, 5, false),
            ];
            for piece in [1 << 20, JUDGED_BYTES, JUDGED_BYTES + 4, dump.len()] {
                assert_eq!(lengths(dump.chunks(piece)), expected, "{garbage:?} by {piece}");
            }
            assert_eq!(lengths(line.chunks(1 << 20)), [(1, 0, JUDGED_BYTES, long as u64, false)]);
        }
        // A line that may be a record is whole.
        let value = [br#"["raft_log",["#, &b"1,".repeat(JUDGED_BYTES)[..], b"1]]\n"].concat();
        let len = value.len() - 1;
        assert_eq!(lengths(value.chunks(1 << 20)), [(1, 0, len, len as u64, true)]);
        assert_eq!(lengths([&value[..]]), [(1, 0, len, len as u64, true)]);
    }

    #[test]
    fn a_dump_ends_at_a_line_that_is_too_long() {
        let most = LONGEST_LINE_BYTES + 1;
        let mebibyte = vec![b' '; 1 << 20];
        let pieces = |beginning: &'static [u8], filling| {
            let filled = std::iter::repeat_n(filling, 513);
            [&b"one\n"[..], beginning].into_iter().chain(filled).chain([&b"\nmore\n"[..]])
        };
        let first = (1, 0, 3, 3, true);
        let number = br#"["raft_log",{"NodeId":1}]"#;
        let held = number.len() - 1;
        assert_eq!(lengths(pieces(number, &mebibyte)), [first, (2, 4, held, most, false)]);
        let zeros = vec![0; 1 << 20];
        assert_eq!(lengths(pieces(b"[", &zeros)), [first, (2, 4, JUDGED_BYTES, most, false)]);
    }

    proptest! {
        #[test]
        fn splitting_the_input_anywhere_changes_nothing(
            input in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(0usize..200, 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&input[from..cut]);
                from = cut;
            }
            pieces.push(&input[from..]);
            prop_assert_eq!(lines_of(&pieces), lines_of(&[&input]));
        }
    }
}
