//! Names that stand for names: the same for the same name, in keys and in values.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

/// What a pseudonym begins with; 16 hexadecimal digits follow.
const NAME: &str = "n_";

/// Names that every cluster has, and words of the format.
const BUILT_IN: [&str; 12] = [
    "default",
    "root",
    "account_admin",
    "public",
    "system",
    "system_history",
    "information_schema",
    "%",
    "localhost",
    "127.0.0.1",
    "~",
    "***",
];

/// Makes pseudonyms with the salt of a run. Who does not know the salt cannot find out whether a
/// pseudonym stands for a name that they think of.
#[derive(Clone)]
pub struct Pseudonyms {
    keyed: Sha256,
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms")
    }
}

impl Pseudonyms {
    /// With a salt, which stays with the run.
    pub fn new(salt: [u8; 32]) -> Self {
        Self { keyed: Sha256::new().chain_update(salt) }
    }

    /// What stands for a text: the text itself where it is empty, a number, or a built-in name.
    ///
    /// ```
    /// let names = metadump::value::Pseudonyms::new([7; 32]);
    /// assert_eq!(names.of("orders"), names.of("orders"));
    /// assert_ne!(names.of("orders"), names.of("Orders"));
    /// assert_eq!(names.of("default"), "default");
    /// ```
    pub fn of<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number || BUILT_IN.contains(&text) {
            return text.into();
        }
        // A fixed length of salt in front, and the whole of the hash is not shown: nothing can be
        // appended.
        let hash = self.keyed.clone().chain_update(text).finalize();
        let digits = hash.iter().take(8).map(|byte| format!("{byte:02x}"));
        format!("{NAME}{}", digits.collect::<String>()).into()
    }
}
