//! Work that blocks, off the threads that serve connections.

use std::pin::Pin;
use std::sync::Arc;

use anyhow::Result;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::Semaphore;
use tonic::Status;

/// How many pieces of work run at a time; more would only wait for the disk.
const AT_A_TIME: usize = 16;

/// A stream of answers.
pub type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Runs work that blocks, a bounded number of pieces at a time.
#[derive(Debug, Clone)]
pub struct Workers(Arc<Semaphore>);

impl Default for Workers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

impl Workers {
    /// Runs one piece of work.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T, Status> {
        let stopping = |_| Status::unavailable("the service is stopping");
        let permit = Arc::clone(&self.0).acquire_owned().await;
        let permit = permit.map_err(|_| Status::unavailable("the service is stopping"))?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        done.await.map_err(stopping)?.map_err(|error| Status::internal(format!("{error:#}")))
    }

    /// Answers that are made a piece at a time, each when the client has taken the one before.
    ///
    /// Between two pieces nothing but `source` is held, however slow the client is.
    pub fn pieces<S, T>(
        &self,
        source: S,
        next: impl Fn(&mut S) -> Result<Option<Vec<T>>> + Send + Sync + 'static,
    ) -> Answers<T>
    where
        S: Send + 'static,
        T: Send + 'static,
    {
        let next = Arc::new(next);
        let workers = self.clone();
        let pieces = stream::unfold(Some(source), move |source| {
            let (next, workers) = (Arc::clone(&next), workers.clone());
            async move {
                let mut source = source?;
                let piece = workers.run(move || {
                    let piece = next(&mut source)?;
                    Ok((piece, source))
                });
                match piece.await {
                    Ok((Some(items), source)) => {
                        let items: Vec<Result<T, Status>> = items.into_iter().map(Ok).collect();
                        Some((items, Some(source)))
                    }
                    Ok((None, _)) => None,
                    Err(status) => Some((vec![Err(status)], None)),
                }
            }
        });
        Box::pin(pieces.flat_map(stream::iter))
    }
}
