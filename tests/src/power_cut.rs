//! What a power cut leaves of the files of a process: `strace` says what was written and not
//! synced, and that is taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::strace::strace;

/// The system calls that write files, give them names, and sync them.
const CALLS: &str = "openat,creat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,fallocate,\
                     copy_file_range,sendfile,rename,renameat,renameat2,mkdir,mkdirat,fsync,\
                     fdatasync";

/// A power cut that is to come for the files below a directory.
#[derive(Debug)]
pub struct PowerCut {
    root: PathBuf,
    trace: PathBuf,
    /// What had a name before, and how many bytes.
    before: BTreeMap<PathBuf, u64>,
}

impl PowerCut {
    /// Has a command run under `strace`, whose calls go into the file `trace`.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub fn prepare(command: &Command, root: &Path, trace: &Path) -> io::Result<(Self, Command)> {
        let mut strace = strace::<&str>(CALLS, trace, &[]);
        strace.args(["-y", "-s", "0", "-e", "signal=none"]);
        strace.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            strace.env(name, value.unwrap_or(OsStr::new("")));
        }
        let mut before = BTreeMap::new();
        list(root, &mut before)?;
        Ok((Self { root: root.to_owned(), trace: trace.to_owned(), before }, strace))
    }

    /// Takes away what was written and not synced by a process that has ended.
    ///
    /// Unsynced bytes are overwritten: a disk may have written any of them. A file whose size was
    /// not synced gets back the one before, a file that was appended to loses all its bytes, and a
    /// file whose directory was not synced since it got its name is removed.
    ///
    /// # Errors
    ///
    /// When the trace or the files cannot be read.
    pub fn strike(self) -> io::Result<()> {
        let named = self.before.keys().cloned().collect();
        let mut disk = Disk { named, lengths: self.before, ..Disk::default() };
        for line in fs::read_to_string(&self.trace)?.lines() {
            disk.call(line);
        }
        for (path, unsynced) in &disk.unsynced {
            if path.starts_with(&self.root) && path.is_file() {
                unsynced.lose(path)?;
            }
        }
        for path in disk.unsynced_names.iter().filter(|path| path.starts_with(&self.root)) {
            match fs::symlink_metadata(path) {
                Ok(there) if there.is_dir() => fs::remove_dir_all(path)?,
                Ok(_) => fs::remove_file(path)?,
                Err(_) => {}
            }
        }
        Ok(())
    }
}

fn list(folder: &Path, paths: &mut BTreeMap<PathBuf, u64>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().is_dir() {
            list(&entry.path(), paths)?;
        }
        paths.insert(entry.path(), entry.metadata()?.len());
    }
    Ok(())
}

/// What of a file is not synced.
#[derive(Debug, Clone, Default)]
struct Unsynced {
    /// When it was last written.
    at: usize,
    /// Offsets and lengths of what was written.
    ranges: Vec<(u64, u64)>,
    /// The length before it was changed.
    length: Option<u64>,
    /// Whether something was written at a place that is not known.
    is_all: bool,
}

impl Unsynced {
    fn lose(&self, path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        if self.is_all {
            return file.set_len(0);
        }
        let end = file.metadata()?.len();
        for (offset, length) in &self.ranges {
            let lost = end.saturating_sub(*offset).min(*length);
            let lost = vec![0xff; usize::try_from(lost).unwrap_or(0)];
            file.write_all_at(&lost, *offset)?;
        }
        self.length.map_or(Ok(()), |length| file.set_len(length))
    }
}

#[derive(Default)]
struct Disk {
    /// Files with unsynced bytes.
    unsynced: BTreeMap<PathBuf, Unsynced>,
    /// The lengths of files, as far as they are known.
    lengths: BTreeMap<PathBuf, u64>,
    /// Names that were given.
    named: BTreeSet<PathBuf>,
    /// Those of them whose directory was not synced since.
    unsynced_names: BTreeSet<PathBuf>,
    /// Syncs that are under way: by process, of which file, begun when.
    syncing: BTreeMap<String, (PathBuf, usize)>,
    now: usize,
}

