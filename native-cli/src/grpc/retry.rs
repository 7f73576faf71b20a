//! Trying again, with pauses that grow.

use std::iter::successors;
use std::time::Duration;

use super::{Failure, Note};

/// How often to try, and how long to pause in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How many tries there are, the first included.
    pub tries: u32,
    /// The pause after the first try; each later one is twice as long.
    pub first_pause: Duration,
}

impl Default for Retry {
    /// Three tries, half a second and a second apart.
    fn default() -> Self {
        Self { tries: 3, first_pause: Duration::from_millis(500) }
    }
}

impl Retry {
    /// Tries until `attempt` succeeds, fails for good, or the tries are used up; the last failure
    /// is the result.
    pub async fn run<T>(
        &self,
        note: &mut dyn FnMut(&Note),
        mut attempt: impl AsyncFnMut(&mut dyn FnMut(&Note)) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        for pause in self.pauses() {
            match attempt(note).await {
                Err(failure) if failure.is_transient() => {
                    note(&Note::Retrying { failure: failure.to_string(), pause });
                    tokio::time::sleep(pause).await;
                }
                ended => return ended,
            }
        }
        attempt(note).await
    }

    /// The pauses between the tries.
    pub(super) fn pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        successors(Some(self.first_pause), |pause| pause.checked_mul(2))
            .take(self.tries.saturating_sub(1) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tries: u32, pauses_ms: &[u64]) {
        let retry = Retry { tries, first_pause: Duration::from_millis(500) };
        let pauses: Vec<Duration> = retry.pauses().collect();
        let expected: Vec<_> = pauses_ms.iter().copied().map(Duration::from_millis).collect();
        assert_eq!(pauses, expected, "{tries}");
    }

    #[test]
    fn pauses_double() {
        check(0, &[]);
        check(1, &[]);
        check(3, &[500, 1000]);
        check(5, &[500, 1000, 2000, 4000]);
    }
}
