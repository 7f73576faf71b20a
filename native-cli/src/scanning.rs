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
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use memchr::{memchr, memchr_iter, memrchr};
use metadump::scan::{LineError, ScannedLine, scan_line};
use metadump::{Line, LineFramer};

use crate::input::Source;
use crate::progress::Progress;
use crate::unpacking::read_some;

pub use crate::threads::Threads;

/// How much is scanned at a time.
const PIECE_BYTES: usize = 1 << 20;

/// A line of more pieces than this is read and scanned while nobody else reads.
const LONG_PIECES: usize = 4;

/// How many lines are scanned before they are handed on: what is known of a line takes more memory
/// than a short line.
const BATCH_LINES: usize = 8192;

/// What a line is.
pub type Scanned<'l> = Result<ScannedLine<'l>, LineError>;

/// Reads all lines, calling `each` with every one in order, and with what it is.
///
/// # Errors
///
/// When the input cannot be read, and the first error of `each`.
pub fn for_each_scanned(
    source: &Source,
    threads: Threads,
    progress: &Progress,
    mut each: impl FnMut(&Line<'_>, Result<ScannedLine<'_>, LineError>) -> Result<()> + Send,
) -> Result<()> {
    let each = |line: &Line<'_>, scanned: Scanned<'_>, ()| each(line, scanned);
    for_each_prepared(source, threads, progress, |_| (), each)
}

/// The same, with what `prepare` makes of each line on the thread that scans it.
///
/// # Errors
///
/// As [`for_each_scanned`].
pub fn for_each_prepared<T: Send>(
    source: &Source,
    threads: Threads,
    progress: &Progress,
    prepare: impl Fn(&Scanned<'_>) -> T + Sync,
    each: impl FnMut(&Line<'_>, Scanned<'_>, T) -> Result<()> + Send,
) -> Result<()> {
    let piece_bytes = threads.share(PIECE_BYTES);
    let input = Mutex::new(Pieces {
        input: source.read(progress)?,
        piece_bytes,
        tail: Vec::new(),
        taken: 0,
        ended: false,
    });
    let turns = Turns {
        state: Mutex::new(Handing { each, next: 0, lines: 0, offset_bytes: 0, ended: None }),
        changed: Condvar::new(),
        batch_lines: threads.share(BATCH_LINES).max(1),
        prepare,
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.count() {
            let spawned = std::thread::Builder::new().spawn_scoped(scope, || turns.work(&input));
            if spawned.is_err() {
                // The system has no more threads; those that there are do it.
                break;
            }
        }
        turns.work(&input);
    });
    let handing = turns.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match handing.ended {
        Some(Ended::Unread(error)) => Err(source.unread(error)),
        Some(Ended::Refused(error)) => Err(error),
        Some(Ended::Panicked) | None => Ok(()),
    }
}

/// The input in pieces of whole lines.
struct Pieces {
    input: Box<dyn Read + Send>,
    piece_bytes: usize,
    /// The beginning of a line whose end has not been read yet.
    tail: Vec<u8>,
    taken: u64,
    /// Whether a line was too long to be read on.
    ended: bool,
}

/// What is next in the input.
enum Next {
    /// Whole lines.
    Lines,
    /// The beginning of a line of many pieces.
    LongLine,
    /// Nothing.
    End,
}

impl Pieces {
    /// Puts the next piece into `piece`.
    fn next(&mut self, piece: &mut Vec<u8>) -> io::Result<Next> {
        // What a long line took is given back.
        piece.clear();
        piece.shrink_to(2 * LONG_PIECES * self.piece_bytes);
        piece.append(&mut self.tail);
        if self.ended {
            return Ok(Next::End);
        }
        loop {
            let before = piece.len();
            let most = self.piece_bytes as u64;
            if self.input.by_ref().take(most).read_to_end(piece)? == 0 {
                return Ok(if piece.is_empty() { Next::End } else { Next::Lines });
            }
            // What came before has no line end.
            let end = piece.get(before..).and_then(|read| memrchr(b'\n', read));
            if let Some(end) = end {
                self.tail = piece.split_off(before + end + 1);
                return Ok(Next::Lines);
            }
            if piece.len() > LONG_PIECES * self.piece_bytes {
                return Ok(Next::LongLine);
            }
        }
    }

