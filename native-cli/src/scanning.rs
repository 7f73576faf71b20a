//! Scans the lines of a dump on several threads, and hands them on in their order.
//!
//! ```text
//! input ─► piece ─► thread: scans its lines ─┐
//!       ─► piece ─► thread: scans its lines ─┴─► each line, when it is its piece's turn
//! ```
//!
//! Each thread takes the next piece of whole lines, scans it, waits until all pieces before it have
//! been handed on, and hands on its own. What takes the lines sees what a single thread would show
//! it: the same lines in the same order. What only needs the bytes, as a hash does, has a turn of its
//! own behind that, so that the lines of the next piece do not wait for it.

mod pieces;

use std::io;
use std::marker::PhantomData;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use metadump::Line;
use metadump::scan::{LineError, ScannedLine, scan_line};

use self::pieces::{Next, Piece, Pieces, lines};
use crate::input::Source;
use crate::progress::Progress;

pub use crate::threads::Threads;

/// How much is scanned at a time.
const PIECE_BYTES: usize = 256 << 10;

/// How many lines are scanned before they are handed on: what is known of a line takes more memory
/// than a short line.
const BATCH_LINES: usize = 8192;

/// What a line is.
pub type Scanned<'l> = Result<ScannedLine<'l>, LineError>;

/// What is made of a line on the thread that reads it, while others are handed on.
trait Make: Sync {
    type Made<'l>;

    fn of<'l>(&self, line: &Line<'l>) -> Self::Made<'l>;
}

/// What a line is, and what somebody makes of that.
struct Scan<F, T>(F, PhantomData<fn() -> T>);

impl<F: Fn(&Line<'_>, &Scanned<'_>) -> T + Sync, T> Make for Scan<F, T> {
    type Made<'l> = (Scanned<'l>, Option<T>);

    fn of<'l>(&self, line: &Line<'l>) -> Self::Made<'l> {
        let scanned = scan_line(line.bytes);
        let made = (self.0)(line, &scanned);
        (scanned, Some(made))
    }
}

/// The same, but for lines that somebody does not want, of which nothing is made.
struct ScanWanted<W, F, T>(W, Scan<F, T>);

impl<W, F, T> Make for ScanWanted<W, F, T>
where
    W: Fn(&[u8]) -> bool + Sync,
    F: Fn(&Line<'_>, &Scanned<'_>) -> T + Sync,
{
    type Made<'l> = Option<(Scanned<'l>, Option<T>)>;

    fn of<'l>(&self, line: &Line<'l>) -> Self::Made<'l> {
        (self.0)(line.bytes).then(|| self.1.of(line))
    }
}

/// What somebody makes of a line without knowing what it is.
struct Plain<F, T>(F, PhantomData<fn() -> T>);

impl<F: Fn(&Line<'_>) -> T + Sync, T> Make for Plain<F, T> {
    type Made<'l> = Option<T>;

    fn of<'l>(&self, line: &Line<'l>) -> Option<T> {
        Some((self.0)(line))
    }
}

/// Reads all lines, calling `each` with every one in order, with what it is, and with what `prepare`
/// makes of it on the thread that scans it.
///
/// # Errors
///
/// When the input cannot be read, and the first error of `each`.
pub fn for_each_prepared<T: Send>(
    source: &Source,
    threads: Threads,
    progress: &Progress,
    prepare: impl Fn(&Scanned<'_>) -> T + Sync,
    each: impl FnMut(&Line<'_>, &Scanned<'_>, T) -> Result<()> + Send,
) -> Result<()> {
    for_each_beside(source, threads, progress, |_, scanned| prepare(scanned), each, |_| ())
}

/// The same, but of lines that are not `wanted` only where they are.
///
/// # Errors
///
/// As [`for_each_prepared`].
pub fn for_each_wanted<T: Send>(
    source: &Source,
    threads: Threads,
    progress: &Progress,
    wanted: impl Fn(&[u8]) -> bool + Sync,
    prepare: impl Fn(&Scanned<'_>) -> T + Sync,
    mut each: impl FnMut(&Line<'_>, Option<(&Scanned<'_>, T)>) -> Result<()> + Send,
) -> Result<()> {
    let prepare = |_: &Line<'_>, scanned: &Scanned<'_>| prepare(scanned);
    let make = ScanWanted(wanted, Scan(prepare, PhantomData));
    let each = move |line: &Line<'_>, made: &mut Option<(Scanned<'_>, Option<T>)>| {
        let made = made.as_mut().and_then(|(scanned, made)| Some((&*scanned, made.take()?)));
        each(line, made)
    };
    read(source, threads, progress, make, each, |_| ())
}

