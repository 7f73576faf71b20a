//! Damages bytes in the ways in which files get damaged and edited, the same way every time.

/// Pieces that are likely to matter somewhere.
const PIECES: [&[u8]; 28] = [
    b"\n",
    b"\r\n",
    b"\0",
    b"\xFF",
    b"\xEF\xBB\xBF",
    b" ",
    b",",
    b":",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\"",
    b"\\",
    b"\\ud800",
    b"null",
    b"true",
    b"-1",
    b"00",
    b"1.5",
    b"1e2",
    b"256",
    b"18446744073709551615",
    b"18446744073709551616",
    b"[[[[[[[[",
    b"{\"And\":[",
    b"\"key\":\"\",",
    b"[\"state_machine/1\",",
];

/// Makes damaged copies; a small generator of numbers (SplitMix64) decides how.
#[derive(Debug, Default)]
pub struct Damager {
    state: u64,
}

impl Damager {
    /// A copy of one of the seeds with some damage; empty when there is no seed.
    pub fn damaged(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.pick(seeds).cloned().unwrap_or_default();
        for _ in 0..=self.below(3) {
            let from = self.below(bytes.len() + 1);
            let len = self.len();
            let to = (from + len).min(bytes.len());
            match self.below(8) {
                0 => {
                    let bit = self.below(8);
                    if let Some(byte) = bytes.get_mut(from) {
                        *byte ^= 1 << bit;
                    }
                }
                1 => drop(bytes.drain(from..to)),
                2 => bytes.truncate(from),
                3 => {
                    let piece = self.pick(&PIECES).copied().unwrap_or_default();
                    bytes.splice(from..from, piece.iter().copied());
                }
                4 => {
                    let piece = self.pick(&PIECES).copied().unwrap_or_default();
                    bytes.splice(from..to, piece.iter().copied());
                }
                5 => {
                    let span = bytes.get(from..to).unwrap_or_default().to_vec();
                    let at = self.below(bytes.len() + 1);
                    bytes.splice(at..at, span);
                }
                6 => self.exchange_lines(&mut bytes),
                _ => {
                    let other = self.pick(seeds).cloned().unwrap_or_default();
                    let at = self.below(other.len() + 1);
                    bytes.truncate(from);
                    bytes.extend(other.get(at..).unwrap_or_default());
                }
            }
        }
        bytes
    }

    fn exchange_lines(&mut self, bytes: &mut Vec<u8>) {
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        if !lines.is_empty() {
            let (one, other) = (self.below(lines.len()), self.below(lines.len()));
            lines.swap(one, other);
            *bytes = lines.concat();
        }
    }

    /// A length: mostly short.
    fn len(&mut self) -> usize {
        let most = [2, 8, 64, 1024];
        let most = self.pick(&most).copied().unwrap_or(1);
        self.below(most)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    /// A number below a bound; 0 when the bound is.
    pub fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let bound = bound as u64;
        let below = mixed.checked_rem(bound).unwrap_or_default();
        usize::try_from(below).unwrap_or_default()
    }
}
