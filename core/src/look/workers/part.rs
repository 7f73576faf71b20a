//! The lines of a part of a dump, so that several readers share one.

use memchr::memchr;

use crate::dump::frame::{Line, LineFramer};

/// Hands out the lines that start in a part of a dump: each line belongs to one part, wherever
/// the dump is cut into parts. The last line may end behind the part.
///
/// ```
/// use metadump::workers::Part;
///
/// let dump = b"one\ntwo\nthree\n";
/// let mut part = Part::new(2, 8);
/// let mut lines = Vec::new();
/// part.feed(&dump[part.reads_from() as usize..8], |line| lines.push(line.bytes.to_vec()));
/// assert!(part.is_done());
/// assert_eq!(lines, [b"two"]);
/// ```
#[derive(Debug)]
pub struct Part {
    from_bytes: u64,
    to_bytes: u64,
    /// Up to where bytes have come.
    at_bytes: u64,
    /// Where the first line starts; none until it is found.
    first_bytes: Option<u64>,
    framer: LineFramer,
}

impl Part {
    /// The part of a dump from one byte to another.
    pub fn new(from_bytes: u64, to_bytes: u64) -> Self {
        // The byte before says whether a line starts with the part.
        let at_bytes = from_bytes.saturating_sub(1);
        let first_bytes = (from_bytes == 0).then_some(0);
        Self { from_bytes, to_bytes, at_bytes, first_bytes, framer: LineFramer::default() }
    }

    /// Where the bytes start that have to be [fed](Self::feed).
    pub const fn reads_from(&self) -> u64 {
        self.from_bytes.saturating_sub(1)
    }

    /// Calls `each` for every line of the part that `piece` completes. Numbers and offsets count
    /// from the part's first line.
    pub fn feed(&mut self, mut piece: &[u8], mut each: impl FnMut(Line<'_>)) {
        let at_bytes = self.at_bytes;
        self.at_bytes += piece.len() as u64;
        let first_bytes = match self.first_bytes {
            Some(first) => first,
            None => {
                let Some(end) = memchr(b'\n', piece) else { return };
                piece = piece.get(end + 1..).unwrap_or_default();
                *self.first_bytes.insert(at_bytes + end as u64 + 1)
            }
        };
        if self.is_done() {
            return;
        }
        let to_bytes = self.to_bytes;
        let Ok(()) = self.framer.feed(piece, |line| -> Result<(), std::convert::Infallible> {
            if first_bytes + line.offset_bytes < to_bytes {
                each(line);
            }
            Ok(())
        });
    }

    /// Whether all lines of the part were handed out, so that nothing more needs to be fed.
    pub fn is_done(&self) -> bool {
        let next = match self.first_bytes {
            Some(first) => first + self.framer.next_offset_bytes(),
            None => self.at_bytes,
        };
        next >= self.to_bytes
    }

    /// Ends the dump: calls `each` for a last line without line end, if it is the part's.
    pub fn finish(self, mut each: impl FnMut(Line<'_>)) {
        if self.is_done() {
            return;
        }
        let Ok(()) = self.framer.finish(|line| -> Result<(), std::convert::Infallible> {
            each(line);
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All lines, read as parts that end at `cuts`, in pieces of `piece` bytes.
    fn lines(dump: &[u8], cuts: &[usize], piece: usize) -> Vec<(Vec<u8>, bool)> {
        let mut lines = Vec::new();
        let mut from = 0;
        for to in cuts.iter().copied().chain([dump.len()]) {
            let mut part = Part::new(from as u64, to as u64);
            let mut keep = |line: Line<'_>| lines.push((line.bytes.to_vec(), line.terminated));
            let mut rest = &dump[part.reads_from() as usize..];
            while !part.is_done() && !rest.is_empty() {
                let (now, later) = rest.split_at(piece.min(rest.len()));
                part.feed(now, &mut keep);
                rest = later;
            }
            part.finish(&mut keep);
            from = to;
        }
        lines
    }

    proptest! {
        #[test]
        fn each_line_belongs_to_one_part(
            dump in "[ab\n]{0,60}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            piece in 1_usize..20,
        ) {
            let dump = dump.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(dump.len() + 1)).collect();
            cuts.sort_unstable();
            let mut expected: Vec<_> =
                dump.split(|byte| *byte == b'\n').map(|line| (line.to_vec(), true)).collect();
            // What follows the last line feed is a line only when there is something.
            let (last, _) = expected.pop().unwrap();
            expected.extend((!last.is_empty()).then_some((last, false)));
            prop_assert_eq!(lines(dump, &cuts, piece), expected);
        }
    }
}
