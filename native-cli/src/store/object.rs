//! An object in a store.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use opendal::options::WriteOptions;
use opendal::raw::Timestamp;
use opendal::{Buffer, Entry, ErrorKind, Lister, Metadata, Operator};

use super::failure::StoreFailure;
use super::network::{self, PATIENCE};
use super::service::operator;
use super::url::StoreUrl;

/// The most that a small object such as a manifest may hold.
const SMALL_BYTES: u64 = 1 << 20;

/// How many keys are listed in a step.
const PAGE_KEYS: usize = 1000;

/// The most keys that are listed: whoever keeps backups does not have more of them in a place.
const MOST_LISTED: usize = 1_000_000;

/// A list that does not end.
#[derive(Debug, thiserror::Error)]
enum ListError {
    #[error("the store lists the same objects again and again")]
    Again,
    #[error("the store lists more than {MOST_LISTED} objects: name a folder below this one")]
    Long,
}

impl From<ListError> for io::Error {
    fn from(error: ListError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// An object by name, whether it is there or not.
#[derive(Clone)]
pub struct Object {
    operator: Operator,
    key: String,
    /// Its URL for messages.
    shown: String,
    secrets: Arc<[String]>,
}

/// Which version of an object it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// How many bytes it has.
    pub len_bytes: u64,
    /// What the store calls this version.
    pub etag: Option<String>,
    modified: Option<Timestamp>,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it is in the bucket.
    pub key: String,
    /// How many bytes it has; none where the list does not say.
    pub len_bytes: Option<u64>,
}

impl Listed {
    fn of(entry: &Entry) -> Self {
        // A list that does not say has zero bytes, which no dump has.
        let len_bytes = Some(entry.metadata().content_length()).filter(|len| *len > 0);
        Self { key: entry.path().to_owned(), len_bytes }
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            len_bytes: metadata.content_length(),
            etag: metadata.etag().map(str::to_owned),
            modified: metadata.last_modified(),
        }
    }
}

impl Object {
    /// The object of a URL. Nothing is asked of the store yet.
    ///
    /// # Errors
    ///
    /// When the URL is none of an object, or has options that its store does not know.
    pub fn open(url: &StoreUrl) -> anyhow::Result<Self> {
        let parts = url.parts()?;
        network::start()?;
        let operator = operator(url, &parts)?;
        let (shown, secrets) = (url.to_string(), url.secrets().into());
        Ok(Self { operator, key: parts.key, shown, secrets })
    }

    /// The URL without credentials.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Where it is in the bucket.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The last part of the name.
    pub fn file_name(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or(&self.key)
    }

    /// The object of another name in the same place.
    pub fn named(&self, key: String) -> Self {
        let shown = match self.shown.split_once('?') {
            Some((before, options)) => (before, format!("?{options}")),
            None => (self.shown.as_str(), String::new()),
        };
        let folder = shown.0.rsplit_once('/').map_or("", |(folder, _)| folder);
        let file_name = key.rsplit('/').next().unwrap_or(&key);
        let shown = format!("{folder}/{file_name}{}", shown.1);
        Self { key, shown, operator: self.operator.clone(), secrets: Arc::clone(&self.secrets) }
    }

