//! The URL of an object in a store, and how it is shown: without the credentials that may be in it.

use std::fmt;

use anyhow::{Context, Result, anyhow};
use opendal::OperatorUri;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::failure::WithHelp;

/// What stands between the kind of a URL and the rest of it.
const AFTER_SCHEME: &str = "://";

/// The kinds of URLs, for messages.
const KINDS: &str = "s3, gs, azblob, oss, cos, obs, webhdfs, file and fs";

/// What is shown in place of a credential.
const MASK: &str = "***";

/// The options that say where something is and how it is spoken to, and never hold a credential. All
/// others are hidden.
const SHOWN: &[&str] = &[
    "account_name",
    "addressing_style",
    "atomic_write_dir",
    "checksum_algorithm",
    "default_storage_class",
    "disable_config_load",
    "disable_ec2_metadata",
    "disable_list_objects_v2",
    "disable_vm_metadata",
    "enable_virtual_host_style",
    "endpoint",
    "profile",
    "region",
    "server_side_encryption",
    "skip_signature",
];

/// What of a key is not itself in a URL.
const IN_KEY: &AsciiSet = &CONTROLS.add(b' ').add(b'#').add(b'%').add(b'*').add(b'?').add(b'[');

/// The URL of an object, as it was given.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

/// A URL taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Parts {
    /// The kind of store: `s3`, `gcs` …
    pub scheme: String,
    /// The bucket; for `webhdfs`, the host and its port.
    pub authority: String,
    /// The object.
    pub key: String,
    /// What else there is to say, by name.
    pub options: Vec<(String, String)>,
}

impl StoreUrl {
    /// A text that begins as a URL does.
    pub fn of(text: &str) -> Option<Self> {
        let (scheme, _) = text.split_once(AFTER_SCHEME)?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        is_scheme.then(|| Self(text.to_owned()))
    }

    /// As it was given, credentials and all: for the store, never for a message.
    pub fn as_given(&self) -> &str {
        &self.0
    }

    /// The kind, in lower case, and what follows.
    pub fn split(&self) -> (String, &str) {
        let (scheme, rest) = self.0.split_once(AFTER_SCHEME).unwrap_or_default();
        (scheme.to_ascii_lowercase(), rest)
    }

    /// Takes it apart.
    ///
    /// # Errors
    ///
    /// When it is no URL, has credentials where they do not belong, or names no object.
    pub fn parts(&self) -> Result<Parts> {
        self.assert_kind()?;
        // What follows a `#` is no part of a name elsewhere; in a store it is.
        let uri = OperatorUri::new(&self.0.replace('#', "%23"), []).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            anyhow!("{}", cause.unwrap_or_else(|| "it is malformed".to_owned()))
                .context(format!("{self} is no URL of an object"))
        })?;
        if uri.username().is_some() || uri.password().is_some() {
            return Err(anyhow!("{self} has credentials before its host")).help(
                "leave them out: they come from the environment, from the usual files or from the \
                 role of the machine",
            );
        }
        let (before_query, _) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let example =
            || format!("name an object, such as {}://bucket/path/meta.db.zst", uri.scheme());
        let authority = uri.authority().with_context(|| format!("{self} names no bucket"));
        let authority = authority.help(example())?.to_owned();
        let key = uri.root().filter(|_| !before_query.ends_with('/'));
        let key = key.with_context(|| format!("{self} is a folder, not an object"));
        let key = key.help(example())?.to_owned();
        let mut options = Vec::from_iter(uri.options().clone());
        options.sort();
        let scheme = match uri.scheme() {
            "gs" => "gcs",
            scheme => scheme,
        };
        Ok(Parts { scheme: scheme.to_owned(), authority, key, options })
    }

    fn assert_kind(&self) -> Result<()> {
        match self.split().0.as_str() {
            "s3" | "gs" | "gcs" | "azblob" | "oss" | "cos" | "obs" | "webhdfs" => Ok(()),
            "file" | "fs" => Err(anyhow!("{self} is no file of this machine"))
                .help("write file:///path/to/meta.db, without a host and a query"),
            "http" | "https" => Err(anyhow!("{self} is fetched by other programs"))
                .help("`curl -fsSL URL | databend-metactl …` reads it as it comes"),
            "grpc" => Err(anyhow!("{self} is a running service, and this takes a dump"))
                .help("`databend-metactl export --grpc-api-address HOST:PORT` makes one"),
            other => Err(anyhow!("{other}:// is no kind of URL that is known"))
                .help(format!("there are {KINDS}; a file of this name is ./{self}")),
        }
    }

    /// Whether it names what is below a prefix: it ends with a slash.
    pub fn is_folder(&self) -> bool {
        self.0.split('?').next().is_some_and(|before| before.ends_with('/'))
    }

    /// What is called so below a prefix.
    pub fn in_folder(&self, name: &str) -> Self {
        let name = utf8_percent_encode(name, IN_KEY);
        let (before, query) = self.0.split_at(self.0.find('?').unwrap_or(self.0.len()));
        Self(format!("{}/{name}{query}", before.trim_end_matches('/')))
    }

    /// The last part of the name of the object, if it names one.
    pub fn file_name(&self) -> Option<String> {
        let key = self.parts().ok()?.key;
        key.rsplit('/').next().map(str::to_owned)
    }

    /// The same of another object in the bucket.
    pub fn with_key(&self, key: &str) -> Self {
        let (before, query) = match self.0.split_once('?') {
            Some((before, query)) => (before, format!("?{query}")),
            None => (self.0.as_str(), String::new()),
        };
        let (scheme, rest) = before.split_once(AFTER_SCHEME).unwrap_or_default();
        let authority = rest.split('/').next().unwrap_or_default();
        let key = utf8_percent_encode(key, IN_KEY);
        Self(format!("{scheme}{AFTER_SCHEME}{authority}/{key}{query}"))
    }

    /// The credentials in it.
    pub fn secrets(&self) -> Vec<String> {
        let options = self.parts().map(|parts| parts.options).unwrap_or_default();
        options
            .into_iter()
            .filter(|(name, value)| !is_shown(name, value))
            .map(|(_, value)| value)
            .collect()
    }

    /// Whether both lead to one object.
    pub fn is_same_object(&self, other: &Self) -> bool {
        let place = |url: &Self| {
            let Parts { scheme, authority, key, options } = url.parts().ok()?;
            let endpoint = options.into_iter().find(|(name, _)| name == "endpoint");
            Some((scheme, authority, key, endpoint))
        };
        self == other || place(self).is_some_and(|one| place(other) == Some(one))
    }
}

