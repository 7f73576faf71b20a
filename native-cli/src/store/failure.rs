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

/// The field of an answer in which S3 says where a bucket is.
const REGION: &str = "x-amz-bucket-region\"";

/// What stores say of a place that nobody has made.
const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "ContainerNotFound"];

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[error("{said}")]
pub struct StoreFailure {
    said: String,
    /// What kind of failure it is.
    pub kind: Kind,
    help: Box<str>,
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
    /// The bucket is in another region than the one that was asked.
    Elsewhere,
    /// The URL or the environment says something that cannot be.
    Misconfigured,
    /// The store did not answer, or not in time, however often it was asked.
    Unanswered,
    /// Anything else.
    Other,
}

impl StoreFailure {
    /// What a store of this kind (`s3`, `gcs` …) said, without any of `secrets`.
    pub fn of(error: &opendal::Error, scheme: &str, secrets: &[String]) -> Self {
        let said = masked(said(error), secrets);
        let lacks_credentials = said.contains(NO_CREDENTIALS);
        let kind = match error.kind() {
            _ if lacks_credentials => Kind::Denied,
            _ if said.contains(SKEWED) => Kind::Skewed,
            _ if is_elsewhere(error) => Kind::Elsewhere,
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
            (Kind::Missing, said) if NO_BUCKET.iter().any(|code| said.contains(code)) => {
                "the store has no such bucket".to_owned()
            }
            (Kind::Missing, _) => "the store has no such object".to_owned(),
            (Kind::Changed, _) => "the object has changed".to_owned(),
            (Kind::Denied, "") => "the store denies access".to_owned(),
            (Kind::Denied | Kind::Skewed, _) => format!("the store denies access: {said}"),
            (Kind::Elsewhere, _) => match field(&error.to_string(), REGION) {
                Some(region) => format!("the bucket is in the region {region}"),
                None => "the bucket is in another region".to_owned(),
            },
            (Kind::Unanswered, "") => "the store is busy or fails, and does not say why".to_owned(),
            (_, "") => "the store does not say why".to_owned(),
            _ => said,
        };
        Self { said, kind, help: help(kind, scheme).into() }
    }

    /// An object that is not there.
    pub fn missing() -> Self {
        let said = "the store has no such object".to_owned();
        Self { said, kind: Kind::Missing, help: help(Kind::Missing, "").into() }
    }

    /// An object that is another one than was opened.
    pub fn changed() -> Self {
        let said = "the object has changed".to_owned();
        Self { said, kind: Kind::Changed, help: help(Kind::Changed, "").into() }
    }

    /// The one in an error, if it is one.
    pub fn in_io(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// The one that an error is, or has in it.
    pub fn in_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        error.downcast_ref().or_else(|| Self::in_io(error.downcast_ref()?))
    }

    /// What to do about it.
    pub fn help(&self) -> &str {
        &self.help
    }
}

/// What to do about a failure of a kind of store.
fn help(kind: Kind, scheme: &str) -> String {
    let help = match kind {
        Kind::Missing => {
            "check the bucket and the path; `endpoint` and `region` say which store it is"
        }
        Kind::Changed => "somebody has written it meanwhile: run it again",
        Kind::Denied => {
            return format!(
                "{}: check that they are there, and may do this; and that the clock of this machine is \
                 right",
                credentials(scheme)
            );
        }
        Kind::Skewed => {
            "set the clock of this machine (`timedatectl` shows it), or that of the store, which is \
             another"
        }
        Kind::Elsewhere => {
            "name its region with `region` in the URL or AWS_REGION in the environment, and its endpoint \
             where the URL has one"
        }
        Kind::Misconfigured => {
            "check the URL, and the variables of the environment for this kind of store"
        }
        Kind::Unanswered => "check the endpoint and the network, or try again later",
        Kind::Other => "check the URL; `endpoint` and `region` say which store it is",
    };
    help.to_owned()
}

/// Whether a store that speaks S3 says that another region has the bucket. What is asked for the head of an
/// object is answered by nothing but the status.
fn is_elsewhere(error: &opendal::Error) -> bool {
    const CODES: [&str; 3] =
        ["PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"];
    let whole = error.to_string();
    CODES.iter().any(|code| error.message().contains(code)) || whole.contains("status: 301,")
}

impl From<StoreFailure> for io::Error {
    fn from(failure: StoreFailure) -> Self {
        Self::other(failure)
    }
}

/// Where a kind of store has credentials from.
fn credentials(scheme: &str) -> String {
    let variables = match scheme {
        "webhdfs" => {
            return "the options `user_name` and `delegation` of the URL say who asks".to_owned();
        }
        "gcs" => "GOOGLE_APPLICATION_CREDENTIALS",
        "azblob" => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        "oss" => "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "cos" => "TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY",
        "obs" => "HUAWEI_CLOUD_ACCESS_KEY_ID and HUAWEI_CLOUD_SECRET_ACCESS_KEY",
        _ => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    };
    format!(
        "credentials come from the environment ({variables}), the usual files, or the role of the machine"
    )
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
            let error = opendal::Error::new(kind, message);
            StoreFailure::of(&error, "s3", &["xyz".to_owned()]).to_string()
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
        let skewed = StoreFailure::of(&skewed, "s3", &[]);
        assert_eq!(skewed.kind, Kind::Skewed);
        assert_eq!(skewed.to_string(), "the store denies access: RequestTimeTooSkewed: too large");
        assert_eq!(said(ErrorKind::PermissionDenied, ""), "the store denies access");
        assert_eq!(said(ErrorKind::Unexpected, "a\n  b"), "a b");
        assert_eq!(said(ErrorKind::Unexpected, &"é".repeat(400)), format!("{}…", "é".repeat(300)));
        let error = opendal::Error::new(ErrorKind::Unexpected, "send http request")
            .set_source(anyhow::anyhow!("refused").context("connect"));
        assert_eq!(StoreFailure::of(&error, "s3", &[]).to_string(), "send http request: refused");
    }

    #[test]
    fn each_kind_of_store_has_its_variables() {
        let denied = opendal::Error::new(ErrorKind::PermissionDenied, "");
        let help = |scheme| StoreFailure::of(&denied, scheme, &[]).help().to_owned();
        assert!(
            help("azblob").contains("(AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY)")
        );
        assert!(help("gcs").contains("(GOOGLE_APPLICATION_CREDENTIALS)"));
        assert!(help("s3").contains("(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"));
        assert!(help("webhdfs").contains("`user_name` and `delegation`"));
    }

    #[test]
    fn a_bucket_that_is_missing_is_no_missing_object() {
        let said = |message| {
            let error = opendal::Error::new(ErrorKind::NotFound, message);
            StoreFailure::of(&error, "s3", &[]).to_string()
        };
        assert_eq!(said(r#"S3Error { code: "NoSuchKey" }"#), "the store has no such object");
        assert_eq!(said(r#"S3Error { code: "NoSuchBucket" }"#), "the store has no such bucket");
    }
}