    /// Its client.
    pub(super) const fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Which version is there; none when there is none.
    ///
    /// # Errors
    ///
    /// When the store does not say.
    pub fn stamp(&self) -> io::Result<Option<Stamp>> {
        let (operator, key) = (self.operator.clone(), self.key.clone());
        self.wait(PATIENCE, async move {
            match operator.stat(&key).await {
                Ok(metadata) => Ok(Some(Stamp::of(&metadata))),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    /// Its whole content; none when it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be read; `FileTooLarge` beyond a mebibyte.
    pub fn read_small(&self) -> io::Result<Option<Vec<u8>>> {
        let Some(stamp) = self.stamp()? else { return Ok(None) };
        if stamp.len_bytes > SMALL_BYTES {
            let reason = format!("it has more than {SMALL_BYTES} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        let (operator, key) = (self.operator.clone(), self.key.clone());
        self.wait(PATIENCE, async move {
            match operator.read(&key).await {
                Ok(content) => Ok(Some(content.to_vec())),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    /// All objects of its bucket that are in a folder or below it.
    ///
    /// # Errors
    ///
    /// When the store does not list them.
    pub fn listed_below(&self, folder: String) -> io::Result<Vec<Listed>> {
        let operator = self.operator.clone();
        let (mut lister, mut listed) = (None, BTreeMap::new());
        loop {
            // A page at a time: each has the patience of a step.
            let (operator, folder) = (operator.clone(), folder.clone());
            let page = self.wait(PATIENCE, async move {
                let mut entries = match lister.take() {
                    Some(entries) => entries,
                    None => operator.lister_with(&folder).recursive(true).await?,
                };
                let mut page = Vec::new();
                while page.len() < PAGE_KEYS {
                    match entries.try_next().await? {
                        Some(entry) if entry.metadata().is_file() => {
                            page.push(Listed::of(&entry));
                        }
                        Some(_) => {}
                        None => return Ok((page, None)),
                    }
                }
                Ok((page, Some(entries)))
            });
            let (page, rest): (Vec<Listed>, Option<Lister>) = page?;
            let before = listed.len();
            listed.extend(page.into_iter().map(|found| (found.key.clone(), found)));
            match rest {
                Some(_) if listed.len() == before => return Err(ListError::Again.into()),
                Some(_) if listed.len() > MOST_LISTED => return Err(ListError::Long.into()),
                Some(rest) => lister = Some(rest),
                None => return Ok(listed.into_values().collect()),
            }
        }
    }

    /// Writes the whole of it, in one step.
    ///
    /// # Errors
    ///
    /// When it cannot be written; it is what it was then.
    pub fn write_small(&self, content: Vec<u8>) -> io::Result<()> {
        let (operator, key) = (self.operator.clone(), self.key.clone());
        let options = self.write_options(content_type(&self.key));
        self.wait(PATIENCE, async move {
            operator.write_options(&key, Buffer::from(content), options).await.map(drop)
        })
    }

    /// What the store gets to know of what is written.
    pub(super) fn write_options(&self, content_type: &str) -> WriteOptions {
        let takes_it = self.operator.info().capability().write_with_content_type;
        let content_type = takes_it.then(|| content_type.to_owned());
        WriteOptions { content_type, ..WriteOptions::default() }
    }

    /// Removes it, if it is there.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        let (operator, key) = (self.operator.clone(), self.key.clone());
        self.wait(PATIENCE, async move { operator.delete(&key).await })
    }

    /// Waits for the store, and says what it says.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        patience: Duration,
        future: impl Future<Output = opendal::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        network::wait(patience, future)?.map_err(|error| self.failed(&error))
    }

    /// What the store says, without credentials.
    pub(super) fn failed(&self, error: &opendal::Error) -> io::Error {
        StoreFailure::of(error, self.operator.info().scheme(), &self.secrets).into()
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({})", self.shown)
    }
}

/// The media type of bytes that say nothing without a key.
pub(super) const SEALED: &str = "application/octet-stream";

/// The media type of what has this name. A store without one calls it whatever it likes.
pub(super) fn content_type(key: &str) -> &'static str {
    match key.rsplit_once('.').map_or("", |(_, suffix)| suffix) {
        "json" => "application/json",
        "zst" => "application/zstd",
        "gz" => "application/gzip",
        "age" => SEALED,
        "parquet" => "application/vnd.apache.parquet",
        _ => "application/x-ndjson",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        for (key, expected) in [
            ("nightly/meta.db", "application/x-ndjson"),
            ("nightly.zst/meta", "application/x-ndjson"),
            ("meta.db.zst", "application/zstd"),
            ("meta.db.gz", "application/gzip"),
            ("meta.db.zst.age", "application/octet-stream"),
            ("meta.db.zst.manifest.json", "application/json"),
            ("keys/cluster=c/meta.db.parquet", "application/vnd.apache.parquet"),
        ] {
            assert_eq!(content_type(key), expected, "{key}");
        }
    }
}
