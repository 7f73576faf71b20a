//! The client of a store: which service it is, with which options, and how patient it is.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use opendal::layers::{RetryLayer, TimeoutLayer};
use opendal::raw::ConfigDeserializer;
use opendal::{Builder, Configurator, HttpTransporter, Operator, services};
use opendal_http_transport_reqwest::ReqwestTransport;

use super::failure::StoreFailure;
use super::network::client;
use super::url::{Parts, StoreUrl};
use crate::failure::Usage;

/// How long an answer without content may take.
const ANSWER: Duration = Duration::from_secs(30);

/// How long a piece may take: sixteen mebibytes on a slow line.
const PIECE: Duration = Duration::from_secs(120);

/// How often something is tried again: eight times in some 45 seconds.
const RETRIES: usize = 8;

/// The variable of the environment that says another number.
const RETRIES_VARIABLE: &str = "METACTL_STORE_RETRIES";

/// The region of a store that has none.
const NO_REGION: &str = "us-east-1";

/// A client of the store in which an object is.
///
/// # Errors
///
/// When there is no such kind of store, or it has no such options.
pub fn operator(url: &StoreUrl, parts: &Parts) -> Result<Operator> {
    let mut options = HashMap::from_iter(parts.options.iter().cloned());
    // The place is said by the path.
    options.remove("root");
    let authority = parts.authority.clone();
    let scheme = parts.scheme.as_str();
    let operator = match scheme {
        "s3" => {
            if !has_region(&options) {
                options.insert("region".to_owned(), NO_REGION.to_owned());
            }
            of::<services::S3>(url, scheme, options, "bucket", authority)
        }
        "gcs" => of::<services::Gcs>(url, scheme, options, "bucket", authority),
        "azblob" => of::<services::Azblob>(url, scheme, options, "container", authority),
        "oss" => of::<services::Oss>(url, scheme, options, "bucket", authority),
        "cos" => of::<services::Cos>(url, scheme, options, "bucket", authority),
        "obs" => of::<services::Obs>(url, scheme, options, "bucket", authority),
        "webhdfs" => {
            of::<services::Webhdfs>(url, scheme, options, "endpoint", format!("http://{authority}"))
        }
        other => Err(anyhow!("{other}:// is no store")),
    }?;
    let transport = HttpTransporter::new(ReqwestTransport::new(client()?));
    let context = operator.context().with_http_transport(transport);
    let retries = RetryLayer::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(8))
        .with_max_times(retries()?)
        .with_jitter();
    // Each try has its own time.
    let limits = TimeoutLayer::default().with_timeout(ANSWER).with_io_timeout(PIECE);
    Ok(operator.with_context(context).layer(limits).layer(retries))
}

fn retries() -> Result<usize> {
    let Some(number) = std::env::var_os(RETRIES_VARIABLE) else { return Ok(RETRIES) };
    let number = number.to_str().and_then(|number| number.parse::<u8>().ok());
    number.map(usize::from).ok_or_else(|| {
        Usage::error(
            format!("{RETRIES_VARIABLE} is no number up to 255"),
            "it says how often something that a store did not answer is tried again",
        )
    })
}

fn has_region(options: &HashMap<String, String>) -> bool {
    ["region", "aws_region"].iter().any(|name| options.contains_key(*name))
        || ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().any(|name| std::env::var_os(name).is_some())
}

fn of<B: Builder>(
    url: &StoreUrl,
    scheme: &str,
    mut options: HashMap<String, String>,
    place: &str,
    authority: String,
) -> Result<Operator> {
    options.insert(place.to_owned(), authority);
    let mut unknown = Vec::new();
    let config: B::Config = serde_ignored::deserialize(ConfigDeserializer::new(options), |path| {
        unknown.push(path.to_string());
    })
    .map_err(|error| anyhow!("{error}"))
    .with_context(|| format!("{url} has an option that cannot be"))?;
    if !unknown.is_empty() {
        bail!("{url} has an option that this kind of store does not know: {}", unknown.join(", "));
    }
    Operator::new(config.into_builder()).map_err(|error| {
        let failure = StoreFailure::of(&error, scheme, &url.secrets());
        anyhow::Error::new(failure).context(format!("cannot use {url}"))
    })
}
