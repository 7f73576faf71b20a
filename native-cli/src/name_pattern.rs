//! Names that stand for several dumps: `backups/**`, of files and of objects.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use glob::{MatchOptions, Pattern};
use metadump::manifest::Manifest;
use walkdir::{DirEntry, WalkDir};

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
    let pattern = to_files(pattern);
    let below = fixed_folder(&pattern);
    let (folder, names) = pattern.split_at_checked(below.len()).unwrap_or_default();
    let whole = Pattern::new(names)?;
    let names = names.split('/').map(Pattern::new).collect::<Result<Vec<_>, _>>()?;
    let any_depth = names.iter().position(|name| name.as_str() == "**");
    let fixed = names.get(..any_depth.unwrap_or(names.len())).unwrap_or_default();
    // Links may lead back: only as many are followed as there are names.
    let walk = WalkDir::new(if folder.is_empty() { "." } else { folder }).min_depth(1);
    let walk = walk.follow_links(any_depth.is_none()).sort_by_file_name();
    let walk = walk.max_depth(if any_depth.is_none() { fixed.len() } else { usize::MAX });
    let may_lead_there = |entry: &DirEntry| {
        let name = entry.depth().checked_sub(1).and_then(|at| fixed.get(at));
        name.is_none_or(|name| name.matches_with(&entry.file_name().to_string_lossy(), OPTIONS))
    };
    let mut found = Vec::new();
    for entry in walk.into_iter().filter_entry(may_lead_there) {
        let path = match entry {
            Ok(entry) => entry.into_path(),
            // What is there is in the folder that it leads back to.
            Err(error) if error.loop_ancestor().is_some() => continue,
            Err(error) => return Err(error.into()),
        };
        let path = path.strip_prefix(if folder.is_empty() { "." } else { "" }).unwrap_or(&path);
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy();
        if whole.matches_with(&name, OPTIONS) && path.is_file() && !is_manifest(path) {
            found.push(DumpName::Path(path.to_owned()));
        }
    }
    Ok(found)
}

fn objects(url: &StoreUrl, pattern: &str) -> Result<Vec<DumpName>> {
    let matches = Pattern::new(&to_files(pattern))?;
    let listed = Object::open(url)?.listed_below(fixed_folder(pattern).to_owned())?.into_iter();
    let mut keys = Vec::from_iter(listed.map(|listed| listed.key));
    keys.retain(|key| matches.matches_with(key, OPTIONS) && !is_manifest(Path::new(key)));
    keys.sort_unstable();
    Ok(keys.iter().map(|key| DumpName::Url(url.with_key(key))).collect())
}

/// The folder that all names are in which match, with a slash behind it; empty when it is none.
fn fixed_folder(pattern: &str) -> &str {
    let fixed = pattern.split(WILD).next().unwrap_or_default();
    fixed.rfind('/').and_then(|slash| fixed.get(..=slash)).unwrap_or_default()
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
    use std::ffi::OsStr;
    use std::fs::{self, Permissions};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

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
        // Below what is named, and nothing else.
        let locked = place.path().join("b/d");
        fs::set_permissions(&locked, Permissions::from_mode(0o000)).unwrap();
        assert_eq!(found("b/*.db").unwrap(), ["b/c.db"]);
        fs::set_permissions(&locked, Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn names_that_are_not_text_and_links_that_lead_back() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("f");
        fs::create_dir(&folder).unwrap();
        for name in [&b"a.db"[..], b"\xff.db", b".hidden-\xff.db"] {
            fs::write(folder.join(OsStr::from_bytes(name)), "").unwrap();
        }
        for name in ["again", "and-again"] {
            symlink(".", folder.join(name)).unwrap();
        }
        symlink("a.db", folder.join("link.db")).unwrap();
        symlink("f", place.path().join("other")).unwrap();
        let found = |pattern: &str| {
            let found = matching(&DumpName::Path(place.path().join(pattern))).unwrap();
            let below = |name: &DumpName| {
                let path = name.path().unwrap().strip_prefix(place.path()).unwrap();
                path.to_string_lossy().into_owned()
            };
            Vec::from_iter(found.iter().map(below))
        };
        let files = ["f/a.db", "f/link.db", "f/\u{fffd}.db"];
        assert_eq!(found("f/*.db"), files);
        assert_eq!(found("**"), files);
        assert_eq!(found("f/**"), files);
        assert_eq!(found("o*/a.db"), ["other/a.db"]);
    }
}