/// What stands before an `@`, or behind a `?`, of an endpoint can be a credential.
fn is_shown(name: &str, value: &str) -> bool {
    SHOWN.contains(&name.to_ascii_lowercase().as_str()) && !value.contains(['@', '?'])
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once(AFTER_SCHEME).unwrap_or_default();
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        write!(f, "{scheme}{AFTER_SCHEME}")?;
        match authority.rsplit_once('@') {
            Some((_, host)) => write!(f, "{MASK}@{host}{path}")?,
            None => write!(f, "{authority}{path}")?,
        }
        for (number, option) in query.iter().flat_map(|query| query.split('&')).enumerate() {
            let between = if number == 0 { '?' } else { '&' };
            match option.split_once('=') {
                Some((name, value)) if !is_shown(name, &decoded(value)) => {
                    write!(f, "{between}{name}={MASK}")?;
                }
                _ => write!(f, "{between}{option}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for StoreUrl {
    /// Without credentials, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> StoreUrl {
        StoreUrl::of(text).unwrap()
    }

    #[test]
    fn what_begins_as_a_url_is_one() {
        for text in ["s3://b/k", "S3://b/k", "x-y+z.1://"] {
            assert!(StoreUrl::of(text).is_some(), "{text}");
        }
        for text in ["", "s3:/b/k", "./s3://b/k", "://b/k", "3s://b/k", "a b://c", "meta.db"] {
            assert!(StoreUrl::of(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_url_is_taken_apart() {
        let parts =
            url("gs://b/a%20folder/x#1.db?endpoint=http%3A%2F%2F127.0.0.1:9&Region=eu").parts();
        let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            parts.unwrap(),
            Parts {
                scheme: "gcs".into(),
                authority: "b".into(),
                key: "a folder/x#1.db".into(),
                options: vec![option("endpoint", "http://127.0.0.1:9"), option("region", "eu")],
            }
        );
        let says = |text: &str| crate::failure::what(&url(text).parts().unwrap_err());
        assert_eq!(says("s3://b/folder/"), "s3://b/folder/ is a folder, not an object");
        assert_eq!(says("s3://b"), "s3://b is a folder, not an object");
        assert_eq!(says("s3:///k"), "s3:///k names no bucket");
        assert_eq!(says("s3://me:secret@b/k"), "s3://***@b/k has credentials before its host");
    }

    #[test]
    fn another_object_has_the_same_options() {
        let url = url("s3://b/x/**?region=eu").with_key("x/a b?*#%.db");
        assert_eq!(url.to_string(), "s3://b/x/a%20b%3F%2A%23%25.db?region=eu");
        assert_eq!(url.parts().unwrap().key, "x/a b?*#%.db");
    }

    #[test]
    fn credentials_are_never_shown() {
        for (given, shown) in [
            ("s3://b/k", "s3://b/k"),
            (
                "s3://b/k?region=eu&secret_access_key=xyz",
                "s3://b/k?region=eu&secret_access_key=***",
            ),
            ("azblob://b/k?SAS_TOKEN=xyz&flag", "azblob://b/k?SAS_TOKEN=***&flag"),
            ("s3://b/k?endpoint=http://me:xyz@host", "s3://b/k?endpoint=***"),
            ("s3://b/k?endpoint=http://me:xyz%40host", "s3://b/k?endpoint=***"),
            ("azblob://b/k?endpoint=https://a.net/?sv=1%26sig=xyz", "azblob://b/k?endpoint=***"),
            (
                "azblob://b/k?account_name=a&account_key=xyz",
                "azblob://b/k?account_name=a&account_key=***",
            ),
            ("s3://me:xyz@b/k@2", "s3://***@b/k@2"),
        ] {
            let url = url(given);
            assert_eq!(
                (url.to_string().as_str(), format!("{url:?}")),
                (shown, format!("StoreUrl({shown})"))
            );
        }
        assert_eq!(url("s3://b/k?region=eu&secret_access_key=xyz").secrets(), ["xyz"]);
    }

    #[test]
    fn options_do_not_make_another_object() {
        let one = url("s3://b/k?endpoint=x&access_key_id=1");
        assert!(one.is_same_object(&url("s3://b/k?access_key_id=2&endpoint=x")));
        assert!(!one.is_same_object(&url("s3://b/k?endpoint=y")));
        assert!(!one.is_same_object(&url("s3://b/K?endpoint=x")));
    }
}
