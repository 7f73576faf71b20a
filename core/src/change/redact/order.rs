//! Keys in their order: that of names is not that of their pseudonyms. Lines are sorted in runs of
//! bounded size, which the caller keeps somewhere, and the runs merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::ordered;

/// What a line takes beside its bytes.
const LINE_BYTES: usize = 64;

/// Lines with their keys, to be sorted.
#[derive(Debug, Default)]
pub struct Run {
    lines: Vec<(Box<str>, Box<[u8]>)>,
    bytes: usize,
}

impl Run {
    /// Adds a line, which has no line end.
    pub fn add(&mut self, key: &str, line: &[u8]) {
        self.bytes += key.len() + line.len() + LINE_BYTES;
        self.lines.push((key.into(), line.into()));
    }

    /// How much memory it takes, in bytes; about.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is no line in it.
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines in the order of their keys, those of one key in theirs; then there is none.
    pub fn take(&mut self) -> impl Iterator<Item = Box<[u8]>> {
        self.sorted().map(|(_, line)| line)
    }

    /// The same with their keys, for a [`Merge`].
    pub fn take_packed(&mut self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes);
        for (key, line) in self.sorted() {
            // Neither has a line end in it: a key is known by its length.
            let head = format!("{} {}\n", key.len(), line.len());
            for part in [head.as_bytes(), key.as_bytes(), &line] {
                out.extend_from_slice(part);
            }
        }
        out
    }

    fn sorted(&mut self) -> impl Iterator<Item = (Box<str>, Box<[u8]>)> {
        self.bytes = 0;
        let mut lines = std::mem::take(&mut self.lines);
        ordered::sort_by(&mut lines, |(one, _), (other, _)| one.cmp(other));
        lines.into_iter()
    }
}

/// A run is not as it was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("lines that were put aside are not as they were")]
pub struct BrokenRun;

/// Merges runs, of which it holds a part each.
///
/// ```
/// use metadump::redact::{Merge, Run};
///
/// let packed = |keys: [&str; 2]| {
///     let mut run = Run::default();
///     keys.iter().for_each(|key| run.add(key, key.as_bytes()));
///     run.take_packed()
/// };
/// let runs = [packed(["d", "a"]), packed(["b", "c"])];
/// let (mut merge, mut merged) = (Merge::of(runs.len()), String::new());
/// loop {
///     if let Some(at) = merge.wants()? {
///         merge.feed(at, &runs[at]);
///         merge.end(at);
///     } else if let Some(line) = merge.next_line() {
///         merged.push_str(std::str::from_utf8(&line).unwrap());
///     } else {
///         break;
///     }
/// }
/// assert_eq!(merged, "abcd");
/// # Ok::<(), metadump::redact::BrokenRun>(())
/// ```
#[derive(Debug)]
pub struct Merge {
    runs: Vec<Part>,
    next: BinaryHeap<Reverse<(String, usize, Vec<u8>)>>,
}

/// What is held of a run.
#[derive(Debug, Default)]
struct Part {
    bytes: Vec<u8>,
    at: usize,
    has_ended: bool,
    /// Whether its next line is among those that are compared.
    is_next: bool,
}

impl Merge {
    /// Of so many runs; of equal keys the line of the first one comes first.
    pub fn of(runs: usize) -> Self {
        let runs = std::iter::repeat_with(Part::default).take(runs).collect();
        Self { runs, next: BinaryHeap::new() }
    }

    /// Which run it needs more of before it can give the next line.
    ///
    /// # Errors
    ///
    /// When a run is not as it was packed.
    pub fn wants(&mut self) -> Result<Option<usize>, BrokenRun> {
        for (at, run) in self.runs.iter_mut().enumerate() {
            if run.is_next {
                continue;
            }
            match run.line()? {
                Some((key, line)) => {
                    run.is_next = true;
                    self.next.push(Reverse((key, at, line)));
                }
                None if run.has_ended => {}
                None => return Ok(Some(at)),
            }
        }
        Ok(None)
    }