/// [`for_each_prepared`], with what `make` makes of each line and its bytes, too; its number is not known yet.
/// `beside` sees all bytes of the lines, line ends included, in their order, while the lines behind them
/// are handed on. It may not see all when something fails.
///
/// # Errors
///
/// As [`for_each_prepared`].
pub fn for_each_beside<T: Send>(
    source: &Source,
    threads: Threads,
    progress: &Progress,
    make: impl Fn(&Line<'_>, &Scanned<'_>) -> T + Sync,
    mut each: impl FnMut(&Line<'_>, &Scanned<'_>, T) -> Result<()> + Send,
    beside: impl FnMut(&[u8]) + Send,
) -> Result<()> {
    let each = move |line: &Line<'_>, (scanned, made): &mut (Scanned<'_>, Option<T>)| {
        made.take().map_or(Ok(()), |made| each(line, scanned, made))
    };
    read(source, threads, progress, Scan(make, PhantomData), each, beside)
}

/// The same of lines that are not scanned: what `make` makes of each, its number is not known yet, and all
/// bytes.
///
/// # Errors
///
/// As [`for_each_prepared`].
pub fn for_each_line<T: Send>(
    source: &Source,
    threads: Threads,
    progress: &Progress,
    make: impl Fn(&Line<'_>) -> T + Sync,
    mut each: impl FnMut(&Line<'_>, T) -> Result<()> + Send,
    beside: impl FnMut(&[u8]) + Send,
) -> Result<()> {
    let each = move |line: &Line<'_>, made: &mut Option<T>| {
        made.take().map_or(Ok(()), |made| each(line, made))
    };
    read(source, threads, progress, Plain(make, PhantomData), each, beside)
}

fn read<M: Make>(
    source: &Source,
    threads: Threads,
    progress: &Progress,
    make: M,
    each: impl FnMut(&Line<'_>, &mut M::Made<'_>) -> Result<()> + Send,
    beside: impl FnMut(&[u8]) + Send,
) -> Result<()> {
    let (pieces, is_short) = Pieces::measured(source.read(progress)?, threads.share(PIECE_BYTES))
        .map_err(|error| source.unread(error))?;
    let input = Mutex::new(pieces);
    let turns = Turns {
        state: Mutex::new(Handing { each, next: 0, lines: 0, ended: None }),
        changed: Condvar::new(),
        beside: Mutex::new(Beside { take: beside, next: 0, has_ended: false }),
        beside_changed: Condvar::new(),
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
struct Turns<M, F, B> {
    state: Mutex<Handing<F>>,
    changed: Condvar,
    beside: Mutex<Beside<B>>,
    beside_changed: Condvar,
    batch_lines: usize,
    make: M,
}

/// What has been handed on.
struct Handing<F> {
    each: F,
    next: u64,
    lines: u64,
    ended: Option<Ended>,
}

/// Which bytes have been seen.
struct Beside<B> {
    take: B,
    next: u64,
    has_ended: bool,
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

impl<M: Make, F, B: FnMut(&[u8])> Turns<M, F, B>
where
    F: FnMut(&Line<'_>, &mut M::Made<'_>) -> Result<()>,
{
    /// One thread: takes, scans and hands on pieces until there is none.
    fn work(&self, input: &Mutex<Pieces>) {
        let _release = ReleaseOnPanic(self);
        let mut piece = Piece::default();
        let mut last_lines = 0;
        loop {
            let mut pieces = input.lock().unwrap_or_else(PoisonError::into_inner);
            let next = pieces.next(&mut piece);
            let number = pieces.take_number();
            let handed_on = match next {
                Ok(Next::Lines) => {
                    drop(pieces);
                    self.hand_on(number, &piece, &mut last_lines)
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
    /// `last_lines` is how many the last batch of the thread had.
    fn hand_on(&self, number: u64, piece: &Piece, last_lines: &mut usize) -> Option<()> {
        let mut lines = lines(piece);
        loop {
            let batch = lines.by_ref().take(self.batch_lines);
            // What is known of a line is large: it is not moved to make room for the next, nor to hand
            // it on. A piece has about as many lines as the one before.
            let mut made = Vec::with_capacity(*last_lines + *last_lines / 8);
            made.extend(batch.map(|line| self.made(line)));
            *last_lines = made.len();
            let is_last = made.len() < self.batch_lines;
            let mut handing = self.wait_for(number)?;
            handing.hand_on::<M>(made);
            if is_last || handing.ended.is_some() {
                self.next(handing)?;
                let mut beside = self.wait_beside(number)?;
                (beside.take)(piece.bytes());
                self.next_beside(beside);
                return Some(());
            }
        }
    }

    /// Reads, scans and hands on a long line.
    fn hand_on_long(&self, number: u64, pieces: &mut Pieces, piece: &mut Piece) -> Option<()> {
        let read = pieces.long_line(piece, |line| {
            let made = self.made(line);
            let line = made.0;
            if let Some(mut handing) = self.wait_for(number) {
                handing.hand_on::<M>(vec![made]);
            }
            if let Some(mut beside) = self.wait_beside(number) {
                (beside.take)(line.bytes);
                (beside.take)(if line.terminated { b"\n" } else { b"" });
            }
        });
        if let Err(error) = read {
            self.end(Ended::Unread(error));
        }
        match self.wait_for(number) {
            Some(handing) => {
                self.next(handing)?;
                self.next_beside(self.wait_beside(number)?);
                Some(())
            }
            None => {
                self.release();
                None
            }
        }
    }

    fn made<'l>(&self, line: Line<'l>) -> (Line<'l>, M::Made<'l>) {
        let made = self.make.of(&line);
        (line, made)
    }

    /// It is the turn of the next piece.
    fn next(&self, mut handing: MutexGuard<'_, Handing<F>>) -> Option<()> {
        handing.next += 1;
        let goes_on = handing.ended.is_none();
        drop(handing);
        if goes_on {
            self.changed.notify_all();
            return Some(());
        }
        self.release();
        None
    }

    /// It is the turn of the bytes of the next piece.
    fn next_beside(&self, mut beside: MutexGuard<'_, Beside<B>>) {
        beside.next += 1;
        drop(beside);
        self.beside_changed.notify_all();
    }

    /// Waits until the bytes of a piece are the next; none when no more are seen.
    fn wait_beside(&self, number: u64) -> Option<MutexGuard<'_, Beside<B>>> {
        let beside = self.beside.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = |beside: &mut Beside<B>| beside.next != number && !beside.has_ended;
        let beside = self
            .beside_changed
            .wait_while(beside, is_early)
            .unwrap_or_else(PoisonError::into_inner);
        (!beside.has_ended).then_some(beside)
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

impl<M, F, B> Turns<M, F, B> {
    fn end(&self, ended: Ended) {
        let mut handing = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        handing.ended.get_or_insert(ended);
        drop(handing);
        self.release();
    }

    /// Ends the waiting of all others: nothing more is handed on.
    fn release(&self) {
        self.beside.lock().unwrap_or_else(PoisonError::into_inner).has_ended = true;
        self.changed.notify_all();
        self.beside_changed.notify_all();
    }
}

impl<F> Handing<F> {
    /// Hands on lines of the next piece, with their numbers, up to the first error.
    fn hand_on<'l, M: Make>(&mut self, mut lines: Vec<(Line<'l>, M::Made<'l>)>)
    where
        F: FnMut(&Line<'_>, &mut M::Made<'_>) -> Result<()>,
    {
        for (line, made) in &mut lines {
            self.lines += 1;
            let line = line.at(self.lines, line.offset_bytes);
            if let Err(error) = (self.each)(&line, made) {
                self.ended = Some(Ended::Refused(error));
                return;
            }
        }
    }
}

/// Ends the waiting of the others when a thread panics: its piece will never be handed on.
struct ReleaseOnPanic<'a, M, F, B>(&'a Turns<M, F, B>);

impl<M, F, B> Drop for ReleaseOnPanic<'_, M, F, B> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(Ended::Panicked);
        }
    }
}

#[cfg(test)]
mod tests;