    /// Reads a long line to its end. It is the same `LineFramer` that says of how long a line how
    /// much is held.
    fn long_line(&mut self, piece: &mut Vec<u8>, mut each: impl FnMut(Line<'_>)) -> io::Result<()> {
        let mut each = |line: Line<'_>| -> Result<(), std::convert::Infallible> {
            each(line);
            Ok(())
        };
        let mut framer = LineFramer::default();
        let Ok(()) = framer.feed(piece, &mut each);
        piece.resize(self.piece_bytes, 0);
        loop {
            let read = read_some(&mut self.input, piece)?;
            let read = piece.get(..read).unwrap_or_default();
            let end = memchr(b'\n', read).map(|end| end + 1);
            let (line, rest) = read.split_at_checked(end.unwrap_or(read.len())).unwrap_or_default();
            let Ok(()) = framer.feed(line, &mut each);
            self.ended = framer.has_ended();
            if read.is_empty() || self.ended {
                let Ok(()) = framer.finish(each);
                return Ok(());
            }
            if end.is_some() {
                self.tail.extend_from_slice(rest);
                return Ok(());
            }
        }
    }
}

/// Whose piece is handed on next.
struct Turns<P, F> {
    state: Mutex<Handing<F>>,
    changed: Condvar,
    batch_lines: usize,
    prepare: P,
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

impl<P, F> Turns<P, F> {
    /// One thread: takes, scans and hands on pieces until there is none.
    fn work<T>(&self, input: &Mutex<Pieces>)
    where
        P: Fn(&Scanned<'_>) -> T,
        F: FnMut(&Line<'_>, Scanned<'_>, T) -> Result<()> + Send,
    {
        let _release = ReleaseOnPanic(self);
        let mut piece = Vec::new();
        loop {
            let mut pieces = input.lock().unwrap_or_else(PoisonError::into_inner);
            let next = pieces.next(&mut piece);
            let number = pieces.taken;
            pieces.taken += 1;
            let handed_on = match next {
                Ok(Next::Lines) => {
                    drop(pieces);
                    self.hand_on(number, &piece)
                }
                // Nobody else reads meanwhile: one such line is in memory at a time.
                Ok(Next::LongLine) => self.hand_on_long(number, &mut pieces, &mut piece),
                Ok(Next::End) => return,
                Err(error) => return self.end(Ended::Unread(error)),
            };
            if handed_on.is_none() {
                return;
            }
        }
    }

    /// Scans and hands on the lines of a piece, a batch at a time; none when all has ended.
    fn hand_on<T>(&self, number: u64, piece: &[u8]) -> Option<()>
    where
        P: Fn(&Scanned<'_>) -> T,
        F: FnMut(&Line<'_>, Scanned<'_>, T) -> Result<()> + Send,
    {
        let mut lines = lines(piece);
        loop {
            let batch = lines.by_ref().take(self.batch_lines);
            let scanned: Vec<_> = batch.map(|line| self.scan(line)).collect();
            let is_last = scanned.len() < self.batch_lines;
            let mut handing = self.wait_for(number)?;
            handing.hand_on(scanned);
            if is_last || handing.ended.is_some() {
                return self.next(handing);
            }
        }
    }

    /// Reads, scans and hands on a long line.
    fn hand_on_long<T>(&self, number: u64, pieces: &mut Pieces, piece: &mut Vec<u8>) -> Option<()>
    where
        P: Fn(&Scanned<'_>) -> T,
        F: FnMut(&Line<'_>, Scanned<'_>, T) -> Result<()> + Send,
    {
        let read = pieces.long_line(piece, |line| {
            let scanned = self.scan(line);
            if let Some(mut handing) = self.wait_for(number) {
                handing.hand_on(vec![scanned]);
            }
        });
        if let Err(error) = read {
            self.end(Ended::Unread(error));
        }
        match self.wait_for(number) {
            Some(handing) => self.next(handing),
            None => {
                self.changed.notify_all();
                None
            }
        }
    }

    fn scan<'l, T>(&self, line: Line<'l>) -> (Line<'l>, Scanned<'l>, T)
    where
        P: Fn(&Scanned<'_>) -> T,
    {
        let scanned = scan_line(line.bytes);
        let prepared = (self.prepare)(&scanned);
        (line, scanned, prepared)
    }

    /// It is the turn of the next piece.
    fn next(&self, mut handing: MutexGuard<'_, Handing<F>>) -> Option<()> {
        handing.next += 1;
        let goes_on = handing.ended.is_none();
        drop(handing);
        self.changed.notify_all();
        goes_on.then_some(())
    }

    /// Waits until a piece is the next; none when nothing more is handed on.
    fn wait_for(&self, number: u64) -> Option<MutexGuard<'_, Handing<F>>> {
        let handing = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = |handing: &mut Handing<F>| handing.next != number && handing.ended.is_none();
        let handing =
            self.changed.wait_while(handing, is_early).unwrap_or_else(PoisonError::into_inner);
        handing.ended.is_none().then_some(handing)
    }
}

impl<P, F> Turns<P, F> {
    fn end(&self, ended: Ended) {
        let mut handing = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        handing.ended.get_or_insert(ended);
        drop(handing);
        self.changed.notify_all();
    }
}

impl<F> Handing<F> {
    /// Hands on lines of the next piece, with their places in the whole, up to the first error.
    fn hand_on<T>(&mut self, scanned: Vec<(Line<'_>, Scanned<'_>, T)>)
    where
        F: FnMut(&Line<'_>, Scanned<'_>, T) -> Result<()>,
    {
        for (line, scanned, prepared) in scanned {
            self.lines += 1;
            let line = line.behind(self.lines, self.offset_bytes);
            self.offset_bytes += line.len_bytes();
            if let Err(error) = (self.each)(&line, scanned, prepared) {
                self.ended = Some(Ended::Refused(error));
                return;
            }
        }
    }
}

/// Ends the waiting of the others when a thread panics: its piece will never be handed on.
struct ReleaseOnPanic<'a, P, F>(&'a Turns<P, F>);

impl<P, F> Drop for ReleaseOnPanic<'_, P, F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(Ended::Panicked);
        }
    }
}

