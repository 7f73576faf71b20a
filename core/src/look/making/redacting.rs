//! A dump without its credentials, as `redact` writes it.

use serde::Serialize;

use crate::change::redact::{Copies, Proof, Redactor, SecondReading, Secrets, Survey, Tally};
use crate::dump::frame::Line;
use crate::dump::scan::scan_line;
use crate::value::Pseudonyms;

/// A line that is not held whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is too long to be read")]
pub struct TooLong(pub u64);

/// The first reading: finds the credentials.
#[derive(Debug)]
pub struct Surveying {
    redactor: Redactor,
    survey: Survey,
    places: Vec<CredentialPlace>,
    most: usize,
    names: Option<Pseudonyms>,
}

/// Where a credential is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct CredentialPlace {
    /// The line, counted from 1.
    pub line: u64,
    /// The key, with credentials in it masked; where there is none, the kind of the line.
    pub key: String,
    /// The field in the value, with those around it; empty for the whole, or for the key itself.
    pub path: String,
    /// What it is.
    pub kind: String,
}

impl Surveying {
    /// Starts; so many places are listed at most. With pseudonyms, names are replaced, too.
    pub fn new(most: usize, names: Option<Pseudonyms>) -> Self {
        let redactor = Redactor::default().with_names(names.clone());
        let survey = Survey::new(names.is_some());
        Self { redactor, survey, places: Vec::new(), most, names }
    }

    /// Takes the next line.
    ///
    /// # Errors
    ///
    /// When it is too long to be read.
    pub fn line(&mut self, line: &Line<'_>) -> Result<(), TooLong> {
        if !line.is_whole() {
            return Err(TooLong(line.number));
        }
        let redacted = self.redactor.line(line.bytes, &scan_line(line.bytes));
        self.survey.line(line.offset_bytes, &redacted);
        let left = self.most.saturating_sub(self.places.len());
        self.places.extend(redacted.found.into_iter().take(left).map(|at| CredentialPlace {
            line: line.number,
            key: if at.key.is_empty() { at.family.into_owned() } else { at.key.to_string() },
            path: at.found.path.to_string(),
            kind: at.found.kind.into_owned(),
        }));
        Ok(())
    }

    /// What was found.
    pub fn finish(self) -> Surveyed {
        Surveyed { survey: self.survey, places: self.places, names: self.names }
    }
}

/// A dump whose credentials are known.
#[derive(Debug)]
pub struct Surveyed {
    survey: Survey,
    places: Vec<CredentialPlace>,
    names: Option<Pseudonyms>,
}

/// What is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct RedactPreview<'s> {
    /// How many credentials.
    pub tally: &'s Tally,
    /// The first of them.
    pub places: &'s [CredentialPlace],
    /// Where one of them would be left.
    pub copies: &'s Copies,
}

impl Surveyed {
    /// The credentials that are held: all, unless there are very many.
    pub const fn secrets(&self) -> &Secrets {
        &self.survey.secrets
    }

    /// What is replaced; `copies` is what the proofs of all shares have found.
    pub fn preview<'s>(&'s self, copies: &'s Copies) -> RedactPreview<'s> {
        RedactPreview { tally: &self.survey.tally, places: &self.places, copies }
    }

    /// Whether names are replaced, too: keys are in another order then.
    pub const fn has_names(&self) -> bool {
        self.names.is_some()
    }

    /// Starts a reading that collects one of [`Secrets::shares`].
    pub fn share(&self, share: u64) -> SecretShare {
        let redactor = Redactor::default().with_names(self.names.clone());
        SecretShare { redactor, secrets: self.secrets().other(share) }
    }

    /// Starts a reading that makes the lines, and looks for the credentials of a share in them.
    pub fn proving<'s>(&'s self, secrets: &'s Secrets) -> Proving<'s> {
        let second = self.survey.second_reading(self.names.clone());
        Proving { second, proof: Proof::of(secrets), copies: Copies::default() }
    }
}

/// A reading that collects a share of very many credentials.
#[derive(Debug)]
pub struct SecretShare {
    redactor: Redactor,
    secrets: Secrets,
}

impl SecretShare {
    /// Takes the next line.
    pub fn line(&mut self, line: &Line<'_>) {
        let redacted = self.redactor.line(line.bytes, &scan_line(line.bytes));
        redacted.found.iter().for_each(|found| self.secrets.add(found));
    }

    /// The credentials.
    pub fn finish(self) -> Secrets {
        self.secrets
    }
}

/// Makes the lines, and looks for what is left in them.
#[derive(Debug)]
pub struct Proving<'s> {
    second: SecondReading<'s>,
    proof: Proof<'s>,
    copies: Copies,
}

impl Proving<'_> {
    /// Takes the next line; hands on the bytes that it becomes.
    pub fn line(&mut self, line: &Line<'_>, made: impl FnOnce(&[u8])) {
        let new = self.second.made(line);
        let bytes = new.as_deref().unwrap_or(line.bytes);
        if let Some(left) = self.proof.left_in(bytes) {
            self.copies.add(line.number, bytes, left);
        }
        made(bytes);
    }

    /// Where something is left.
    pub fn finish(self) -> Copies {
        self.copies
    }
}
