//! How the command line names a dump: a path, or the URL of an object in a store.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, PathBufValueParser, TypedValueParser};

use crate::store::StoreUrl;

/// The name of a dump. A file whose name looks like a URL is reached as `./s3://…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DumpName {
    /// A file, a device; `-` is stdin or stdout.
    Path(PathBuf),
    /// An object in a store.
    Url(StoreUrl),
    /// The pieces of a chain, each a path or a URL, in any order.
    Chain(Vec<DumpName>),
}

impl DumpName {
    /// Reads a name of the command line. One that is wrong is found when it is opened: the parser of
    /// the command line would print it, and with it the credentials that it may have.
    pub fn of(text: OsString) -> Self {
        let Some(url) = text.to_str().and_then(StoreUrl::of) else {
            return Self::Path(text.into());
        };
        local_path(&url).map_or(Self::Url(url), Self::Path)
    }

    /// What reads one from the command line. No name at all is an unset variable of a script.
    pub fn parser() -> impl TypedValueParser<Value = Self> {
        PathBufValueParser::new().map(|path| Self::of(path.into()))
    }

    /// The same; no name at all is `-`, as with the official tool.
    pub fn parser_or_dash() -> impl TypedValueParser<Value = Self> {
        OsStringValueParser::new()
            .map(|text| if text.is_empty() { Self::Path("-".into()) } else { Self::of(text) })
    }

    /// The path, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Url(_) | Self::Chain(_) => None,
        }
    }

    /// The last part of the name, if it has one.
    pub fn file_name(&self) -> Option<String> {
        match self {
            Self::Path(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()),
            Self::Url(url) => url.file_name(),
            Self::Chain(_) => None,
        }
    }

    /// What is called so in a folder or below a prefix.
    pub fn in_folder(&self, name: &str) -> Self {
        match self {
            Self::Path(folder) => Self::Path(folder.join(name)),
            Self::Url(url) => Self::Url(url.in_folder(name)),
            Self::Chain(_) => self.clone(),
        }
    }

    /// Whether it is `-`.
    pub fn is_dash(&self) -> bool {
        self.path() == Some(Path::new("-"))
    }
}

impl fmt::Display for DumpName {
    /// As it was given, without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Url(url) => url.fmt(f),
            Self::Chain(pieces) => {
                let shown = Vec::from_iter(pieces.iter().map(ToString::to_string));
                f.write_str(&shown.join(" "))
            }
        }
    }
}

impl From<PathBuf> for DumpName {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

/// The file that a URL names: `file:///path`, and `fs://path`, which begins at the root as well.
fn local_path(url: &StoreUrl) -> Option<PathBuf> {
    let (scheme, rest) = url.split();
    let path = match scheme.as_str() {
        "file" => rest.strip_prefix("localhost").unwrap_or(rest).to_owned(),
        "fs" => format!("/{}", rest.trim_start_matches('/')),
        _ => return None,
    };
    let is_local = path.starts_with('/') && !path.contains('?');
    let path = Vec::from_iter(percent_encoding::percent_decode_str(&path));
    is_local.then(|| OsString::from_vec(path).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_files_are_paths() {
        for (text, path) in [
            ("file:///a/b%20c.db", "/a/b c.db"),
            ("FILE://localhost/a", "/a"),
            ("fs://tmp/meta.db", "/tmp/meta.db"),
            ("fs:///tmp/meta.db", "/tmp/meta.db"),
            ("./s3://b/k", "./s3://b/k"),
            ("s3:", "s3:"),
            ("-", "-"),
            ("", ""),
        ] {
            assert_eq!(DumpName::of(text.into()), DumpName::Path(path.into()), "{text}");
        }
        for text in ["s3://b/k", "file://host/a", "file://a", "fs:///a?region=c", "x://"] {
            let name = DumpName::of(text.into());
            assert!(matches!(name, DumpName::Url(_)) && name.to_string() == text, "{text}");
        }
    }
}