    /// The next piece of a run.
    pub fn feed(&mut self, at: usize, bytes: &[u8]) {
        if let Some(run) = self.runs.get_mut(at) {
            run.bytes.drain(..run.at.min(run.bytes.len()));
            run.at = 0;
            run.bytes.extend_from_slice(bytes);
        }
    }

    /// Says that a run has no more.
    pub fn end(&mut self, at: usize) {
        if let Some(run) = self.runs.get_mut(at) {
            run.has_ended = true;
        }
    }

    /// The next line, when nothing is [wanted](Self::wants); none after the last one.
    pub fn next_line(&mut self) -> Option<Vec<u8>> {
        let Reverse((_, at, line)) = self.next.pop()?;
        if let Some(run) = self.runs.get_mut(at) {
            run.is_next = false;
        }
        Some(line)
    }
}

impl Part {
    /// The next line with its key, if all of it is held.
    fn line(&mut self) -> Result<Option<(String, Vec<u8>)>, BrokenRun> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(head_len) = memchr::memchr(b'\n', rest) else {
            return if self.has_ended && !rest.is_empty() { Err(BrokenRun) } else { Ok(None) };
        };
        let head = rest.get(..head_len).and_then(|head| std::str::from_utf8(head).ok());
        let mut lens = head.unwrap_or_default().split(' ').map(str::parse::<usize>);
        let (Some(Ok(key_len)), Some(Ok(line_len))) = (lens.next(), lens.next()) else {
            return Err(BrokenRun);
        };
        let content = rest.get(head_len + 1..).unwrap_or_default();
        let end = key_len.checked_add(line_len).ok_or(BrokenRun)?;
        let Some((key, line)) = content.get(..end).and_then(|it| it.split_at_checked(key_len))
        else {
            return if self.has_ended { Err(BrokenRun) } else { Ok(None) };
        };
        let key = String::from_utf8(key.to_vec()).map_err(|_| BrokenRun)?;
        let line = line.to_vec();
        self.at += head_len + 1 + end;
        Ok(Some((key, line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hundred lines in order, put aside after some of them, and handed back in pieces.
    fn merged(asides: &[usize], piece_bytes: usize) -> Vec<String> {
        let (mut run, mut runs) = (Run::default(), Vec::new());
        for number in 0..100_u32 {
            let key = format!("{:03}", number.wrapping_mul(37) % 50);
            run.add(&key, format!("{key} {number:03}").as_bytes());
            if asides.contains(&(number as usize)) {
                runs.push(run.take_packed());
            }
        }
        runs.push(run.take_packed());
        let mut given = vec![0; runs.len()];
        let (mut merge, mut lines) = (Merge::of(runs.len()), Vec::new());
        loop {
            if let Some(at) = merge.wants().unwrap() {
                let end = (given[at] + piece_bytes).min(runs[at].len());
                merge.feed(at, &runs[at][given[at]..end]);
                given[at] = end;
                if end == runs[at].len() {
                    merge.end(at);
                }
            } else if let Some(line) = merge.next_line() {
                lines.push(String::from_utf8(line).unwrap());
            } else {
                return lines;
            }
        }
    }

    #[test]
    fn lines_are_in_order_however_many_runs_there_are_and_in_whatever_pieces() {
        let of_one = merged(&[], 1 << 20);
        assert!(of_one.is_sorted() && of_one.len() == 100);
        for piece_bytes in [1, 7, 1 << 20] {
            assert_eq!(merged(&[20, 21, 70], piece_bytes), of_one);
        }
    }

    #[test]
    fn what_is_not_a_run_is_refused() {
        for broken in [&b"x"[..], b"1 x\n", b"3 3\nab", b"2 0\n\xff\xff"] {
            let mut merge = Merge::of(1);
            merge.feed(0, broken);
            merge.end(0);
            assert_eq!(merge.wants(), Err(BrokenRun));
        }
    }
}
