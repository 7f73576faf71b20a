//! What stands under the name that is to be written: a file to replace, or something to write into.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use metadump::manifest::Manifest;
use rustix::fs::OFlags;

use crate::chain::{Folder, manifest_name};
use crate::dump_name::DumpName;
use crate::encryption::keys;
use crate::failure::Usage;
use crate::files::kind_name;
use crate::open_dir::parent_of;
use crate::store::{Object, StoreUrl};
use crate::temporary::remove_leftovers;

/// The ending of a file that has not got its name yet.
pub const PART: &str = ".part";

/// How many links are followed; the kernel follows as many.
const MOST_LINKS: usize = 40;

/// Where a dump goes.
#[derive(Debug, Clone)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// What is no regular file, and is written into.
    Stream(Stream),
    /// A regular file, which is replaced, or none yet.
    File(Names),
    /// An object in a store, likewise.
    Object(Object),
}

/// A device, a FIFO, or a file that a process has open (`/dev/fd/3`).
#[derive(Debug, Clone)]
pub struct Stream {
    /// The name.
    pub path: PathBuf,
    /// What it is, with its article.
    pub kind: &'static str,
    flags: OFlags,
}

/// A file, by all its names.
#[derive(Debug, Clone)]
pub struct Names {
    /// As the user names it.
    pub given: PathBuf,
    /// The symbolic links on the way.
    pub links: Vec<PathBuf>,
    /// The file itself, which may not be there.
    pub target: PathBuf,
}

impl Destination {
    /// A name from the command line; `-` and none are stdout.
    ///
    /// # Errors
    ///
    /// When a dump cannot go there.
    pub fn from_arg(name: Option<&DumpName>) -> Result<Self> {
        if let Some(name) = name.and_then(DumpName::file_name) {
            if let Some(dump) = name.strip_suffix(&manifest_name("")) {
                return Err(Usage::error(
                    format!("{name} is the name of a manifest"),
                    &format!("the manifest of {dump} comes beside it: name the dump"),
                ));
            }
            keys().assert_some_for(Path::new(&name))?;
        }
        match name {
            None => Ok(Self::Stdout),
            Some(DumpName::Path(path)) => Self::of_path(path),
            Some(DumpName::Url(url)) => Ok(Self::Object(Object::open(url)?)),
            Some(name @ DumpName::Chain(_)) => {
                bail!("{name} are several names, and one is written")
            }
        }
    }

    /// A path; `-` is stdout.
    ///
    /// # Errors
    ///
    /// When a dump cannot go there.
    pub fn of_path(path: &Path) -> Result<Self> {
        if path == Path::new("-") { Ok(Self::Stdout) } else { Self::of(path) }
    }

    /// The same for what is made of `input`, which stays as it is.
    ///
    /// # Errors
    ///
    /// When a dump cannot go there, or it is the input.
    pub fn for_input(input: Option<&DumpName>, output: Option<&DumpName>) -> Result<Self> {
        if let (Some(input), Some(output)) = (input, output)
            && is_part_of(input, output)
        {
            return Err(Usage::error(
                "the output is the input",
                "name another file for it; the dump that is read stays as it is",
            ));
        }
        Self::from_arg(output)
    }

    /// Whether it is a file or an object, which has its name only when it is complete. What goes
    /// elsewhere is gone at once.
    pub const fn is_file(&self) -> bool {
        matches!(self, Self::File(_) | Self::Object(_))
    }

