//! New dumps, made in several readings of an old one: a part of its state, single lines, or all of
//! it without its credentials. What they come to is known before the reading that makes them.

mod excerpting;
mod filtering;
mod redacting;
mod sections;
mod writing;

pub use excerpting::{ExcerptWriter, Excerpted, Excerpting};
pub use filtering::{
    FilterError, FilterPreview, FilterQuery, FilterWriter, Filtered, Filtering, KindParts, Unknown,
};
pub use redacting::{
    CredentialPlace, Proving, RedactPreview, SecretShare, Surveyed, Surveying, TooLong,
};
pub use sections::{Section, Sections};
pub use writing::PlanWriter;

#[cfg(test)]
mod tests;
