//! Work on a stream of bytes that goes on beside the one that makes them.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow};

/// How many pieces may wait.
const MOST_WAITING: usize = 4;

/// Takes pieces in their order.
pub struct Stage<T>(Work<T>);

/// How a piece is worked into the state.
type Step<T> = Box<dyn FnMut(&mut T, &[u8]) -> Result<()> + Send>;

enum Work<T> {
    /// A thread does it.
    Beside { pieces: SyncSender<Arc<Vec<u8>>>, thread: JoinHandle<Result<T>> },
    /// Whoever makes the pieces does it: there are no threads to be had.
    Inline { state: T, step: Step<T> },
    /// Its failure was reported.
    Failed,
}

impl<T: Send + 'static> Stage<T> {
    /// Starts with `state`, into which `step` works each piece.
    pub fn start(state: T, step: impl FnMut(&mut T, &[u8]) -> Result<()> + Send + 'static) -> Self {
        let (pieces, waiting) = sync_channel::<Arc<Vec<u8>>>(MOST_WAITING);
        let step: Step<T> = Box::new(step);
        // Whoever takes it out does the work: a thread that does not start gives nothing back.
        let work = Arc::new(Mutex::new(Some((state, step))));
        let of_thread = Arc::clone(&work);
        let thread = thread::Builder::new().spawn(move || {
            let (mut state, mut step) = take(&of_thread).map_or_else(ended, Ok)?;
            for piece in waiting {
                step(&mut state, &piece)?;
            }
            Ok(state)
        });
        Self(match thread {
            Ok(thread) => Work::Beside { pieces, thread },
            Err(_) => match take(&work) {
                Some((state, step)) => Work::Inline { state, step },
                None => Work::Failed,
            },
        })
    }

    /// Hands on the next piece; waits while too many do.
    ///
    /// # Errors
    ///
    /// That of a step before.
    pub fn feed(&mut self, piece: &Arc<Vec<u8>>) -> Result<()> {
        match &mut self.0 {
            Work::Beside { pieces, .. } if pieces.send(Arc::clone(piece)).is_ok() => Ok(()),
            Work::Inline { state, step } => {
                step(state, piece).inspect_err(|_| self.0 = Work::Failed)
            }
            // Nobody receives any more: the thread has ended.
            Work::Beside { .. } | Work::Failed => self.end().and_then(|_| ended()),
        }
    }

    /// Waits for the work on all pieces.
    ///
    /// # Errors
    ///
    /// The first of a step.
    pub fn finish(mut self) -> Result<T> {
        self.end()
    }
}

impl<T> Stage<T> {
    fn end(&mut self) -> Result<T> {
        match std::mem::replace(&mut self.0, Work::Failed) {
            Work::Beside { pieces, thread } => {
                drop(pieces);
                thread.join().unwrap_or_else(|_| Err(anyhow!("a thread has panicked")))
            }
            Work::Inline { state, .. } => Ok(state),
            Work::Failed => ended(),
        }
    }
}

impl<T> Drop for Stage<T> {
    /// Waits for the thread, so that nothing of it outlives the stage: a file that it writes is
    /// gone, or has its name, when this is over.
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn take<W>(work: &Mutex<Option<W>>) -> Option<W> {
    work.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn ended<T>() -> Result<T> {
    Err(anyhow!("a thread has ended early"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_order_and_an_error_ends_the_work() {
        let collect = |all: &mut Vec<u8>, piece: &[u8]| {
            anyhow::ensure!(piece != b"bad", "bad after {} bytes", all.len());
            all.extend_from_slice(piece);
            Ok(())
        };
        let mut stage = Stage::start(Vec::new(), collect);
        for number in 0..100_u8 {
            stage.feed(&Arc::new(vec![number])).unwrap();
        }
        assert_eq!(stage.finish().unwrap(), Vec::from_iter(0..100));

        let mut stage = Stage::start(Vec::new(), collect);
        stage.feed(&Arc::new(b"good".to_vec())).unwrap();
        stage.feed(&Arc::new(b"bad".to_vec())).unwrap();
        let error = loop {
            if let Err(error) = stage.feed(&Arc::new(b"more".to_vec())) {
                break error;
            }
        };
        assert_eq!(error.to_string(), "bad after 4 bytes");
        assert!(stage.feed(&Arc::default()).is_err() && stage.finish().is_err());

        let mut stage = Stage::start(Vec::new(), collect);
        stage.feed(&Arc::new(b"bad".to_vec())).unwrap();
        assert_eq!(stage.finish().unwrap_err().to_string(), "bad after 0 bytes");
    }
}
