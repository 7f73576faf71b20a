//! Connections: how many there are at a time, and an end to those that nobody is known to be
//! behind.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::Extensions;
use tonic::transport::server::{Connected, TlsConnectInfo};

use crate::listen::accept;

/// How many connections there are at a time; the next one waits.
const MOST_CONNECTIONS: u64 = 4096;

/// How many of the files of this process are for others than clients.
const OTHER_FILES: u64 = 64;

/// How long a client may take until it has shown a token or got one, TLS and all.
const UNKNOWN: Duration = Duration::from_secs(10);

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its address; none when it has gone.
    pub address: Option<SocketAddr>,
    known: Arc<AtomicBool>,
}

impl Client {
    /// The client that sent a request, by what the server puts beside it.
    pub fn of(extensions: &Extensions) -> Option<&Self> {
        let secure = || Some(extensions.get::<TlsConnectInfo<Self>>()?.get_ref());
        extensions.get::<Self>().or_else(secure)
    }

    /// It has a valid token: its connection may be silent for as long as it wants.
    pub fn is_known(&self) {
        self.known.store(true, Ordering::Relaxed);
    }
}

/// A connection, which breaks off when its client stays unknown.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    client: Client,
    end: Pin<Box<Sleep>>,
    _room: OwnedSemaphorePermit,
}

/// All connections, one after the other.
pub fn connections(listener: TcpListener) -> impl Stream<Item = io::Result<Connection>> {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = files.saturating_sub(OTHER_FILES).clamp(1, MOST_CONNECTIONS);
    let room = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(1)));
    stream::unfold((listener, room), |(listener, room)| async {
        let place = Arc::clone(&room).acquire_owned().await.ok()?;
        let connection = Connection::new(accept(&listener).await, place);
        Some((Ok(connection), (listener, room)))
    })
}

impl Connection {
    fn new(stream: TcpStream, room: OwnedSemaphorePermit) -> Self {
        let client = Client { address: stream.peer_addr().ok(), known: Arc::default() };
        Self { stream, client, end: Box::pin(sleep(UNKNOWN)), _room: room }
    }

    /// Fails when the client had its time and is not known.
    fn poll_end(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if !self.client.known.load(Ordering::Relaxed) && self.end.as_mut().poll(context).is_ready()
        {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the client shows no token"));
        }
        Ok(())
    }
}

impl Connected for Connection {
    type ConnectInfo = Client;

    fn connect_info(&self) -> Client {
        self.client.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_end(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_end(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_end(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn pair() -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let room = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        (peer, Connection::new(accept(&listener).await, room))
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_has_ten_seconds() {
        let (_peer, mut connection) = pair().await;
        let began = tokio::time::Instant::now();
        let ended = connection.read_u8().await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 10);
        assert_eq!(connection.write_u8(1).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_known_may_be_silent() {
        let (mut peer, mut connection) = pair().await;
        connection.client.is_known();
        tokio::time::sleep(2 * UNKNOWN).await;
        peer.write_u8(7).await.unwrap();
        assert_eq!(connection.read_u8().await.unwrap(), 7);
        connection.write_u8(8).await.unwrap();
        assert_eq!(peer.read_u8().await.unwrap(), 8);
    }
}
