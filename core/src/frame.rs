//! Cuts a stream of bytes into lines, whatever the size of the pieces it comes in.

use memchr::memchr;

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
    /// How many bytes the line has besides `bytes`: none, unless it is [abridged](crate::abridge).
    pub elided_bytes: u64,
}

impl Line<'_> {
    /// How many bytes the line takes in the dump, its line end included.
    pub const fn len_bytes(&self) -> u64 {
        self.bytes.len() as u64 + self.elided_bytes + self.terminated as u64
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
#[derive(Debug, Default)]
pub struct LineFramer {
    tail: Vec<u8>,
    lines: u64,
    offset_bytes: u64,
}

impl LineFramer {
    /// Calls `each` for every line that `piece` completes, in order; stops at its first error.
    pub fn feed<E>(
        &mut self,
        mut piece: &[u8],
        mut each: impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.tail.is_empty() {
            let Some((head, rest)) = split_line(piece) else {
                self.tail.extend_from_slice(piece);
                return Ok(());
            };
            self.tail.extend_from_slice(head);
            let mut line = std::mem::take(&mut self.tail);
            each(self.next_line(&line, true))?;
            // The buffer is kept for the next tail.
            line.clear();
            self.tail = line;
            piece = rest;
        }
        while let Some((line, rest)) = split_line(piece) {
            each(self.next_line(line, true))?;
            piece = rest;
        }
        self.tail.extend_from_slice(piece);
        Ok(())
    }

    /// Where the line starts that no `\n` has ended yet.
    pub const fn next_offset_bytes(&self) -> u64 {
        self.offset_bytes
    }

    /// Calls `each` for the last line when it has no line end.
    pub fn finish<E>(mut self, mut each: impl FnMut(Line<'_>) -> Result<(), E>) -> Result<(), E> {
        let tail = std::mem::take(&mut self.tail);
        if tail.is_empty() { Ok(()) } else { each(self.next_line(&tail, false)) }
    }

    fn next_line<'a>(&mut self, bytes: &'a [u8], terminated: bool) -> Line<'a> {
        self.lines += 1;
        let offset_bytes = self.offset_bytes;
        let line = Line { number: self.lines, offset_bytes, bytes, terminated, elided_bytes: 0 };
        self.offset_bytes += line.len_bytes();
        line
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

    fn lines_of(pieces: &[&[u8]]) -> Vec<(u64, u64, Vec<u8>, bool)> {
        let mut lines = Vec::new();
        let mut keep = |line: Line<'_>| -> Result<(), ()> {
            lines.push((line.number, line.offset_bytes, line.bytes.to_vec(), line.terminated));
            Ok(())
        };
        let mut framer = LineFramer::default();
        for piece in pieces {
            framer.feed(piece, &mut keep).unwrap();
        }
        framer.finish(&mut keep).unwrap();
        lines
    }

    #[test]
    fn empty_input_has_no_line_and_blank_lines_are_lines() {
        assert_eq!(lines_of(&[]), []);
        assert_eq!(lines_of(&[b"", b""]), []);
        assert_eq!(lines_of(&[b"\n\n"]), [(1, 0, vec![], true), (2, 1, vec![], true)]);
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
