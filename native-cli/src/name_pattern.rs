//! Names that stand for several dumps: `backups/**`, of files and of objects.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use glob::{MatchOptions, Pattern};
use metadump::manifest::Manifest;

use crate::dump_name::DumpName;
use crate::failure::WithHelp;
use crate::store::{Object, StoreUrl};

/// What makes a name a pattern.
const WILD: [char; 2] = ['*', '['];

/// A `*` stops at a slash, and hidden files have to be named.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The dumps that a name stands for, in their order: itself, or all that a pattern matches except
/// manifests. A file that has the name is meant itself.
///
/// # Errors
///
/// When the pattern is malformed or matches nothing, and when the store cannot be asked.
pub fn matching(name: &DumpName) -> Result<Vec<DumpName>> {
    let found = match name {
        DumpName::Path(path) => match path.to_str().filter(|path| path.contains(WILD)) {
            Some(pattern) if !path.exists() => files(pattern),
            _ => return Ok(vec![name.clone()]),
        },
        DumpName::Chain(_) => return Ok(vec![name.clone()]),
        DumpName::Url(url) if url.is_folder() => return Ok(vec![name.clone()]),
        DumpName::Url(url) => match url.parts()?.key {
            key if key.contains(WILD) => objects(url, &key),
            _ => return Ok(vec![name.clone()]),
        },
    };
    let found = found.with_context(|| format!("cannot look for {name}"))?;
    if found.is_empty() {
        return Err(anyhow!("no dump matches {name}"))
            .help("`*` is anything up to a slash, `**` any folders, `[ab]` one of these");
    }
    Ok(found)
}

fn files(pattern: &str) -> Result<Vec<DumpName>> {
    let mut found = Vec::new();
    for path in glob::glob_with(&to_files(pattern), OPTIONS)? {
        let path = path?;
        if path.is_file() && !is_manifest(&path) {
            found.push(DumpName::Path(path));
        }
    }
    Ok(found)
}

fn objects(url: &StoreUrl, pattern: &str) -> Result<Vec<DumpName>> {
    let matches = Pattern::new(&to_files(pattern))?;
    let wild = pattern.find(WILD).unwrap_or(pattern.len());
    let fixed = pattern.get(..wild).unwrap_or_default();
    let folder = fixed.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let listed = Object::open(url)?.listed_below(folder)?.into_iter();
    let mut keys = Vec::from_iter(listed.map(|listed| listed.key));
    keys.retain(|key| matches.matches_with(key, OPTIONS) && !is_manifest(Path::new(key)));
    keys.sort_unstable();
    Ok(keys.iter().map(|key| DumpName::Url(url.with_key(key))).collect())
}

/// `**` at the end is every file below.
fn to_files(pattern: &str) -> String {
    if pattern.ends_with("**") { format!("{pattern}/*") } else { pattern.to_owned() }
}

fn is_manifest(path: &Path) -> bool {
    let ending = Manifest::path_of(Path::new(""));
    path.as_os_str().as_encoded_bytes().ends_with(ending.as_os_str().as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_pattern_stands_for_files_without_their_manifests() {
        let place = tempfile::tempdir().unwrap();
        for name in ["a.db", "a.db.manifest.json", "b/c.db", "b/d/e.db.zst", ".hidden", "[x].db"] {
            let path = place.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| {
            let below = |name: DumpName| {
                let path = name.path().unwrap().strip_prefix(place.path()).unwrap();
                path.display().to_string()
            };
            let name = DumpName::Path(place.path().join(pattern));
            matching(&name).map(|found| Vec::from_iter(found.into_iter().map(below)))
        };
        assert_eq!(found("*.db").unwrap(), ["[x].db", "a.db"]);
        assert_eq!(found("**").unwrap(), ["[x].db", "a.db", "b/c.db", "b/d/e.db.zst"]);
        assert_eq!(found("b/*").unwrap(), ["b/c.db"]);
        assert_eq!(found("[x].db").unwrap(), ["[x].db"]);
        assert_eq!(found("none").unwrap(), ["none"]);
        assert!(
            found("*.none").unwrap_err().root_cause().to_string().starts_with("no dump matches ")
        );
        assert!(found("a[").is_err());
    }
}
