//! What a store says when something fails, in a sentence, without credentials.

use std::error::Error;
use std::io;

use opendal::ErrorKind;

/// How much of what a store says is repeated.
const MOST_CHARS: usize = 300;

/// What the library says when it finds no credentials, wherever it looks.
const NO_CREDENTIALS: &str = "failed to load signing credential";

/// What S3, and those that speak its protocol, say of a request whose time is not theirs.
const SKEWED: &str = "RequestTimeTooSkewed";

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[error("{said}")]
pub struct StoreFailure {
    said: String,
    /// What kind of failure it is.
    pub kind: Kind,
}

/// The failures that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no such object.
    Missing,
    /// The object is another one than was opened.
    Changed,
    /// The store does not let us.
    Denied,
    /// The store does not let us, since its clock is another than ours.
    Skewed,
    /// The URL or the environment says something that cannot be.
    Misconfigured,
    /// The store did not answer, or not in time, however often it was asked.
    Unanswered,
    /// Anything else.
    Other,
}

impl StoreFailure {
    /// What a store said, without any of `secrets`.
    pub fn of(error: &opendal::Error, secrets: &[String]) -> Self {
        let said = masked(said(error), secrets);
        let lacks_credentials = said.contains(NO_CREDENTIALS);
        let kind = match error.kind() {
            _ if lacks_credentials => Kind::Denied,
            _ if said.contains(SKEWED) => Kind::Skewed,
            ErrorKind::NotFound => Kind::Missing,
            ErrorKind::ConditionNotMatch => Kind::Changed,
            ErrorKind::PermissionDenied => Kind::Denied,
            ErrorKind::ConfigInvalid => Kind::Misconfigured,
            ErrorKind::RateLimited => Kind::Unanswered,
            _ if error.is_temporary() || error.is_persistent() => Kind::Unanswered,
            _ => Kind::Other,
        };
        let said = match (kind, said.as_str()) {
            _ if lacks_credentials => "there are no credentials for this store".to_owned(),
            (Kind::Missing, _) => "the store has no such object".to_owned(),
            (Kind::Changed, _) => "the object has changed".to_owned(),
            (Kind::Denied, "") => "the store denies access".to_owned(),
            (Kind::Denied | Kind::Skewed, _) => format!("the store denies access: {said}"),
            (Kind::Unanswered, "") => "the store is busy or fails, and does not say why".to_owned(),
            (_, "") => "the store does not say why".to_owned(),
            _ => said,
        };
        Self { said, kind }
    }

    /// An object that is not there.
    pub fn missing() -> Self {
        Self { said: "the store has no such object".to_owned(), kind: Kind::Missing }
    }

    /// An object that is another one than was opened.
    pub fn changed() -> Self {
        Self { said: "the object has changed".to_owned(), kind: Kind::Changed }
    }

    /// The one in an error, if it is one.
    pub fn in_io(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self.kind {
            Kind::Missing => {
                "check the bucket and the path; `endpoint` and `region` say which store it is"
            }
            Kind::Changed => "somebody has written it meanwhile: run it again",
            Kind::Denied => {
                "credentials come from the environment (such as AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY), the usual files, or the role of the machine: check that they \
                 are there, and may do this; and that the clock of this machine is right"
            }
            Kind::Skewed => {
                "set the clock of this machine (`timedatectl` shows it), or that of the store, which \
                 is another"
            }
            Kind::Misconfigured => {
                "check the URL, and the variables of the environment for this kind of store"
            }
            Kind::Unanswered => "check the endpoint and the network, or try again later",
            Kind::Other => "check the URL; `endpoint` and `region` say which store it is",
        }
    }
}

impl From<StoreFailure> for io::Error {
    fn from(failure: StoreFailure) -> Self {
        Self::other(failure)
    }
}

/// What the store says; else what the client of it says, with its cause.
fn said(error: &opendal::Error) -> String {
    let message = error.message();
    let of_store: Vec<_> =
        ["code", "message"].iter().filter_map(|name| field(message, name)).collect();
    if !of_store.is_empty() {
        return shortened(&of_store.join(": "));
    }
    let mut cause: Option<&dyn Error> = error.source();
    let mut root = None;
    while let Some(error) = cause {
        root = Some(error.to_string());
        cause = error.source();
    }
    shortened(&Vec::from_iter([Some(message.to_owned()), root].into_iter().flatten()).join(": "))
}

/// A text in what the library makes of an answer: `S3Error { code: "AccessDenied", message: … }`.
fn field(message: &str, name: &str) -> Option<String> {
    let (_, value) = message.split_once(&format!("{name}: \""))?;
    let mut text = String::new();
    let mut chars = value.chars();
    loop {
        match chars.next()? {
            '"' => break,
            '\\' => text.push(chars.next()?),
            char => text.push(char),
        }
    }
    (!text.is_empty()).then_some(text)
}

fn shortened(text: &str) -> String {
    let line = Vec::from_iter(text.split_whitespace()).join(" ");
    match line.char_indices().nth(MOST_CHARS) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

fn masked(text: String, secrets: &[String]) -> String {
    secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text, |text, secret| text.replace(secret, "***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_says_is_a_sentence_without_secrets() {
        let said = |kind, message: &str| {
            StoreFailure::of(&opendal::Error::new(kind, message), &["xyz".to_owned()]).to_string()
        };
        let s3 = r#"S3Error { code: "AccessDenied", message: "not \"you\", xyz", resource: "", request_id: "" }"#;
        assert_eq!(
            said(ErrorKind::PermissionDenied, s3),
            r#"the store denies access: AccessDenied: not "you", ***"#
        );
        let skewed = opendal::Error::new(
            ErrorKind::PermissionDenied,
            r#"S3Error { code: "RequestTimeTooSkewed", message: "too large", resource: "" }"#,
        );
        let skewed = StoreFailure::of(&skewed, &[]);
        assert_eq!(skewed.kind, Kind::Skewed);
        assert_eq!(skewed.to_string(), "the store denies access: RequestTimeTooSkewed: too large");
        assert_eq!(said(ErrorKind::PermissionDenied, ""), "the store denies access");
        assert_eq!(said(ErrorKind::Unexpected, "a\n  b"), "a b");
        assert_eq!(said(ErrorKind::Unexpected, &"é".repeat(400)), format!("{}…", "é".repeat(300)));
        let error = opendal::Error::new(ErrorKind::Unexpected, "send http request")
            .set_source(anyhow::anyhow!("refused").context("connect"));
        assert_eq!(StoreFailure::of(&error, &[]).to_string(), "send http request: refused");
    }
}
