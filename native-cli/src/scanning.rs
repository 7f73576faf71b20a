//! Scans the lines of a dump on several threads, and hands them on in their order.
//!
//! ```text
//! input ─► piece ─► thread: scans its lines ─┐
//!       ─► piece ─► thread: scans its lines ─┴─► each line, when it is its piece's turn
//! ```
//!
//! Each thread takes the next piece of whole lines, scans it, waits until all pieces before it have
//! been handed on, and hands on its own. What takes the lines sees what a single thread would show
//! it: the same lines in the same order.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use memchr::{memchr_iter, memrchr};
use metadump::Line;
use metadump::scan::{LineError, ScannedLine, scan_line};

use crate::input::Source;
use crate::progress::Progress;

/// How much is scanned at a time; a piece with a longer line is larger.
const PIECE_BYTES: u64 = 1 << 20;

/// More threads would wait for the one that hands on.
const MOST_THREADS: usize = 8;

/// On how many threads a dump is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads(NonZeroUsize);

impl Threads {
    /// As many as are asked for, or as there are cores.
    pub fn of_flag(asked: Option<NonZeroUsize>) -> Self {
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let most = NonZeroUsize::new(MOST_THREADS).unwrap_or(NonZeroUsize::MIN);
        Self(asked.unwrap_or_else(|| cores().min(most)))
    }
}

/// Reads all lines, calling `each` with every one in order, and with what it is.
///
/// # Errors
///
/// When the input cannot be read, and the first error of `each`.
pub fn for_each_scanned(
    source: &Source,
    threads: Threads,
    progress: &Progress,
    each: impl FnMut(&Line<'_>, Result<ScannedLine<'_>, LineError>) -> Result<()> + Send,
) -> Result<()> {
    let Threads(threads) = threads;
    let input = Mutex::new(Pieces { input: source.open(progress)?, tail: Vec::new(), taken: 0 });
    let turns = Turns {
        state: Mutex::new(Handing { each, next: 0, lines: 0, offset_bytes: 0, ended: None }),
        changed: Condvar::new(),
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.get() {
            scope.spawn(|| turns.work(&input));
        }
        turns.work(&input);
    });
    let handing = turns.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match handing.ended {
        Some(Ended::Unread(error)) => {
            Err(error).with_context(|| format!("cannot read {}", source.name()))
        }
        Some(Ended::Refused(error)) => Err(error),
        Some(Ended::Panicked) | None => Ok(()),
    }
}

/// The input in pieces of whole lines.
struct Pieces {
    input: Box<dyn Read + Send>,
    /// The beginning of a line whose end has not been read yet.
    tail: Vec<u8>,
    taken: u64,
}

impl Pieces {
    /// Puts the next piece into `piece` and tells its number; none at the end.
    fn next(&mut self, piece: &mut Vec<u8>) -> io::Result<Option<u64>> {
        piece.clear();
        piece.append(&mut self.tail);
        loop {
            let before = piece.len();
            if self.input.by_ref().take(PIECE_BYTES).read_to_end(piece)? == 0 {
                break;
            }
            // What came before has no line end.
            let end = piece.get(before..).and_then(|read| memrchr(b'\n', read));
            if let Some(end) = end {
                self.tail = piece.split_off(before + end + 1);
                break;
            }
        }
        if piece.is_empty() {
            return Ok(None);
        }
        self.taken += 1;
        Ok(Some(self.taken - 1))
    }
}

/// Whose piece is handed on next.
struct Turns<F> {
    state: Mutex<Handing<F>>,
    changed: Condvar,
}

/// What has been handed on.
struct Handing<F> {
    each: F,
    next: u64,
    lines: u64,
    offset_bytes: u64,
    ended: Option<Ended>,
}

/// Why nothing more is handed on.
enum Ended {
    /// The input cannot be read on.
    Unread(io::Error),
    /// Whoever takes the lines has failed.
    Refused(anyhow::Error),
    /// A thread has panicked; its panic is told when the threads are joined.
    Panicked,
}

impl<F> Turns<F>
where
    F: FnMut(&Line<'_>, Result<ScannedLine<'_>, LineError>) -> Result<()> + Send,
{
    /// One thread: takes, scans and hands on pieces until there is none.
    fn work(&self, input: &Mutex<Pieces>) {
        let _release = ReleaseOnPanic(self);
        let mut piece = Vec::new();
        loop {
            let next = input.lock().unwrap_or_else(PoisonError::into_inner).next(&mut piece);
            let number = match next {
                Ok(Some(number)) => number,
                Ok(None) => return,
                Err(error) => return self.end(Ended::Unread(error)),
            };
            let scanned: Vec<_> = lines(&piece).map(|line| (line, scan_line(line.bytes))).collect();
            let mut handing = self.wait_for(number);
            if handing.ended.is_some() {
                return;
            }
            if let Err(error) = handing.hand_on(scanned) {
                handing.ended = Some(Ended::Refused(error));
            }
            handing.next += 1;
            drop(handing);
            self.changed.notify_all();
        }
    }

    /// Waits until a piece is the next, or nothing more is handed on.
    fn wait_for(&self, number: u64) -> MutexGuard<'_, Handing<F>> {
        let handing = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = |handing: &mut Handing<F>| handing.next != number && handing.ended.is_none();
        self.changed.wait_while(handing, is_early).unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> Turns<F> {
    fn end(&self, ended: Ended) {
        let mut handing = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        handing.ended.get_or_insert(ended);
        drop(handing);
        self.changed.notify_all();
    }
}

impl<F> Handing<F>
where
    F: FnMut(&Line<'_>, Result<ScannedLine<'_>, LineError>) -> Result<()>,
{
    /// Hands on the lines of the next piece, with their places in the whole.
    fn hand_on(
        &mut self,
        scanned: Vec<(Line<'_>, Result<ScannedLine<'_>, LineError>)>,
    ) -> Result<()> {
        for (line, scanned) in scanned {
            self.lines += 1;
            let line = Line { number: self.lines, offset_bytes: self.offset_bytes, ..line };
            self.offset_bytes += line.len_bytes();
            (self.each)(&line, scanned)?;
        }
        Ok(())
    }
}

/// Ends the waiting of the others when a thread panics: its piece will never be handed on.
struct ReleaseOnPanic<'a, F>(&'a Turns<F>);

