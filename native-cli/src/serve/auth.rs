//! Who may call: user and password against a token, and the token of every later call.
//!
//! A user of `[grpc_auth]` with another password is let in, and counted, unless it is strict.
//!
//! A token is the time at which it expires and a code over it, made with a key that only this
//! process knows: nothing is kept for a token, so handing out many costs nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use hmac::{Hmac, Mac};
use metadump_proto::AUTH_TOKEN;
use sha2::Sha256;
use tonic::Status;
use tonic::codegen::http::HeaderMap;
use tonic::metadata::MetadataMap;

use super::users::{Passwords, Users};
use crate::dump_writer::now_ms;

/// The only user of a service that has no others configured.
const ROOT: &str = "root";

/// As long as a block of the code's hash, so that the key is used as it is.
const KEY_BYTES: usize = 64;

/// How many characters of a name that is refused are reported.
const SHOWN_NAME: usize = 64;

type Code = Hmac<Sha256>;

/// Checks users and tokens.
pub struct Gate {
    users: Users,
    lifetime: Duration,
    key: [u8; KEY_BYTES],
    logins: Mutex<Logins>,
}

/// How many handshakes there were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logins {
    /// With the password of a user, by name.
    pub accepted: BTreeMap<String, u64>,
    /// Without a password, and let in.
    pub missing: u64,
    /// With another password, and let in.
    pub incorrect: u64,
}

impl Gate {
    /// A gate with a new key; tokens of earlier processes are not valid.
    pub fn new(users: Users, lifetime: Duration) -> Result<Self> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).context("the system has no random numbers")?;
        Ok(Self { users, lifetime, key, logins: Mutex::default() })
    }

    /// A token for a user.
    pub fn token(&self, username: &str, password: &str) -> Result<Vec<u8>, Status> {
        if !self.lets_in(username, password) {
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

    /// The handshakes so far.
    pub fn logins(&self) -> Logins {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a user gets a token; counts it.
    fn lets_in(&self, username: &str, password: &str) -> bool {
        let Users::Known { known, passwords } = &self.users else { return username == ROOT };
        // All codes always are made, so that time tells nothing about any of them.
        let (mut is_user, mut is_password) = (false, false);
        for user in known {
            let name = self.same(username, &user.username);
            let same = self.same(password, &user.password);
            is_user |= name;
            is_password |= name & same;
        }
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        match (is_user, is_password, passwords) {
            (true, true, _) => *logins.accepted.entry(username.to_owned()).or_default() += 1,
            (true, false, Passwords::Counted) if password.is_empty() => logins.missing += 1,
            (true, false, Passwords::Counted) => logins.incorrect += 1,
            _ => return false,
        }
        true
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
    use crate::grpc::Credentials;

    fn known(passwords: Passwords) -> Users {
        let user = |username: &str| Credentials {
            username: username.to_owned(),
            password: format!("{username}'s secret"),
        };
        Users::Known { known: vec![user("drill"), user("next")], passwords }
    }

    fn gate(lifetime: Duration) -> Gate {
        Gate::new(known(Passwords::Required), lifetime).unwrap()
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
        let token = own.token("drill", "drill's secret").unwrap();
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
        let token = gate.token("drill", "drill's secret").unwrap();
        (gate, token)
    }

    #[test]
    fn users() {
        let own = gate(Duration::from_secs(60));
        for (username, password) in
            [("drill", ""), ("drill", "next's secret"), ("root", "drill's secret"), ("", "")]
        {
            assert_eq!(
                own.token(username, password).unwrap_err().code(),
                tonic::Code::Unauthenticated
            );
        }
        assert_eq!(own.logins(), Logins::default());
        assert!(own.token("next", "next's secret").is_ok());
        assert_eq!(own.logins().accepted, [("next".to_owned(), 1)].into());
        let open = Gate::new(Users::RootAlone, Duration::from_secs(60)).unwrap();
        assert!(open.token("root", "anything").is_ok());
        assert!(open.token("other", "anything").is_err());
    }

    #[test]
    fn wrong_passwords_are_counted_where_they_are_let_in() {
        let gate = Gate::new(known(Passwords::Counted), Duration::from_secs(60)).unwrap();
        assert!(gate.token("other", "").is_err());
        for (username, password) in
            [("drill", ""), ("next", "drill's secret"), ("next", "x"), ("drill", "drill's secret")]
        {
            assert!(gate.token(username, password).is_ok(), "{username} {password}");
        }
        let accepted = [("drill".to_owned(), 1)].into();
        assert_eq!(gate.logins(), Logins { accepted, missing: 1, incorrect: 2 });
    }
}