/// The lines of a piece, without their places.
fn lines(piece: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let line = |bytes, terminated| Line::new(0, 0, bytes, terminated);
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
    use std::num::NonZeroUsize;
    use std::os::unix::fs::FileExt;

    use proptest::prelude::*;
    use tempfile::NamedTempFile;

    use super::*;
    use crate::progress::Quiet;

    type Seen = (u64, u64, Vec<u8>, bool, bool);

    fn file(content: &[u8]) -> (NamedTempFile, Source) {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let source = Source::open(Some(file.path())).unwrap();
        (file, source)
    }

    fn scan(source: &Source, threads: usize) -> Vec<Seen> {
        let mut seen = Vec::new();
        let threads = Threads::from(NonZeroUsize::new(threads).unwrap());
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
    fn long_lines_are_framed_as_by_one_thread() {
        let value = [&br#"["raft_log",["#[..], &b"1,".repeat(9 << 20), b"1]]"].concat();
        let garbage = vec![b'x'; 20 << 20];
        let content =
            [RECORD, &value, b"", &garbage, RECORD, &value[..6 << 20], &garbage].join(&b'\n');
        let (_file, source) = file(&content);
        let expected = framed(&source);
        // Of the garbage only the beginning is handed on.
        let lens: Vec<usize> = expected.iter().map(|(_, _, bytes, ..)| bytes.len()).collect();
        let held = 16 << 20;
        assert_eq!(lens, [25, value.len(), 0, held, 25, 6 << 20, held]);
        for threads in [1, 2, 8, 64] {
            assert!(scan(&source, threads) == expected, "{threads} threads");
        }
    }

    #[test]
    fn nothing_follows_a_line_that_is_too_long() {
        let (file, _) = file(b"one\ntwo\n");
        // The rest is a hole.
        file.as_file().set_len(8 + (513 << 20)).unwrap();
        file.as_file().write_all_at(b"\nmore\n", 7 + (513 << 20)).unwrap();
        let source = Source::open(Some(file.path())).unwrap();
        let expected =
            [(1, 0, 3, 4, true), (2, 4, 3, 4, true), (3, 8, 16 << 20, (512 << 20) + 1, false)];
        for threads in [1, 4] {
            let mut seen = Vec::new();
            let threads = Threads::from(NonZeroUsize::new(threads).unwrap());
            for_each_scanned(&source, threads, &Progress::new(Quiet::Yes), |line, _| {
                let Line { number, offset_bytes, bytes, terminated, .. } = *line;
                seen.push((number, offset_bytes, bytes.len(), line.len_bytes(), terminated));
                Ok(())
            })
            .unwrap();
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn the_first_error_ends_it() {
        let mut content = b"a line\n".repeat(1 << 20);
        content.extend(vec![b'x'; 18 << 20]);
        content.push(b'\n');
        content.extend(b"a line\n".repeat(1 << 20));
        let (_file, source) = file(&content);
        for (threads, end) in [(1, 300_000), (2, 300_000), (8, 300_000), (4, (1 << 20) + 1)] {
            let mut taken = 0;
            let threads = Threads::from(NonZeroUsize::new(threads).unwrap());
            let progress = Progress::new(Quiet::Yes);
            let ended = for_each_scanned(&source, threads, &progress, |line, _| {
                taken += 1;
                anyhow::ensure!(line.number < end, "line {}", line.number);
                Ok(())
            });
            assert_eq!(ended.unwrap_err().to_string(), format!("line {end}"));
            assert_eq!(taken, end);
        }
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_of_a_thread_is_not_waited_for() {
        let content = b"a line\n".repeat(1 << 20);
        let (_file, source) = file(&content);
        let own = std::thread::current().id();
        let threads = Threads::from(NonZeroUsize::new(4).unwrap());
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
