//! Progress on stderr when it is a terminal, one line at the end otherwise.

use std::io::{self, IsTerminal, Read};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::diagnostics;

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(200);

/// What is reported on stderr while and after a command works.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    /// A bar when stderr is a terminal; `quiet` silences everything but errors.
    pub fn new(quiet: Quiet) -> Self {
        let quiet = quiet == Quiet::Yes;
        let bar = if quiet || !diagnostics::take_a_bar() {
            ProgressBar::hidden()
        } else {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
            bar.set_style(spinner());
            tick(&bar);
            bar
        };
        Self { bar, quiet }
    }

    /// The same without a bar, for what goes on beside the work that has it.
    #[must_use]
    pub fn aside(&self) -> Self {
        Self { bar: ProgressBar::hidden(), quiet: self.quiet }
    }

    /// How many bytes will be read.
    pub fn expect_bytes(&self, bytes: u64) {
        self.bar.reset();
        self.bar.set_length(bytes);
        self.bar.set_style(bytes_bar());
    }

    /// Draws no bar any more: the terminal is somebody else's.
    pub fn hide(&self) {
        self.bar.finish_and_clear();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Draws no bar any more if stdout is a terminal: results go there while the work goes on.
    pub fn give_way(&self) {
        if io::stdout().is_terminal() {
            self.hide();
        }
    }

    /// Says what is being done.
    pub fn phase(&self, what: &'static str) {
        self.bar.set_message(what);
    }

    /// Counts what is read from `input`.
    pub fn watch<R: Read>(&self, input: R) -> impl Read + use<R> {
        self.bar.wrap_read(input)
    }

    /// Counts bytes.
    pub fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Prints a line that stays. When stderr cannot be written, the work goes on.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| diagnostics::say(line));
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Whether to be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// Errors only.
    Yes,
    /// Progress and summaries too.
    No,
}

/// Moves the bar while nothing else does, until it is finished. The library does the same, but
/// panics when there is no thread for it.
fn tick(bar: &ProgressBar) {
    let weak = bar.downgrade();
    let ticking = move || {
        while let Some(bar) = weak.upgrade().filter(|bar| !bar.is_finished()) {
            bar.tick();
            drop(bar);
            thread::sleep(TICK);
        }
    };
    // Without a thread it only moves when there is progress.
    let _ = thread::Builder::new().name("progress".to_owned()).spawn(ticking);
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg} {bytes} {bytes_per_sec}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn bytes_bar() -> ProgressStyle {
    ProgressStyle::with_template(
        "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
    .progress_chars("=> ")
}