impl Disk {
    fn call(&mut self, line: &str) {
        self.now += 1;
        let Some((process, call)) = line.split_once(' ') else { return };
        let call = call.trim_start();
        if let Some(resumed) = call.strip_prefix("<... ") {
            if resumed.contains("sync resumed") || resumed.contains("fdatasync resumed") {
                self.synced(process, resumed);
            }
            return;
        }
        let Some((name, arguments)) = call.split_once('(') else { return };
        match name {
            "fsync" | "fdatasync" => {
                let Some(path) = descriptor(arguments) else { return };
                self.syncing.insert(process.to_owned(), (path, self.now));
                self.synced(process, call);
            }
            "openat" | "creat" => {
                if name == "creat" || arguments.contains("O_CREAT") {
                    self.name(quoted(arguments).into_iter().next());
                }
            }
            "mkdir" | "mkdirat" => self.name(quoted(arguments).into_iter().next()),
            "rename" | "renameat" | "renameat2" => {
                if let [from, to] = quoted(arguments).as_slice() {
                    self.rename(from, to);
                }
            }
            _ => {
                if let Some(path) = descriptor(arguments) {
                    self.written(name, path, &numbers(arguments));
                }
            }
        }
    }

    /// A call that writes, by its numbers behind the descriptor.
    fn written(&mut self, call: &str, path: PathBuf, numbers: &[u64]) {
        let unsynced = self.unsynced.entry(path.clone()).or_default();
        unsynced.at = self.now;
        match (call, numbers) {
            ("pwrite64", [length, offset]) => unsynced.ranges.push((*offset, *length)),
            ("ftruncate", [length]) => {
                let before = self.lengths.insert(path, *length).unwrap_or(0);
                unsynced.length.get_or_insert(before);
            }
            _ => unsynced.is_all = true,
        }
    }

    fn name(&mut self, path: Option<PathBuf>) {
        let Some(path) = path else { return };
        if self.named.insert(path.clone()) {
            self.unsynced_names.insert(path);
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let renamed = |path: &Path| path.strip_prefix(from).ok().map(|rest| join(to, rest));
        let unsynced = std::mem::take(&mut self.unsynced).into_iter();
        self.unsynced = unsynced.map(|(path, at)| (renamed(&path).unwrap_or(path), at)).collect();
        let lengths = std::mem::take(&mut self.lengths).into_iter();
        self.lengths =
            lengths.map(|(path, length)| (renamed(&path).unwrap_or(path), length)).collect();
        for names in [&mut self.named, &mut self.unsynced_names] {
            let old = std::mem::take(names).into_iter();
            *names = old.map(|path| renamed(&path).unwrap_or(path)).collect();
        }
        self.unsynced_names.insert(to.to_owned());
    }

    fn synced(&mut self, process: &str, call: &str) {
        if !call.trim_end().ends_with("= 0") {
            return;
        }
        let Some((path, begun)) = self.syncing.remove(process) else { return };
        self.unsynced_names.retain(|name| name.parent() != Some(&path));
        if self.unsynced.get(&path).is_some_and(|unsynced| unsynced.at < begun) {
            self.unsynced.remove(&path);
        }
    }
}

/// Without the `/` that joining nothing puts at the end.
fn join(to: &Path, rest: &Path) -> PathBuf {
    if rest == Path::new("") { to.to_owned() } else { to.join(rest) }
}

/// The file of the first descriptor: `9</path>, …`.
fn descriptor(arguments: &str) -> Option<PathBuf> {
    let (number, rest) = arguments.split_once('<')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let path = rest.split_once('>')?.0;
    (is_number && path.starts_with('/')).then(|| PathBuf::from(path))
}

/// The numbers among arguments, the result not included.
fn numbers(arguments: &str) -> Vec<u64> {
    let arguments = arguments.rsplit_once(')').map_or(arguments, |(arguments, _)| arguments);
    let arguments = arguments.split_once(" <unfinished").map_or(arguments, |(begun, _)| begun);
    arguments.split(',').filter_map(|argument| argument.trim().parse().ok()).collect()
}

/// The absolute paths in quotes.
fn quoted(arguments: &str) -> Vec<PathBuf> {
    let quoted = arguments.split('"').skip(1).step_by(2);
    quoted.filter(|text| text.starts_with('/')).map(PathBuf::from).collect()
}
