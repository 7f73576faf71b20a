//! On how many threads lines are scanned.

use std::num::NonZeroUsize;

use crate::report::plural;

/// More threads would wait for the one that hands on.
const MOST_THREADS: usize = 8;

/// More threads a core are not started, whoever asks for them.
const MOST_THREADS_A_CORE: usize = 4;

/// On how many threads a dump is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads(NonZeroUsize);

impl Threads {
    /// As many as are asked for, but no more than a few a core; or as there are cores.
    pub fn of_flag(asked: Option<NonZeroUsize>) -> Self {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let times = |many| NonZeroUsize::new(many).unwrap_or(NonZeroUsize::MIN);
        Self(match asked {
            Some(asked) => asked.min(cores.saturating_mul(times(MOST_THREADS_A_CORE))),
            None => cores.min(times(MOST_THREADS)),
        })
    }

    /// A word about threads that were asked for and are not started.
    pub fn remark(self, asked: Option<NonZeroUsize>) -> Option<String> {
        let Self(threads) = self;
        asked.filter(|asked| *asked > threads).map(|asked| {
            format!(
                "note: of {} only {threads} are started, {MOST_THREADS_A_CORE} for each core",
                plural(asked.get() as u64, "thread")
            )
        })
    }

    /// How many there are.
    pub const fn count(self) -> usize {
        self.0.get()
    }

    /// How much of `most` each thread gets, so that many take no more memory than a few.
    pub const fn share(self, most: usize) -> usize {
        if self.0.get() <= MOST_THREADS { most } else { most * MOST_THREADS / self.0.get() }
    }
}

impl From<NonZeroUsize> for Threads {
    fn from(count: NonZeroUsize) -> Self {
        Self(count)
    }
}
