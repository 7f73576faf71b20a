//! The body of a request, each message of which waits until there is memory for it.
//!
//! The length of a message stands before it, so that its place is taken at once: messages that
//! each wait for a part of it could wait for each other.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Bytes, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::BoxFuture;

use super::LARGEST_REQUEST_BYTES;

/// Before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// How long a message may take from its first byte to its last, the waiting for memory included.
const ARRIVING: Duration = Duration::from_secs(60);

/// The memory of a request: given back when both its body and its answer are done with.
pub type Held = Arc<Mutex<Option<OwnedSemaphorePermit>>>;

/// A body whose messages take their memory from what all requests have in common.
pub struct RequestBody {
    body: Body,
    bytes: Arc<Semaphore>,
    held: Held,
    messages: Messages,
    /// A frame that has arrived and has no memory yet.
    waiting: Option<(Frame<Bytes>, BoxFuture<OwnedSemaphorePermit, Status>)>,
    /// Until when the message that has begun is to be there.
    end: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    /// A body that takes memory from `bytes` and keeps it in `held`.
    pub fn new(body: Body, bytes: Arc<Semaphore>, held: Held) -> Self {
        Self { body, bytes, held, messages: Messages::default(), waiting: None, end: None }
    }

    fn hold(&self, memory: OwnedSemaphorePermit) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(memory);
    }

    /// Hands out a frame that has its memory.
    fn arrived(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if !self.messages.is_within() {
            self.end = None;
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl hyper::body::Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let body = &mut *self;
        if let Some(end) = &mut body.end
            && end.as_mut().poll(context).is_ready()
        {
            let late = match &body.waiting {
                None => Status::deadline_exceeded("the request did not arrive in time"),
                Some(_) => Status::resource_exhausted(
                    "the requests under way have as many bytes as they may in all; try again",
                ),
            };
            return Poll::Ready(Some(Err(late)));
        }
        if let Some((_, memory)) = &mut body.waiting {
            let memory = ready!(memory.as_mut().poll(context))?;
            body.hold(memory);
            if let Some((frame, _)) = body.waiting.take() {
                return body.arrived(frame);
            }
        }
        let Some(frame) = ready!(Pin::new(&mut body.body).poll_frame(context)?) else {
            return Poll::Ready(None);
        };
        let begun = frame.data_ref().map_or(0, |data| body.messages.feed(data));
        // What is larger is refused by whoever reads it, before it has arrived.
        let begun = u32::try_from(begun.min(LARGEST_REQUEST_BYTES as u64)).unwrap_or(u32::MAX);
        if begun == 0 {
            return body.arrived(frame);
        }
        // Who reads this message has the one before no more.
        body.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Ok(memory) = Arc::clone(&body.bytes).try_acquire_many_owned(begun) {
            body.hold(memory);
            if body.messages.is_within() {
                body.end = Some(Box::pin(sleep(ARRIVING)));
            }
            return body.arrived(frame);
        }
        body.end = Some(Box::pin(sleep(ARRIVING)));
        let memory = Arc::clone(&body.bytes).acquire_many_owned(begun);
        let memory =
            async { memory.await.map_err(|_| Status::unavailable("the service is stopping")) };
        body.waiting = Some((frame, Box::pin(memory)));
        // Nothing has asked for the memory yet.
        self.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Where messages begin in a stream of bytes.
#[derive(Debug, Default)]
struct Messages {
    prefix: Vec<u8>,
    /// How many bytes of the message that has begun are to come.
    left: u64,
}

impl Messages {
    /// Takes the next bytes; gives the lengths, in all, of the messages that begin in them.
    fn feed(&mut self, mut bytes: &[u8]) -> u64 {
        let mut begun = 0_u64;
        while !bytes.is_empty() {
            let of_message = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= of_message as u64;
            bytes = bytes.get(of_message..).unwrap_or_default();
            let of_prefix = bytes.len().min(PREFIX_BYTES - self.prefix.len());
            let (prefix, rest) = bytes.split_at(of_prefix);
            self.prefix.extend(prefix);
            bytes = rest;
            if let [_, a, b, c, d] = *self.prefix {
                self.left = u64::from(u32::from_be_bytes([a, b, c, d]));
                self.prefix.clear();
                begun = begun.saturating_add(self.left);
            }
        }
        begun
    }

    /// Whether a message has begun and not ended.
    fn is_within(&self) -> bool {
        self.left > 0 || !self.prefix.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::*;

    fn message(size: usize) -> Vec<u8> {
        let length = u32::try_from(size).unwrap().to_be_bytes();
        [&[0], &length[..], &vec![7; size]].concat()
    }

    /// A body of pieces, after which nothing comes for ever.
    fn body(pieces: &[&[u8]], bytes: &Arc<Semaphore>, held: &Held) -> RequestBody {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok::<_, Status>(Frame::data(piece.to_vec().into())))
            .collect();
        let pieces = stream::iter(pieces).chain(stream::pending());
        RequestBody::new(Body::new(StreamBody::new(pieces)), Arc::clone(bytes), held.clone())
    }

    fn next(body: &mut RequestBody) -> Option<usize> {
        let frame = body.frame().now_or_never()?.unwrap().unwrap();
        Some(frame.into_data().unwrap().len())
    }

    #[tokio::test]
    async fn a_message_waits_until_there_is_memory_for_all_of_it() {
        let bytes = Arc::new(Semaphore::new(100));
        let (first_held, second_held) = (Held::default(), Held::default());
        let mut first = body(&[&message(60)[..10]], &bytes, &first_held);
        assert_eq!(next(&mut first), Some(10));
        assert_eq!(bytes.available_permits(), 40);
        let mut second = body(&[&message(60)], &bytes, &second_held);
        assert_eq!(next(&mut second), None);
        // The body has gone, but the request is not answered yet.
        drop(first);
        assert_eq!(next(&mut second), None);
        drop(first_held);
        assert_eq!(next(&mut second), Some(65));
        assert_eq!(bytes.available_permits(), 40);
        drop((second, second_held));
        assert_eq!(bytes.available_permits(), 100);
    }

    #[tokio::test]
    async fn a_message_gives_back_the_memory_of_the_one_before() {
        let bytes = Arc::new(Semaphore::new(100));
        let held = Held::default();
        let (one, two) = (message(60), message(90));
        let mut body = body(&[&one, &two[..3], &two[3..]], &bytes, &held);
        assert_eq!(next(&mut body), Some(65));
        assert_eq!((next(&mut body), bytes.available_permits()), (Some(3), 40));
        assert_eq!((next(&mut body), bytes.available_permits()), (Some(92), 10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_has_a_minute_to_arrive() {
        let bytes = Arc::new(Semaphore::new(100));
        let check = async |mut body: RequestBody, code, reported: &str| {
            let began = Instant::now();
            let status = body.frame().await.unwrap().unwrap_err();
            assert_eq!((status.code(), status.message()), (code, reported));
            assert_eq!(began.elapsed().as_secs(), 60);
        };
        let held = Held::default();
        let mut slow = body(&[&message(60)[..10]], &bytes, &held);
        assert_eq!(next(&mut slow), Some(10));
        let late = "the request did not arrive in time";
        check(slow, tonic::Code::DeadlineExceeded, late).await;
        let waiting = body(&[&message(90)], &bytes, &Held::default());
        let full = "the requests under way have as many bytes as they may in all; try again";
        check(waiting, tonic::Code::ResourceExhausted, full).await;
        // Between two messages there is no hurry.
        let mut whole = body(&[&message(10)], &bytes, &Held::default());
        assert_eq!(next(&mut whole), Some(15));
        let hour = Duration::from_secs(3600);
        assert!(tokio::time::timeout(hour, whole.frame()).await.is_err());
    }

    proptest! {
        #[test]
        fn cuts_anywhere_change_nothing(
            sizes in prop::collection::vec(0_usize..20, 0..5),
            cuts in prop::collection::vec(0_usize..100, 0..5),
        ) {
            let all: Vec<u8> = sizes.iter().flat_map(|size| message(*size)).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(all.len())).collect();
            cuts.extend([0, all.len()]);
            cuts.sort_unstable();
            let mut messages = Messages::default();
            let begun: u64 = cuts.windows(2).map(|cut| messages.feed(&all[cut[0]..cut[1]])).sum();
            prop_assert_eq!(begun, sizes.iter().sum::<usize>() as u64);
            prop_assert!(!messages.is_within());
        }
    }
}
