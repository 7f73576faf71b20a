//! Watchers, and handing them what changes.
//!
//! **Invariant:** nobody waits for a watcher. One that does not take its events in time is cut
//! off with a status when what waits for it reaches a bound, in events or in bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use metadump::apply::{ChangeEvent, KeyRange};
use metadump_proto::meta::watch_request::FilterType;
use tokio::sync::mpsc;

/// How many events may wait for a watcher.
pub const WAITING_EVENTS: usize = 1024;

/// How many bytes of events may wait for a watcher; one event always may.
const WAITING_BYTES: u64 = 8 << 20;

/// Which changes a watcher wants.
#[derive(Debug, Clone)]
pub struct Interest {
    /// Of which keys.
    pub range: KeyRange,
    /// Of which kind.
    pub filter: FilterType,
}

impl Interest {
    fn includes(&self, event: &ChangeEvent) -> bool {
        let kind = match self.filter {
            FilterType::All => true,
            FilterType::Update => event.current.is_some(),
            FilterType::Delete => event.current.is_none(),
        };
        kind && self.range.contains(&event.key)
    }
}

/// What a watcher takes its events from.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::Receiver<Arc<ChangeEvent>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting_bytes: AtomicU64,
    /// Whether the watcher was too slow.
    overrun: AtomicBool,
}

/// Why there are no more events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The service stops.
    Stopped,
    /// The watcher was too slow.
    TooSlow,
}

impl Events {
    /// The next event. A watcher that was too slow does not get what still waits for it: the
    /// sooner it begins anew, the better.
    pub async fn next(&mut self) -> Result<Arc<ChangeEvent>, Ended> {
        let event = self.queue.recv().await;
        if self.shared.overrun.load(Ordering::Acquire) {
            return Err(Ended::TooSlow);
        }
        let event = event.ok_or(Ended::Stopped)?;
        self.shared.waiting_bytes.fetch_sub(weight(&event), Ordering::AcqRel);
        Ok(event)
    }
}

/// The bytes that an event takes.
fn weight(event: &ChangeEvent) -> u64 {
    let records = [&event.prev, &event.current];
    let values: u64 = records.into_iter().flatten().map(|record| record.data.len()).sum();
    event.key.len() as u64 + values
}

struct Watcher {
    interest: Interest,
    queue: mpsc::Sender<Arc<ChangeEvent>>,
    shared: Arc<Shared>,
}

/// All watchers.
#[derive(Default)]
pub struct Watchers(Vec<Watcher>);

impl Watchers {
    /// Adds a watcher, which gets every event from now on.
    pub fn add(&mut self, interest: Interest) -> Events {
        self.0.retain(|watcher| !watcher.queue.is_closed());
        let (sender, queue) = mpsc::channel(WAITING_EVENTS);
        let shared = Arc::new(Shared::default());
        self.0.push(Watcher { interest, queue: sender, shared: Arc::clone(&shared) });
        Events { queue, shared }
    }

    /// Hands out an event.
    pub fn notify(&mut self, event: ChangeEvent) {
        let weight = weight(&event);
        let event = Arc::new(event);
        self.0.retain(|watcher| {
            if !watcher.interest.includes(&event) {
                return true;
            }
            let waited = watcher.shared.waiting_bytes.fetch_add(weight, Ordering::AcqRel);
            let fits = waited == 0 || waited.saturating_add(weight) <= WAITING_BYTES;
            if fits && watcher.queue.try_send(Arc::clone(&event)).is_ok() {
                return true;
            }
            watcher.shared.overrun.store(true, Ordering::Release);
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use metadump::apply::SharedRecord;
    use metadump::record::{Bytes, SeqV};

    use super::*;

    fn event(key: &str, bytes: usize) -> ChangeEvent {
        let data = Bytes::from(vec![0; bytes]);
        let current = Some(SharedRecord::new(SeqV { seq: 1, meta: None, data }));
        ChangeEvent { key: key.to_owned(), prev: None, current }
    }

    fn all() -> Interest {
        Interest { range: KeyRange::all(), filter: FilterType::All }
    }

    #[tokio::test]
    async fn a_watcher_gets_what_it_wants() {
        let mut watchers = Watchers::default();
        let range = KeyRange::one("a");
        let mut updates =
            watchers.add(Interest { range: range.clone(), filter: FilterType::Update });
        let mut deletions = watchers.add(Interest { range, filter: FilterType::Delete });
        let deletion = ChangeEvent { current: None, ..event("a", 0) };
        for reported in [event("a", 1), event("b", 1), deletion.clone(), event("a", 2)] {
            watchers.notify(reported);
        }
        drop(watchers);
        assert_eq!(*updates.next().await.unwrap(), event("a", 1));
        assert_eq!(*updates.next().await.unwrap(), event("a", 2));
        assert_eq!(updates.next().await, Err(Ended::Stopped));
        assert_eq!(*deletions.next().await.unwrap(), deletion);
        assert_eq!(deletions.next().await, Err(Ended::Stopped));
    }

    #[tokio::test]
    async fn a_slow_watcher_is_cut_off() {
        let mut watchers = Watchers::default();
        let mut slow = watchers.add(all());
        for _ in 0..WAITING_EVENTS {
            watchers.notify(event("k", 1));
        }
        assert_eq!(watchers.0.len(), 1);
        watchers.notify(event("k", 1));
        assert_eq!(watchers.0.len(), 0);
        assert_eq!(slow.next().await, Err(Ended::TooSlow));
    }

    #[tokio::test]
    async fn bytes_count_but_one_event_always_fits() {
        let mut watchers = Watchers::default();
        let mut slow = watchers.add(all());
        let large = usize::try_from(WAITING_BYTES).unwrap() + 1;
        watchers.notify(event("k", large));
        assert_eq!(slow.next().await.unwrap().key, "k");
        watchers.notify(event("k", large));
        watchers.notify(event("k", 1));
        assert_eq!(slow.next().await, Err(Ended::TooSlow));
    }
}
