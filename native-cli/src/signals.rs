//! The signals that end the process: a service ends in its own time, and whatever else runs leaves
//! nothing behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use anyhow::{Context, Result};
use futures_util::future::OptionFuture;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals as Caught;
use signal_hook::low_level::{emulate_default_handler, signal_name};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::diagnostics;
use crate::open_dir::remove_all;

/// What ends a process that does not catch it.
const ENDING: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// How often the removal of a directory is tried while others still write into it.
const REMOVALS: usize = 5;

/// What is removed when a signal ends the process, by number.
static DOOMED: Mutex<BTreeMap<u64, Leftover>> = Mutex::new(BTreeMap::new());

/// The number of the next.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Held by what must not be interrupted half-way.
static UNDISTURBED: Mutex<()> = Mutex::new(());

/// How far a process has come.
type Words = Box<dyn Fn() -> String + Send>;

/// What is asked when a signal ends the process.
static LAST_WORDS: Mutex<Option<Words>> = Mutex::new(None);

/// Whether what the process is for is done.
static COMPLETE: AtomicBool = AtomicBool::new(false);

/// Whether a signal has come since.
static IS_LATE: AtomicBool = AtomicBool::new(false);

/// Whether SIGINT, SIGTERM and SIGHUP are how the process is meant to end.
static ENDS_WELL: AtomicBool = AtomicBool::new(false);

/// Whether a service waits for SIGINT, SIGTERM and SIGHUP itself.
static ORDERLY: AtomicBool = AtomicBool::new(false);

/// What a killed process would leave.
#[derive(Debug)]
enum Leftover {
    File(PathBuf),
    Dir(PathBuf),
    EmptyDir(PathBuf),
}

impl Leftover {
    /// A failure leaves it where it is: the next run finds it.
    fn remove(&self) {
        match self {
            Self::File(path) => {
                let _ = fs::remove_file(path);
            }
            Self::EmptyDir(path) => {
                let _ = fs::remove_dir(path);
            }
            Self::Dir(path) => {
                let _ = (0..REMOVALS).any(|_| remove_all(path).is_ok());
            }
        }
    }
}

/// Something that a signal removes before it ends the process, until this is dropped.
#[derive(Debug)]
pub struct Doomed(u64);

impl Doomed {
    /// A file.
    pub fn file(path: &Path) -> Self {
        Self::add(Leftover::File(absolute(path)))
    }

    /// A directory with all that is in it.
    pub fn dir(path: &Path) -> Self {
        Self::add(Leftover::Dir(absolute(path)))
    }

    /// A directory, if nothing is in it once what was doomed before is gone.
    pub fn empty_dir(path: &Path) -> Self {
        Self::add(Leftover::EmptyDir(absolute(path)))
    }

    fn add(leftover: Leftover) -> Self {
        catch_once();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        DOOMED.lock().unwrap_or_else(PoisonError::into_inner).insert(number, leftover);
        Self(number)
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        DOOMED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// What is said when a signal ends the process, until this is dropped: how far it has come.
#[derive(Debug)]
pub struct LastWords(());

impl LastWords {
    /// Has a signal ask for the words, which may be several lines.
    pub fn ask(words: impl Fn() -> String + Send + 'static) -> Self {
        catch_once();
        *last_words() = Some(Box::new(words));
        Self(())
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        *last_words() = None;
    }
}

fn last_words() -> MutexGuard<'static, Option<Words>> {
    LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As long as this is held, a signal waits.
#[derive(Debug)]
pub struct Deferred(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Deferred {
    /// What the process is for is done: from now on a signal lets it end by itself and say what it
    /// has done, unless a second one comes.
    pub fn complete(self) {
        COMPLETE.store(true, Ordering::SeqCst);
    }
}

/// From now on the process is one that runs until a signal ends it, which is a success; what is
/// doomed is removed all the same.
pub fn end_well() {
    catch_once();
    ENDS_WELL.store(true, Ordering::SeqCst);
}

/// Lets signals wait; only for what takes a moment.
pub fn defer() -> Deferred {
    Deferred(UNDISTURBED.lock().unwrap_or_else(PoisonError::into_inner))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Has writes beyond the limit of `ulimit -f` fail with an error in place of ending the process.
pub fn survive_file_size_limit() {
    // The flag is of no use: the write itself says what is wrong.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// Starts the thread that removes what is doomed. Without it, for want of a thread, the next run
/// cleans up.
fn catch_once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A caught signal that no thread waits for would end nothing: the thread comes first.
        let (ready, caught) = sync_channel::<()>(0);
        let thread = std::thread::Builder::new().name("signals".to_owned());
        let started = thread.spawn(move || {
            let ignored = ignored();
            let wanted = ENDING.iter().filter(|signal| !ignored.contains(signal));
            let Ok(mut signals) = Caught::new(wanted) else { return };
            drop(ready);
            for signal in &mut signals {
                if !(ORDERLY.load(Ordering::SeqCst) && is_orderly(signal)) {
                    end(signal);
                }
            }
        });
        if started.is_ok() {
            // It ends when the signals are caught.
            let _ = caught.recv();
        }
    });
}

/// Removes what is doomed and lets the signal do what it does.
fn end(signal: i32) {
    let _undisturbed = defer();
    // What each piece of the work has completed says nothing of the next.
    let ends_well = ENDS_WELL.load(Ordering::SeqCst) && is_orderly(signal);
    if !ends_well && COMPLETE.load(Ordering::SeqCst) {
        if IS_LATE.swap(true, Ordering::SeqCst) {
            let _ = emulate_default_handler(signal);
        }
        return;
    }
    // Held to the end: nothing gets a final name any more by what is dropped meanwhile.
    let doomed = DOOMED.lock().unwrap_or_else(PoisonError::into_inner);
    doomed.values().for_each(Leftover::remove);
    let name = signal_name(signal).unwrap_or("a signal");
    if ends_well {
        diagnostics::say(&format!("ended by {name}; what was not complete is discarded"));
        std::process::exit(0);
    }
    let words = last_words().as_ref().map(|words| words());
    let words = words.unwrap_or_else(|| "partial files are removed".to_owned());
    diagnostics::say(&format!("error: interrupted by {name}; {words}"));
    let _ = emulate_default_handler(signal);
}

/// The signals that whoever started the process wants ignored, as `nohup` does.
fn ignored() -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ENDING.into_iter().filter(|signal| mask >> (signal - 1) & 1 == 1).collect()
}

fn is_orderly(signal: i32) -> bool {
    matches!(signal, SIGINT | SIGTERM | SIGHUP)
}

/// SIGINT, SIGTERM and SIGHUP for a service; from when they are caught on, none ends the process.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// None when whoever started the process wants it ignored.
    hang_up: Option<Signal>,
}

impl Signals {
    /// Catches them.
    ///
    /// # Errors
    ///
    /// When the operating system does not let them be caught.
    pub fn catch() -> Result<Self> {
        let interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
        let terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
        let wants_hang_up = !ignored().contains(&SIGHUP);
        let hang_up = wants_hang_up.then(|| signal(SignalKind::hangup())).transpose();
        let hang_up = hang_up.context("cannot wait for SIGHUP")?;
        ORDERLY.store(true, Ordering::SeqCst);
        Ok(Self { interrupt, terminate, hang_up })
    }

    /// Waits for one of them.
    pub async fn next(&mut self) {
        let hang_up = self.hang_up.as_mut().map(Signal::recv);
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            Some(_) = OptionFuture::from(hang_up) => {}
        }
    }
}
