//! What keeps an import out of a directory, found before anything is created in it.

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use rustix::fs::{Access, AtFlags, CWD, FileType, accessat};
use rustix::io::Errno;

use super::layout::{DF_META, RaftDir, STAGING, foreign_files, is_sled_name};
use super::lock::assert_stopped;
use super::place::assert_own;
use super::staging::{OldFate, STOP};
use crate::failure::WithHelp;
use crate::open_dir::{OpenDir, parents_of};

/// What a directory has that `serve --data-dir` fills.
const SERVED: [&str; 3] = ["serve.lock", "store/database.redb", "store/database"];

/// What `df_meta` has for a data version, and what is in that.
const VERSIONS: [&str; 3] = ["V002", "V003", "V004"];
const PARTS: [&str; 2] = ["snapshot", "log"];

/// Fails when an import into the directory would be refused, whatever the dump. Writes nothing.
///
/// # Errors
///
/// When it is no directory, one of `serve` or a part of another, cannot be written, has links or mount
/// points in it, when a server runs or another import works on it, or when files would be removed that no server
/// has written.
pub fn assert_importable(dir: &RaftDir, old: OldFate) -> Result<()> {
    let path = dir.root();
    let shown = path.display();
    assert_no_part(path)?;
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => {
            return Err(anyhow!("{shown} is not a directory"))
                .help("give --raft-dir the directory that the server has as raft_dir");
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return assert_creatable(path),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read the data directory {shown}"));
        }
    }
    if SERVED.iter().any(|name| path.join(name).exists()) {
        return Err(anyhow!("{shown} is the data directory of `serve`"))
            .help("give --raft-dir the directory that the server has as raft_dir");
    }
    let root = OpenDir::open(path)?;
    assert_plain(&root)?;
    assert_own(&root)?;
    assert_stopped(dir, STOP)?;
    spare_foreign_files(dir, old)?;
    assert_writable(path)
}

/// Refuses a `df_meta`, and what is in it: the server would go on with the data beside it.
fn assert_no_part(path: &Path) -> Result<()> {
    let path =
        std::path::absolute(path).with_context(|| format!("cannot find {}", path.display()))?;
    let known = path.ancestors().find_map(|dir| fs::canonicalize(dir).ok()).unwrap_or_default();
    let holds_data = |dir: &&Path| {
        VERSIONS
            .iter()
            .any(|version| PARTS.iter().any(|part| dir.join(version).join(part).is_dir()))
    };
    let Some(df_meta) = known.ancestors().find(holds_data) else { return Ok(()) };
    Err(anyhow!(
        "{} has the data of a meta service, as df_meta has in its data directory",
        df_meta.display()
    ))
    .help("give --raft-dir the directory that df_meta is in, which the server has as raft_dir")
}

/// A directory that is to be created.
fn assert_creatable(path: &Path) -> Result<()> {
    if path.is_symlink() {
        return Err(anyhow!("{} is a link to nothing", path.display()))
            .help("create the directory that it leads to, or remove it");
    }
    let parent = parents_of(path).find(|dir| dir.exists());
    let parent = parent.context("the working directory cannot be read")?;
    anyhow::ensure!(parent.is_dir(), "{} is not a directory", parent.display());
    assert_writable(&parent)
}

fn assert_writable(path: &Path) -> Result<()> {
    match accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        // A kernel that cannot tell: the writing will.
        Ok(()) | Err(Errno::NOSYS) => Ok(()),
        Err(error) => Err(io::Error::from(error))
            .with_context(|| format!("cannot write into {}", path.display())),
    }
}

/// Refuses to remove what no server has written.
pub fn spare_foreign_files(dir: &RaftDir, old: OldFate) -> Result<()> {
    if old == OldFate::Kept {
        return Ok(());
    }
    let foreign = foreign_files(&dir.df_meta())
        .with_context(|| format!("cannot read {}", dir.df_meta().display()))?;
    let Some(first) = foreign.first() else { return Ok(()) };
    Err(anyhow!("{} is not a server's file and would be removed", first.display()))
        .help("move it out of df_meta, or keep the old data with --keep-old")
}

/// Refuses links and mount points among what is exchanged: the old data would stay behind on the
/// other disk, and the new would be on this one.
fn assert_plain(root: &OpenDir) -> Result<()> {
    for name in root.names()? {
        if name == STAGING {
            assert_no_mount(root, STAGING)?;
        } else if name == DF_META || is_sled_name(&name) {
            assert_all_plain(root, name.as_ref())?;
        }
    }
    Ok(())
}

fn assert_all_plain(holder: &OpenDir, name: &Path) -> Result<()> {
    let path = holder.path_of(name);
    let Some(stat) = holder.stat_of(name)? else { return Ok(()) };
    if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
        return Err(elsewhere(&path, "a symbolic link"));
    }
    assert_no_mount(holder, name)?;
    if !holder.is_dir(name)? {
        return Ok(());
    }
    let Some(dir) = holder.subdir(name)? else { return Ok(()) };
    dir.names()?.iter().try_for_each(|name| assert_all_plain(&dir, name.as_ref()))
}

fn assert_no_mount(holder: &OpenDir, name: impl AsRef<Path>) -> Result<()> {
    let name = name.as_ref();
    if holder.is_mount_point(name)? {
        return Err(elsewhere(&holder.path_of(name), "a mount point"));
    }
    Ok(())
}

fn elsewhere(path: &Path, what: impl Display) -> anyhow::Error {
    let help = "an import exchanges the old data for the new on one disk: let the data directory \
                itself be on it, by a link or a mount, and what is in it be plain files and \
                directories; nothing was changed";
    anyhow!("{} is {what}, which an import cannot replace", path.display())
        .context(crate::failure::Help(help.to_owned()))
}
