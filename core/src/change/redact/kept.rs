//! What the first reading has made of lines, kept for the second: as much as there is room for.

use crate::dump::json_text::{Edit, edited};

/// How many bytes are kept: the lines behind are made again.
const MOST_BYTES: usize = 24 << 20;

/// What the numbers of an edit take: where it begins and ends, and how long the new part is.
const HEAD_BYTES: usize = 12;

/// Edits of lines, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct KeptEdits {
    /// Where the lines begin, ascending.
    offsets: Vec<u64>,
    /// Where the edits of each end.
    ends: Vec<usize>,
    packed: Vec<u8>,
    is_full: bool,
}

impl KeptEdits {
    /// Keeps the edits of the next line, if there is room.
    pub(super) fn add(&mut self, offset_bytes: u64, edits: &[Edit]) {
        let new: usize = edits.iter().map(|(_, new)| HEAD_BYTES + new.len()).sum();
        let index = size_of::<(u64, usize)>() * (self.offsets.len() + 1);
        self.is_full |= self.packed.len() + new + index > MOST_BYTES;
        let before = self.packed.len();
        if self.is_full || edits.iter().try_for_each(|edit| self.pack(edit)).is_none() {
            self.packed.truncate(before);
            return;
        }
        self.offsets.push(offset_bytes);
        self.ends.push(self.packed.len());
    }

    fn pack(&mut self, (range, new): &Edit) -> Option<()> {
        for number in [range.start, range.end, new.len()] {
            self.packed.extend_from_slice(&u32::try_from(number).ok()?.to_le_bytes());
        }
        self.packed.extend_from_slice(new);
        Some(())
    }

    /// What a line becomes that begins at a byte of the dump; none where its edits are not kept.
    pub(super) fn made(&self, offset_bytes: u64, line: &[u8]) -> Option<Vec<u8>> {
        let at = self.offsets.binary_search(&offset_bytes).ok()?;
        let from = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        let mut rest = self.packed.get(from..*self.ends.get(at)?)?;
        let mut edits = Vec::new();
        while !rest.is_empty() {
            let start = number(&mut rest)?;
            let end = number(&mut rest)?;
            let len = number(&mut rest)?;
            let (new, behind) = rest.split_at_checked(len)?;
            edits.push((start..end, new.to_vec()));
            rest = behind;
        }
        Some(edited(line, &edits))
    }
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let (number, behind) = rest.split_first_chunk()?;
    *rest = behind;
    usize::try_from(u32::from_le_bytes(*number)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_made_as_on_the_first_reading_until_there_is_no_room() {
        let mut kept = KeptEdits::default();
        kept.add(7, &[(1..3, b"xyz".to_vec()), (4..4, b"-".to_vec())]);
        kept.add(20, &[(0..6, Vec::new())]);
        kept.add(30, &[(0..0, vec![b'a'; MOST_BYTES])]);
        kept.add(40, &[(0..1, b"b".to_vec())]);
        let made = |offset| kept.made(offset, b"abcdef");
        assert_eq!(made(7).as_deref(), Some(&b"axyzd-ef"[..]));
        assert_eq!(made(20).as_deref(), Some(&b""[..]));
        assert_eq!((made(8), made(30), made(40)), (None, None, None));
        // The dump has changed meanwhile.
        assert_eq!(kept.made(7, b"a").as_deref(), Some(&b"axyz-"[..]));
    }
}
