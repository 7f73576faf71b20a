//! How to reach a server.

use std::time::Duration;

use super::{Address, Credentials, Retry, Tls};

/// How to reach a server, and how long to wait for it.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// The servers, in the order in which they are asked.
    pub addresses: Vec<Address>,
    /// How TLS is spoken; none means plain text, unless an address says `https://`.
    pub tls: Option<Tls>,
    /// User and password.
    pub credentials: Credentials,
    /// The time for each of: to connect, TLS included, and to shake hands.
    pub connect_timeout: Duration,
    /// The longest time without a message.
    pub idle_timeout: Duration,
    /// The largest message that is taken, in bytes.
    pub max_message_bytes: u64,
    /// How often to try again.
    pub retry: Retry,
}

impl ConnectOptions {
    /// `root` over plain text; 10 s to connect, 60 s without a message, messages up to 1 GiB.
    ///
    /// A dump spells a value with more than three characters a byte, so that one line of a large
    /// table takes tens of megabytes: the limit only guards against a length that makes no sense.
    pub fn new(addresses: Vec<Address>) -> Self {
        Self {
            addresses,
            tls: None,
            credentials: Credentials::default(),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            max_message_bytes: 1 << 30,
            retry: Retry::default(),
        }
    }
}
