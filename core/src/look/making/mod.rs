//! New dumps, made in several readings of an old one: a part of its state, or all of it without its
//! credentials. What they come to is known before the reading that makes them.

mod filtering;
mod redacting;

pub use filtering::{
    FilterError, FilterPreview, FilterQuery, FilterWriter, Filtered, Filtering, KindParts, Unknown,
};
pub use redacting::{
    CredentialPlace, Proving, RedactPreview, SecretShare, Surveyed, Surveying, TooLong,
};

#[cfg(test)]
mod tests;