impl<F> Drop for ReleaseOnPanic<'_, F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(Ended::Panicked);
        }
    }
}

/// The lines of a piece, without their places.
fn lines(piece: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let line =
        |bytes, terminated| Line { number: 0, offset_bytes: 0, bytes, terminated, elided_bytes: 0 };
    let mut start = 0;
    let whole = memchr_iter(b'\n', piece).filter_map(move |end| {
        let bytes = piece.get(start..end);
        start = end + 1;
        bytes.map(|bytes| line(bytes, true))
    });
    let last = memrchr(b'\n', piece).map_or(0, |end| end + 1);
    let last = piece.get(last..).filter(|bytes| !bytes.is_empty());
    whole.chain(last.map(|bytes| line(bytes, false)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;
    use tempfile::NamedTempFile;

    use super::*;
    use crate::progress::Quiet;

    type Seen = (u64, u64, Vec<u8>, bool, bool);

    fn file(content: &[u8]) -> (NamedTempFile, Source) {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let source = Source::File(file.path().to_owned());
        (file, source)
    }

    fn scan(source: &Source, threads: usize) -> Vec<Seen> {
        let mut seen = Vec::new();
        let threads = Threads(NonZeroUsize::new(threads).unwrap());
        for_each_scanned(source, threads, &Progress::new(Quiet::Yes), |line, scanned| {
            let Line { number, offset_bytes, bytes, terminated, .. } = *line;
            seen.push((number, offset_bytes, bytes.to_vec(), terminated, scanned.is_ok()));
            Ok(())
        })
        .unwrap();
        seen
    }

    fn framed(source: &Source) -> Vec<Seen> {
        let mut seen = Vec::new();
        source
            .for_each_line(&Progress::new(Quiet::Yes), |line| {
                let is_record = scan_line(line.bytes).is_ok();
                let Line { number, offset_bytes, bytes, terminated, .. } = line;
                seen.push((number, offset_bytes, bytes.to_vec(), terminated, is_record));
                Ok(())
            })
            .unwrap();
        seen
    }

    const RECORD: &[u8] = br#"["raft_log",{"NodeId":1}]"#;

    #[test]
    fn lines_of_many_pieces_come_in_order() {
        let mut content = Vec::new();
        for number in 0..60_000_u64 {
            if number.is_multiple_of(7) {
                content.extend(RECORD);
            }
            content.extend(vec![b'x'; (number % 211) as usize]);
            content.push(b'\n');
        }
        // A line that is longer than several pieces, and a last one without an end.
        content.extend(vec![b'y'; 3 << 20]);
        content.extend(b"\nend");
        let (_file, source) = file(&content);
        let expected = framed(&source);
        assert_eq!(expected.len(), 60_002);
        for threads in [1, 2, 3, 8] {
            assert!(scan(&source, threads) == expected, "{threads} threads");
        }
    }

    #[test]
    fn the_first_error_ends_it() {
        let content = b"a line\n".repeat(1 << 20);
        let (_file, source) = file(&content);
        for threads in [1, 2, 8] {
            let mut taken = 0;
            let threads = Threads(NonZeroUsize::new(threads).unwrap());
            let progress = Progress::new(Quiet::Yes);
            let ended = for_each_scanned(&source, threads, &progress, |line, _| {
                taken += 1;
                anyhow::ensure!(line.number < 300_000, "line {}", line.number);
                Ok(())
            });
            assert_eq!(ended.unwrap_err().to_string(), "line 300000");
            assert_eq!(taken, 300_000);
        }
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_of_a_thread_is_not_waited_for() {
        let content = b"a line\n".repeat(1 << 20);
        let (_file, source) = file(&content);
        let own = std::thread::current().id();
        let threads = Threads(NonZeroUsize::new(4).unwrap());
        let _ = for_each_scanned(&source, threads, &Progress::new(Quiet::Yes), |_, _| {
            assert_eq!(std::thread::current().id(), own);
            Ok(())
        });
    }

    proptest! {
        #[test]
        fn small_inputs_are_framed_as_by_one_thread(
            content in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'a')], 0..40),
            threads in 1..4_usize,
        ) {
            let (_file, source) = file(&content);
            prop_assert_eq!(scan(&source, threads), framed(&source));
        }
    }
}
