//! A server that has been connected to and has given its token.

use std::future::Future;
use std::time::Duration;

use metadump_proto::meta::meta_service_client::MetaServiceClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Response, Status, Streaming};

use super::channel::connect;
use super::handshake::{Token, handshake};
use super::messages::Messages;
use super::{Address, ConnectOptions, Failure, Note, ServerVersion};

/// The stub, with the token in every call.
pub type Client = MetaServiceClient<InterceptedService<Channel, Token>>;

/// A server that has been connected to and has given its token.
pub struct Session {
    address: Address,
    version: ServerVersion,
    client: Client,
    idle_timeout: Duration,
    max_message_bytes: u64,
}

impl Session {
    /// Opens a session with the first address that answers; tries again as the options say.
    ///
    /// # Errors
    ///
    /// The [`Failure`] of the last try.
    pub async fn open(
        options: &ConnectOptions,
        note: &mut dyn FnMut(&Note),
    ) -> Result<Self, Failure> {
        options.retry.run(note, async |note| Self::open_first(options, note).await).await
    }

    /// One try, without a pause.
    pub(super) async fn open_first(
        options: &ConnectOptions,
        note: &mut dyn FnMut(&Note),
    ) -> Result<Self, Failure> {
        let mut failures = Vec::new();
        for address in &options.addresses {
            match Self::open_at(address, options).await {
                Ok(session) => {
                    for failure in &failures {
                        note(&Note::not_answering(failure));
                    }
                    return Ok(session);
                }
                // It did answer, and would answer the same on every node.
                Err(refused @ Failure::Refused { .. }) => return Err(refused),
                Err(failure) => failures.push(failure),
            }
        }
        Err(Failure::none_answered(failures))
    }

    /// Opens a session with one server.
    pub(super) async fn open_at(
        address: &Address,
        options: &ConnectOptions,
    ) -> Result<Self, Failure> {
        let channel = connect(address, options).await?;
        let (version, token) = handshake(channel.clone(), address, options).await?;
        let most = usize::try_from(options.max_message_bytes).unwrap_or(usize::MAX);
        let client =
            MetaServiceClient::with_interceptor(channel, token).max_decoding_message_size(most);
        Ok(Self {
            address: address.clone(),
            version,
            client,
            idle_timeout: options.idle_timeout,
            max_message_bytes: options.max_message_bytes,
        })
    }

    /// The server.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The server's release.
    pub const fn version(&self) -> ServerVersion {
        self.version
    }

    /// The largest message that is taken, in bytes.
    pub(super) const fn max_message_bytes(&self) -> u64 {
        self.max_message_bytes
    }

    /// The stub; a clone shares the connection.
    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The answer to a call with one answer.
    pub(super) async fn answer<T>(
        &self,
        call: &'static str,
        response: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.idle_timeout, response).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(Failure::of_status(&self.address, call, &status)),
            Err(_) => Err(self.silent(call)),
        }
    }

    /// The answer to a call with a stream of answers, which must not pause for long.
    pub(super) async fn answers<T>(
        &self,
        call: &'static str,
        response: impl Future<Output = Result<Response<Streaming<T>>, Status>>,
    ) -> Result<Messages<T>, Failure> {
        let streaming = self.answer(call, response).await?;
        Ok(Messages::new(streaming, Some(self.idle_timeout)))
    }

    /// The server said nothing for too long.
    pub(super) fn silent(&self, call: &'static str) -> Failure {
        Failure::Silent { address: self.address.clone(), call, waited: self.idle_timeout }
    }
}
