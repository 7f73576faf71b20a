//! How a failure is told: what failed, the cause, and what to do, a line each.

use std::fmt;

/// What the user can do about a failure; added to an error as context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Help(pub String);

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command line that cannot be run; it ends with exit code 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage(String);

impl Usage {
    /// What is wrong with the command line, and what to do.
    pub fn error(what: impl Into<String>, help: &str) -> anyhow::Error {
        anyhow::Error::new(Self(what.into())).context(Help(help.to_owned()))
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Adds what to do to an error.
pub trait WithHelp<T> {
    /// `help` is printed in a line of its own.
    fn help(self, help: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> WithHelp<T> for Result<T, E> {
    fn help(self, help: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| error.into().context(Help(help.into())))
    }
}

/// Prints a failure on stderr.
pub fn print(error: &anyhow::Error) {
    let help = error.downcast_ref::<Help>();
    let mut said = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let is_help = help.is_some_and(|help| help.0 == text);
        // Many errors repeat their cause in their own words.
        let repeated = said.iter().any(|said: &String| said.contains(&text));
        if !is_help && !repeated {
            said.push(text);
        }
    }
    let mut said = said.into_iter();
    if let Some(what) = said.next() {
        eprintln!("error: {what}");
    }
    let causes: Vec<String> = said.collect();
    if !causes.is_empty() {
        eprintln!("cause: {}", causes.join(": "));
    }
    if let Some(help) = help {
        eprintln!("help:  {help}");
    }
}
