//! Work on a stream of bytes that goes on beside the one that makes them.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::{Result, anyhow};

/// How many pieces may wait.
const MOST_WAITING: usize = 4;

/// A thread that takes pieces in their order.
#[derive(Debug)]
pub struct Stage<T> {
    /// None once no more will come.
    pieces: Option<SyncSender<Arc<Vec<u8>>>>,
    /// None once its failure was told.
    thread: Option<JoinHandle<Result<T>>>,
}

impl<T: Send + 'static> Stage<T> {
    /// Starts with `state`, into which `step` works each piece.
    pub fn start(
        mut state: T,
        mut step: impl FnMut(&mut T, &[u8]) -> Result<()> + Send + 'static,
    ) -> Self {
        let (pieces, waiting) = sync_channel::<Arc<Vec<u8>>>(MOST_WAITING);
        let thread = thread::spawn(move || {
            for piece in waiting {
                step(&mut state, &piece)?;
            }
            Ok(state)
        });
        Self { pieces: Some(pieces), thread: Some(thread) }
    }

    /// Hands on the next piece; waits while too many do.
    ///
    /// # Errors
    ///
    /// That of a step before.
    pub fn feed(&mut self, piece: &Arc<Vec<u8>>) -> Result<()> {
        if self.pieces.as_ref().is_some_and(|pieces| pieces.send(Arc::clone(piece)).is_ok()) {
            return Ok(());
        }
        // Nobody receives any more: the thread has ended.
        self.thread.take().map_or_else(ended, join).and_then(|_| ended())
    }

    /// Waits for the work on all pieces.
    ///
    /// # Errors
    ///
    /// The first of a step.
    pub fn finish(mut self) -> Result<T> {
        self.pieces = None;
        self.thread.take().map_or_else(ended, join)
    }
}

impl<T> Drop for Stage<T> {
    /// Waits for the thread, so that nothing of it outlives the stage: a file that it writes is
    /// gone, or has its name, when this is over.
    fn drop(&mut self) {
        self.pieces = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn join<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(anyhow!("a thread has panicked")))
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
