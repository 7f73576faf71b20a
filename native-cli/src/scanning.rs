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

mod pieces;

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use metadump::Line;
use metadump::scan::{LineError, ScannedLine, scan_line};

use self::pieces::{Next, Pieces, lines};
use crate::input::Source;
use crate::progress::Progress;

pub use crate::threads::Threads;

/// How much is scanned at a time.
const PIECE_BYTES: usize = 1 << 20;

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
    for_each_made(source, threads, progress, |_, scanned| prepare(scanned), each)
}

/// The same, with what `make` makes of each line and its bytes; where it stands is not known yet.
///
/// # Errors
///
/// As [`for_each_scanned`].
pub fn for_each_made<T: Send>(
    source: &Source,
    threads: Threads,
    progress: &Progress,
    make: impl Fn(&Line<'_>, &Scanned<'_>) -> T + Sync,
    each: impl FnMut(&Line<'_>, Scanned<'_>, T) -> Result<()> + Send,
) -> Result<()> {
    let (pieces, is_short) = Pieces::measured(source.read(progress)?, threads.share(PIECE_BYTES))
        .map_err(|error| source.unread(error))?;
    let input = Mutex::new(pieces);
    let turns = Turns {
        state: Mutex::new(Handing { each, next: 0, lines: 0, offset_bytes: 0, ended: None }),
        changed: Condvar::new(),
        batch_lines: threads.share(BATCH_LINES).max(1),
        make,
    };
    std::thread::scope(|scope| {
        // What is one piece takes less time than a thread takes to start.
        let helpers = if is_short { 0 } else { threads.count() - 1 };
        for _ in 0..helpers {
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

/// Whose piece is handed on next.
struct Turns<P, F> {
    state: Mutex<Handing<F>>,
    changed: Condvar,
    batch_lines: usize,
    make: P,
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
    /// A thread has panicked; its panic is reported when the threads are joined.
    Panicked,
}

impl<P, F> Turns<P, F> {
    /// One thread: takes, scans and hands on pieces until there is none.
    fn work<T>(&self, input: &Mutex<Pieces>)
    where
        P: Fn(&Line<'_>, &Scanned<'_>) -> T,
        F: FnMut(&Line<'_>, Scanned<'_>, T) -> Result<()> + Send,
    {
        let _release = ReleaseOnPanic(self);
        let mut piece = Vec::new();
        loop {
            let mut pieces = input.lock().unwrap_or_else(PoisonError::into_inner);
            let next = pieces.next(&mut piece);
            let number = pieces.take_number();
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
        P: Fn(&Line<'_>, &Scanned<'_>) -> T,
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
        P: Fn(&Line<'_>, &Scanned<'_>) -> T,
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
        P: Fn(&Line<'_>, &Scanned<'_>) -> T,
    {
        let scanned = scan_line(line.bytes);
        let prepared = (self.make)(&line, &scanned);
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
            let line = line.at(self.lines, self.offset_bytes);
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

#[cfg(test)]
mod tests;
