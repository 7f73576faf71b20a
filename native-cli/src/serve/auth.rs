//! Who may call: user and password against a token, and the token of every later call.
//!
//! A token is the time at which it expires and a code over it, made with a key that only this
//! process knows: nothing is kept for a token, so handing out many costs nothing.

use std::time::Duration;

use anyhow::{Context, Result};
use hmac::{Hmac, Mac};
use metadump_proto::AUTH_TOKEN;
use sha2::Sha256;
use tonic::Status;
use tonic::codegen::http::HeaderMap;
use tonic::metadata::MetadataMap;

use crate::dump_writer::now_ms;
use crate::grpc::Credentials;

/// The only user of a service that has no others configured.
const ROOT: &str = "root";

/// As long as a block of the code's hash, so that the key is used as it is.
const KEY_BYTES: usize = 64;

/// How many characters of a name that is refused are reported.
const SHOWN_NAME: usize = 64;

type Code = Hmac<Sha256>;

/// Checks users and tokens.
pub struct Gate {
    /// None lets `root` in with any password, as servers do.
    known: Option<Credentials>,
    lifetime: Duration,
    key: [u8; KEY_BYTES],
}

impl Gate {
    /// A gate with a new key; tokens of earlier processes are not valid.
    pub fn new(known: Option<Credentials>, lifetime: Duration) -> Result<Self> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).context("the system has no random numbers")?;
        Ok(Self { known, lifetime, key })
    }

    /// A token for a user.
    pub fn token(&self, username: &str, password: &str) -> Result<Vec<u8>, Status> {
        let is_known = match &self.known {
            None => username == ROOT,
            // Both codes always are made, so that time tells nothing about either.
            Some(known) => {
                let name = self.same(username, &known.username);
                self.same(password, &known.password) & name
            }
        };
        if !is_known {
            // A name of any length would not fit into the headers of the answer.
            let shown: String = username.chars().take(SHOWN_NAME).collect();
            return Err(Status::unauthenticated(format!(
                "unknown user or wrong password: {shown:?}"
            )));
        }
        let lifetime_ms = u64::try_from(self.lifetime.as_millis()).unwrap_or(u64::MAX);
        let expires_ms = now_ms().saturating_add(lifetime_ms).to_be_bytes();
        Ok([&expires_ms[..], &self.code(&expires_ms).finalize().into_bytes()].concat())
    }

    /// Lets a call with a valid token in its headers pass.
    pub fn check_headers(&self, headers: &HeaderMap) -> Result<(), Status> {
        let metadata = MetadataMap::from_headers(headers.clone());
        let token = metadata.get_bin(AUTH_TOKEN);
        let token =
            token.ok_or_else(|| Status::unauthenticated("the call has no auth-token-bin"))?;
        let unknown = || Status::unauthenticated("the token is not one of this server");
        let token = token.to_bytes().map_err(|_| unknown())?;
        let (expires_ms, code) = token.split_first_chunk::<8>().ok_or_else(unknown)?;
        self.code(expires_ms).verify_slice(code).map_err(|_| unknown())?;
        if now_ms() >= u64::from_be_bytes(*expires_ms) {
            return Err(Status::unauthenticated("the token has expired"));
        }
        Ok(())
    }

    fn code(&self, bytes: &[u8]) -> Code {
        let mut code = <Code as Mac>::new(&self.key.into());
        code.update(bytes);
        code
    }

    /// Whether two texts are the same, in a time that does not depend on where they differ.
    fn same(&self, given: &str, known: &str) -> bool {
        let known = self.code(known.as_bytes()).finalize();
        self.code(given.as_bytes()).verify_slice(&known.into_bytes()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use tonic::metadata::BinaryMetadataValue;

    use super::*;

    fn gate(lifetime: Duration) -> Gate {
        let known = Credentials { username: "drill".to_owned(), password: "secret".to_owned() };
        Gate::new(Some(known), lifetime).unwrap()
    }

    fn check(gate: &Gate, token: Option<&[u8]>, expected: Result<(), &str>) {
        let mut metadata = MetadataMap::new();
        if let Some(token) = token {
            metadata.insert_bin(AUTH_TOKEN, BinaryMetadataValue::from_bytes(token));
        }
        let checked = gate.check_headers(&metadata.into_headers());
        let reported = checked.as_ref().map_err(|status| status.message());
        assert_eq!(reported.copied(), expected);
        if let Err(status) = checked {
            assert_eq!(status.code(), tonic::Code::Unauthenticated);
        }
    }

    #[test]
    fn tokens() {
        let own = gate(Duration::from_secs(60));
        let token = own.token("drill", "secret").unwrap();
        check(&own, Some(&token), Ok(()));
        check(&own, None, Err("the call has no auth-token-bin"));
        let unknown = Err("the token is not one of this server");
        check(&own, Some(b""), unknown);
        let mut later = token.clone();
        later[0] = 0xff;
        check(&own, Some(&later), unknown);
        check(&gate(Duration::from_secs(60)), Some(&token), unknown);
        let expired = own_expired();
        check(&expired.0, Some(&expired.1), Err("the token has expired"));
    }

    fn own_expired() -> (Gate, Vec<u8>) {
        let gate = gate(Duration::ZERO);
        let token = gate.token("drill", "secret").unwrap();
        (gate, token)
    }

    #[test]
    fn users() {
        let own = gate(Duration::from_secs(60));
        for (username, password) in [("drill", ""), ("root", "secret"), ("", "")] {
            assert_eq!(
                own.token(username, password).unwrap_err().code(),
                tonic::Code::Unauthenticated
            );
        }
        let open = Gate::new(None, Duration::from_secs(60)).unwrap();
        assert!(open.token("root", "anything").is_ok());
        assert!(open.token("other", "anything").is_err());
    }
}
