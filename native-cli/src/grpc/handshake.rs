//! The handshake: user and password against a token, and the server's version.

use std::fmt;

use futures_util::stream;
use metadump_proto::AUTH_TOKEN;
use metadump_proto::flight::BasicAuth;
use metadump_proto::meta::HandshakeRequest;
use metadump_proto::meta::meta_service_client::MetaServiceClient;
use prost::Message;
use tonic::metadata::BinaryMetadataValue;
use tonic::service::Interceptor;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::failure::HANDSHAKE;
use super::{Address, ConnectOptions, Failure};

/// Every server accepts a client that says nothing about its version; the oldest accept no other.
const NO_VERSION: u64 = 0;

/// The first release that has `ExportV1`, 1.2.315.
const FIRST_WITH_EXPORT_V1: ServerVersion = ServerVersion(1_002_315);

/// A server's release as digits: major, minor and patch, three decimals apart.
///
/// Since 1.2.880 it is the calendar version of the meta service, such as 260304.0.0, which is
/// larger than all earlier ones; 0 is what the oldest servers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerVersion(pub u64);

impl ServerVersion {
    /// Whether the server has `ExportV1`.
    pub fn has_export_v1(self) -> bool {
        self >= FIRST_WITH_EXPORT_V1
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(digits) = self;
        write!(f, "{}.{}.{}", digits / 1_000_000, digits / 1000 % 1000, digits % 1000)
    }
}

/// What a server gave for user and password; goes with every later call to the same server.
#[derive(Clone)]
pub struct Token(BinaryMetadataValue);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert_bin(AUTH_TOKEN, self.0.clone());
        Ok(request)
    }
}

/// Shakes hands, within the time to connect: one request, then the request stream ends; the
/// server reads only that one, and answers once.
pub async fn handshake(
    channel: Channel,
    address: &Address,
    options: &ConnectOptions,
) -> Result<(ServerVersion, Token), Failure> {
    let credentials = &options.credentials;
    let who = BasicAuth {
        username: credentials.username.clone(),
        password: credentials.password.clone(),
    };
    let request = HandshakeRequest { protocol_version: NO_VERSION, payload: who.encode_to_vec() };
    let mut client = MetaServiceClient::new(channel);
    let answer = async {
        let mut answers = client.handshake(stream::iter([request])).await?.into_inner();
        answers.message().await
    };
    let failed = |status: Status| match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => Failure::Refused {
            address: address.clone(),
            username: credentials.username.clone(),
            message: status.message().to_owned(),
        },
        _ => Failure::of_status(address, HANDSHAKE, &status),
    };
    let answer = tokio::time::timeout(options.connect_timeout, answer)
        .await
        .map_err(|_| Failure::Silent {
            address: address.clone(),
            call: HANDSHAKE,
            waited: options.connect_timeout,
        })?
        .map_err(failed)?
        .ok_or_else(|| Failure::NoToken { address: address.clone() })?;
    let mut token = BinaryMetadataValue::from_bytes(&answer.payload);
    token.set_sensitive(true);
    Ok((ServerVersion(answer.protocol_version), Token(token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(digits: u64, shown: &str, has_export_v1: bool) {
        let version = ServerVersion(digits);
        assert_eq!(version.to_string(), shown);
        assert_eq!(version.has_export_v1(), has_export_v1, "{shown}");
    }

    #[test]
    fn versions() {
        check(0, "0.0.0", false);
        check(1_002_314, "1.2.314", false);
        check(1_002_315, "1.2.315", true);
        check(260_205_001_000, "260205.1.0", true);
        check(u64::MAX, "18446744073709.551.615", true);
    }
}