    fn of(path: &Path) -> Result<Self> {
        let shown = path.display();
        let there = match fs::metadata(path) {
            Ok(meta) => Some(meta.file_type()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot write {shown}")),
        };
        let is_dir_name =
            path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/");
        if there.is_some_and(|kind| kind.is_dir()) || is_dir_name {
            bail!("{shown} is a directory, not a file");
        }
        if there.is_some_and(|kind| kind.is_socket()) {
            bail!("{shown} is a socket, not a file");
        }
        let stream = |kind, flags| Self::Stream(Stream { path: path.to_owned(), kind, flags });
        let names = match follow(path)? {
            Followed::Stdout => return Ok(Self::Stdout),
            Followed::OpenFile => {
                let is_file = there.is_some_and(|kind| kind.is_file());
                let flags = if is_file { OFlags::TRUNC } else { OFlags::empty() };
                return Ok(stream("open in a process", flags));
            }
            Followed::Names(names) => names,
        };
        Ok(match there {
            // A disk that is in use, by a file system or for swapping, is refused.
            Some(kind) if kind.is_block_device() => stream(kind_name(kind), OFlags::EXCL),
            Some(kind) if !kind.is_file() => stream(kind_name(kind), OFlags::empty()),
            _ => Self::File(names),
        })
    }
}

impl Stream {
    /// Opens it; a FIFO waits for its reader.
    pub fn open(&self) -> io::Result<File> {
        let flags = (self.flags | OFlags::NOCTTY).bits().cast_signed();
        OpenOptions::new().write(true).custom_flags(flags).open(&self.path)
    }
}

impl Names {
    /// The directory of the file.
    pub fn parent(&self) -> PathBuf {
        parent_of(&self.target)
    }

    /// `.NAME.` and more: what is only needed meanwhile, beside the file.
    pub fn hidden(&self, more: &str) -> OsString {
        let mut hidden = OsString::from(".");
        hidden.push(self.target.file_name().unwrap_or(OsStr::new("")));
        hidden.push(".");
        hidden.push(more);
        hidden
    }

    /// Removes what earlier runs of the same name have left when they were killed.
    pub fn remove_leftovers(&self) {
        remove_leftovers(&self.hidden(""), PART, &self.parent());
    }

    /// Removes the manifests that stand beside links to the file: they are of another dump now.
    pub fn remove_manifests_of_links(&self) {
        for link in &self.links {
            // That of the file comes before it, whether it can be removed or not.
            let _ = fs::remove_file(Manifest::path_of(link));
        }
    }
}

enum Followed {
    /// The standard output of this process.
    Stdout,
    /// Another open file of this process, or of another one.
    OpenFile,
    Names(Names),
}

/// Follows symbolic links, also one that leads to nothing yet.
fn follow(given: &Path) -> Result<Followed> {
    let mut links = Vec::new();
    let mut target = given.to_owned();
    while let Ok(to) = fs::read_link(&target) {
        // Links of this kind do not name what they lead to, but are the open file itself.
        let dir = fs::canonicalize(parent_of(&target)).unwrap_or_default();
        if dir.starts_with("/proc") {
            let is_ours = fs::canonicalize("/proc/self/fd").is_ok_and(|ours| ours == dir);
            let is_stdout = is_ours && target.file_name() == Some(OsStr::new("1"));
            return Ok(if is_stdout { Followed::Stdout } else { Followed::OpenFile });
        }
        if links.len() == MOST_LINKS {
            bail!("{} is a link to a link, more than {MOST_LINKS} times", given.display());
        }
        let next = parent_of(&target).join(to);
        links.push(std::mem::replace(&mut target, next));
    }
    Ok(Followed::Names(Names { given: given.to_owned(), links, target }))
}

/// Whether a dump is another, or a piece of it.
fn is_part_of(input: &DumpName, output: &DumpName) -> bool {
    if let DumpName::Chain(pieces) = input {
        return pieces.iter().any(|piece| is_part_of(piece, output));
    }
    let in_folder = output.file_name().filter(|_| Folder::is_named_by(input));
    let is_folder = in_folder.is_some();
    match (in_folder.map_or_else(|| input.clone(), |name| input.in_folder(&name)), output) {
        (DumpName::Path(input), DumpName::Path(output)) => is_same_file(&input, output),
        // What is not there yet is no part of the folder.
        (DumpName::Url(input), DumpName::Url(output)) => {
            input.is_same_object(output) && (!is_folder || is_there(output))
        }
        _ => false,
    }
}

fn is_there(url: &StoreUrl) -> bool {
    let stamp = Object::open(url).ok().map(|object| object.stamp());
    matches!(stamp, Some(Ok(Some(_))))
}

/// Whether two paths lead to one regular file.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let file = |path| fs::metadata(path).ok().filter(fs::Metadata::is_file);
    match (file(one), file(other)) {
        (Some(one), Some(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}
