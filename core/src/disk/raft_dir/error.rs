//! What is wrong with a data directory.

use std::error::Error;
use std::fmt;

/// What failed, its causes, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirError {
    said: String,
    cause: Option<Box<Self>>,
    help: Option<String>,
}

impl DirError {
    /// Something that failed for no other reason.
    pub fn new(said: impl Into<String>) -> Self {
        Self { said: said.into(), cause: None, help: None }
    }

    /// What an error says, which repeats its causes as all errors of this crate do.
    pub fn of(error: &dyn fmt::Display) -> Self {
        Self::new(error.to_string())
    }

    /// What failed because of this.
    #[must_use]
    pub fn within(self, said: impl Into<String>) -> Self {
        Self { said: said.into(), help: self.help.clone(), cause: Some(Box::new(self)) }
    }

    /// The same with what to do, in place of what was to do.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// What to do.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// What failed and why, the nearest cause first; a cause that is said already is not repeated.
    pub fn causes(&self) -> Vec<&str> {
        let mut causes: Vec<&str> = Vec::new();
        let mut next = Some(self);
        while let Some(error) = next {
            // Many errors repeat their cause in their own words.
            if !causes.iter().any(|said| said.contains(&error.said)) {
                causes.push(&error.said);
            }
            next = error.cause.as_deref();
        }
        causes
    }
}

impl fmt::Display for DirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl Error for DirError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as &(dyn Error + 'static))
    }
}

/// The error of a caller on its way through a reader, whose code is there once for all callers.
pub(super) struct Passing<E>(Option<E>);

impl<E: From<DirError>> Passing<E> {
    pub(super) const fn new() -> Self {
        Self(None)
    }

    /// Ends the reading when the caller has failed.
    pub(super) fn note(&mut self, done: Result<(), E>) -> Result<(), DirError> {
        done.map_err(|error| {
            self.0 = Some(error);
            DirError::new("the caller has failed")
        })
    }

    /// How the reading ended, for the caller.
    pub(super) fn end(self, read: Result<(), DirError>) -> Result<(), E> {
        self.0.map_or(Ok(()), Err)?;
        Ok(read?)
    }
}

/// An error with a formatted text.
macro_rules! dir_error {
    ($($said:tt)*) => { $crate::disk::raft_dir::DirError::new(format!($($said)*)) };
}
pub(super) use dir_error;

/// Says more of what failed.
pub(super) trait Explained<T> {
    /// What failed because of it.
    fn within(self, said: impl FnOnce() -> String) -> Result<T, DirError>;

    /// What to do, in place of what was to do.
    fn with_help(self, help: &str) -> Result<T, DirError>;
}

impl<T> Explained<T> for Result<T, DirError> {
    fn within(self, said: impl FnOnce() -> String) -> Self {
        self.map_err(|error| error.within(said()))
    }

    fn with_help(self, help: &str) -> Self {
        self.map_err(|error| error.with_help(help))
    }
}
