//! What a power cut leaves of the files of a process: `strace` says what was written and not
//! synced, and that is taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The system calls that write files, give them names, and sync them.
const CALLS: &str = "trace=openat,creat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,fallocate,\
                     copy_file_range,sendfile,rename,renameat,renameat2,mkdir,mkdirat,fsync,\
                     fdatasync";

/// A power cut that is to come for the files below a directory.
#[derive(Debug)]
pub struct PowerCut {
    root: PathBuf,
    trace: PathBuf,
    /// What had a name before.
    before: BTreeSet<PathBuf>,
}

impl PowerCut {
    /// Has a command run under `strace`, whose calls go into the file `trace`.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub fn prepare(command: &Command, root: &Path, trace: &Path) -> io::Result<(Self, Command)> {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-y", "-s", "0", "-e", "signal=none", "-e", CALLS, "-o"]);
        strace.arg(trace).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            strace.env(name, value.unwrap_or(OsStr::new("")));
        }
        let mut before = BTreeSet::new();
        list(root, &mut before)?;
        Ok((Self { root: root.to_owned(), trace: trace.to_owned(), before }, strace))
    }

    /// Takes away what was written and not synced by a process that has ended.
    ///
    /// A file with unsynced bytes loses all its bytes: a disk may have written none of them, or
    /// any. A file whose directory was not synced since it got its name is removed.
    ///
    /// # Errors
    ///
    /// When the trace or the files cannot be read.
    pub fn strike(self) -> io::Result<()> {
        let mut disk = Disk { named: self.before, ..Disk::default() };
        for line in fs::read_to_string(&self.trace)?.lines() {
            disk.call(line);
        }
        let lost = disk.unsynced.keys().filter(|path| path.starts_with(&self.root));
        for path in lost.filter(|path| path.is_file()) {
            fs::File::create(path)?;
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

fn list(folder: &Path, paths: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, paths)?;
        }
        paths.insert(path);
    }
    Ok(())
}

#[derive(Default)]
struct Disk {
    /// Files with unsynced bytes, and when they were last written.
    unsynced: BTreeMap<PathBuf, usize>,
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
                let written = descriptor(arguments);
                self.unsynced.extend(written.map(|path| (path, self.now)));
            }
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
        if self.unsynced.get(&path).is_some_and(|written| *written < begun) {
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

/// The absolute paths in quotes.
fn quoted(arguments: &str) -> Vec<PathBuf> {
    let quoted = arguments.split('"').skip(1).step_by(2);
    quoted.filter(|text| text.starts_with('/')).map(PathBuf::from).collect()
}
