//! Reading a dump: from a file or a stream, compressed or not, line by line.

mod stream;

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow, bail};
use metadump::check::Evidence;
use metadump::packing::{AGE_BYTES, is_age};
use metadump::{Line, LineFramer};

use self::stream::Stream;
use crate::chain::{self, Chain, Folder};
use crate::diagnostics;
use crate::dump_name::DumpName;
use crate::failure::{Help, Usage, WithHelp};
use crate::manifest::Given;
use crate::progress::Progress;
use crate::report::plural;
use crate::store::{Kind, Object, ObjectReader, Stamp as ObjectStamp, StoreFailure};
use crate::temporary::TemporaryFile;
use crate::unpacking::{self, read_some, unpacked};

/// How much is read at a time.
const READ_BYTES: usize = 1 << 20;

/// A dump that is open: what is read is what was opened, whatever becomes of its name.
#[derive(Debug, Clone)]
pub struct Source {
    opened: Arc<Opened>,
    /// What is given to prove it complete, in place of what lies beside it.
    given: Option<Arc<Given>>,
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.opened, &other.opened)
    }
}

impl Eq for Source {}

#[derive(Debug)]
struct Opened {
    /// The name for messages.
    name: String,
    /// The file, where it is one by name; something can lie beside it.
    path: Option<PathBuf>,
    data: Data,
    /// What `data` is a copy in.
    spool: Option<TemporaryFile>,
}

#[derive(Debug)]
enum Data {
    /// A regular file: it can be read as often as is wanted.
    File(Regular),
    /// A version of an object in a store: it can be read as often, too.
    Object(Stored),
    /// Several files or objects that are one dump: they can be read as often, too.
    Chain(Box<Chain>),
    /// A pipe, a device, a socket: it can be read once.
    Stream(Mutex<Option<Stream>>),
}

#[derive(Debug)]
struct Stored {
    object: Object,
    opened: ObjectStamp,
    was_read: AtomicBool,
}

#[derive(Debug)]
struct Regular {
    file: File,
    /// Where the dump starts.
    from_bytes: u64,
    opened: Stamp,
    was_read: AtomicBool,
}

/// What changes when a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len_bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { len_bytes: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl Source {
    /// Opens a dump of the command line; `-` and none are stdin. Several names are the pieces of a
    /// chain, and a folder is the newest chain that it holds.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or cannot be a dump: a directory without one, a device without an
    /// end, an increment without what it goes on from.
    pub fn open(name: Option<&DumpName>) -> Result<Self> {
        let Some(name) = name else { return Self::open_piece(&DumpName::Path("-".into())) };
        if let DumpName::Chain(pieces) = name {
            return Ok(Self::of_chain(Chain::of(pieces)?));
        }
        if Folder::is_named_by(name) {
            let folder = Folder::list(name)?;
            let Some(chain) = folder.newest_chain()? else { return Self::open_piece(name) };
            say_passed_over(name, &folder.passed_over(&chain));
            return match chain.increments() {
                [] => Self::open_piece(&chain.last().name),
                _ => Ok(Self::of_chain(chain)),
            };
        }
        let source = Self::open_piece(name)?;
        chain::assert_whole(&source)?;
        Ok(source)
    }

    /// Opens a file or an object, whether it is a whole dump or an increment.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or can be neither.
    pub fn open_piece(name: &DumpName) -> Result<Self> {
        match Some(name).filter(|name| !name.is_dash()) {
            None => {
                let stdin =
                    io::stdin().as_fd().try_clone_to_owned().context("cannot read stdin")?;
                Self::of_file("stdin".to_owned(), stdin.into(), None, None)
            }
            Some(DumpName::Path(path)) => {
                let name = path.display().to_string();
                let file = File::open(path).map_err(|error| unopened(path, error))?;
                Self::of_file(name, file, Some(path), None)
            }
            Some(DumpName::Url(url)) => Self::of_object(Object::open(url)?),
            Some(DumpName::Chain(pieces)) => Ok(Self::of_chain(Chain::of(pieces)?)),
        }
    }

    /// Several files or objects that are one dump.
    pub fn of_chain(chain: Chain) -> Self {
        let name = chain.shown();
        let opened = Opened { name, path: None, data: Data::Chain(Box::new(chain)), spool: None };
        Self { opened: Arc::new(opened), given: None }
    }

    /// The version of an object that is in its store now.
    ///
    /// # Errors
    ///
    /// When there is none, or the store does not say.
    pub fn of_object(object: Object) -> Result<Self> {
        let name = object.shown().to_owned();
        let opened =
            object.stamp().and_then(|stamp| stamp.ok_or_else(|| StoreFailure::missing().into()));
        let opened = opened.with_context(|| format!("cannot open {name}"))?;
        let data = Data::Object(Stored { object, opened, was_read: AtomicBool::new(false) });
        let opened = Opened { name, path: None, data, spool: None };
        Ok(Self { opened: Arc::new(opened), given: None })
    }

    /// A dump in a file that is removed when nobody reads it any more.
    pub fn of_temporary(name: String, file: TemporaryFile) -> Result<Self> {
        let opened = File::open(file.path()).context("cannot read a temporary file")?;
        Self::of_file(name, opened, None, Some(file))
    }

    /// The same dump, of which this is known, and which nothing lies beside.
    pub fn with_evidence(self, evidence: Evidence) -> Self {
        Self { given: Some(Arc::new(Given::Evidence(evidence))), ..self }
    }

    fn of_file(
        name: String,
        mut file: File,
        path: Option<&Path>,
        spool: Option<TemporaryFile>,
    ) -> Result<Self> {
        let metadata = file.metadata().with_context(|| format!("cannot read {name}"))?;
        let kind = metadata.file_type();
        if kind.is_dir() {
            return Err(anyhow::anyhow!("{name} is a directory, not a dump")).help(
                "`databend-metactl export --raft-dir DIR` makes a dump of the data directory of a \
                     node; what reads directories takes one with --raft-dir",
            );
        }
        if is_endless(&metadata) {
            bail!("{name} is a device without an end, not a dump");
        }
        let data = if kind.is_file() {
            // Stdin may have been read from before.
            let from_bytes =
                file.stream_position().with_context(|| format!("cannot read {name}"))?;
            let opened = Stamp::of(&metadata);
            Data::File(Regular { file, from_bytes, opened, was_read: AtomicBool::new(false) })
        } else {
            Data::Stream(Mutex::new(Some(Stream::of(file))))
        };
        let path = path.filter(|_| kind.is_file()).map(Path::to_owned);
        let opened = Opened { name, path, data, spool };
        Ok(Self { opened: Arc::new(opened), given: None })
    }

    /// The same dump, to be held against the manifest in this file, if one is named.
    ///
    /// # Errors
    ///
    /// When the file cannot be read; what it holds is judged with the dump.
    pub fn with_manifest(self, path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(self) };
        if self.chain().is_some() {
            return Err(Usage::error(
                "--manifest is given for a chain",
                "each piece of a chain is held against the manifest beside it: leave it out",
            ));
        }
        let source = Self { given: Some(Arc::new(Given::read(path)?)), ..self };
        chain::assert_whole(&source)?;
        Ok(source)
    }

    /// What is given to prove it complete.
    pub fn given(&self) -> Option<&Given> {
        self.given.as_deref()
    }

    /// Waits until a stream has begun, or ended: who creates something for a dump does so later.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn wait(&self, progress: &Progress) -> Result<()> {
        let Data::Stream(stream) = &self.opened.data else { return Ok(()) };
        let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = stream.as_mut().map_or(Ok(()), |stream| stream.begin(progress));
        begun.map_err(|error| self.unread(error))
    }

    /// The same dump, to be read several times: what comes as a stream is copied into a private
    /// temporary file, packed as it is.
    ///
    /// # Errors
    ///
    /// When the stream cannot be read, or there is no room for it.
    pub fn repeatable(&self, progress: &Progress) -> Result<Self> {
        match &self.opened.data {
            Data::Stream(_) => self.copied(progress),
            Data::File(_) | Data::Object(_) | Data::Chain(_) => Ok(self.clone()),
        }
    }

    /// A copy in a private temporary file, packed as it is; of a chain, its text.
    ///
    /// # Errors
    ///
    /// When the dump cannot be read, or there is no room for it.
    pub fn copied(&self, progress: &Progress) -> Result<Self> {
        // Begun before anything is created.
        self.copy_of(progress.watch(self.raw(progress)?))
    }

    /// The same of its text: unpacked, and no longer encrypted.
    ///
    /// # Errors
    ///
    /// When the dump cannot be read, or there is no room for it.
    pub fn text_copied(&self, progress: &Progress) -> Result<Self> {
        self.copy_of(self.read(progress)?)
    }

    fn copy_of(&self, mut stream: impl Read) -> Result<Self> {
        let no_room =
            || format!("cannot copy {} to {}", self.name(), std::env::temp_dir().display());
        let help = "it is read more than once, so it is copied first: have TMPDIR name a directory \
                    with room for it, or write it into a file yourself";
        let mut spool =
            TemporaryFile::create("metactl-", ".dump", None).with_context(no_room).help(help)?;
        let mut piece = vec![0; READ_BYTES];
        loop {
            let read = match read_some(&mut stream, &mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => return Err(self.unread(error)),
            };
            let piece = piece.get(..read).unwrap_or_default();
            spool.write_all(piece).with_context(no_room).help(help)?;
        }
        Ok(Self { given: self.given.clone(), ..Self::of_temporary(self.name(), spool)? })
    }

    /// The name for messages.
    pub fn name(&self) -> String {
        self.opened.name.clone()
    }

    /// Where it lies; none for what is no file of its own, such as a pipe.
    pub fn path(&self) -> Option<&Path> {
        self.opened.path.as_deref()
    }

    /// The object that it is, if it is one in a store.
    pub fn object(&self) -> Option<&Object> {
        match &self.opened.data {
            Data::Object(Stored { object, .. }) => Some(object),
            Data::File(_) | Data::Chain(_) | Data::Stream(_) => None,
        }
    }

    /// The pieces that it is read from, if they are several.
    pub fn chain(&self) -> Option<&Chain> {
        match &self.opened.data {
            Data::Chain(chain) => Some(chain),
            Data::File(_) | Data::Object(_) | Data::Stream(_) => None,
        }
    }

    /// The file of our own that it is in, if it is.
    pub fn spool(&self) -> Option<&Path> {
        self.opened.spool.as_ref().map(TemporaryFile::path)
    }

    /// The dump from its start, unpacked: compressed content is recognised by its first bytes.
    ///
    /// # Errors
    ///
    /// When it cannot be read, has changed since it was read before, or is a stream that was read.
    pub fn read(&self, progress: &Progress) -> Result<Box<dyn Read + Send>> {
        let is_first = match &self.opened.data {
            Data::Stream(_) => true,
            // Its text is unpacked already, piece by piece.
            Data::Chain(_) => return self.raw(progress),
            Data::File(Regular { was_read, .. }) | Data::Object(Stored { was_read, .. }) => {
                !was_read.swap(true, Ordering::Relaxed)
            }
        };
        if let (Data::File(regular), false) = (&self.opened.data, is_first) {
            let metadata = regular.file.metadata().map_err(|error| self.unread(error))?;
            anyhow::ensure!(Stamp::of(&metadata) == regular.opened, "{}", self.has_changed());
        }
        let raw = self.raw(progress)?;
        let (name, said) = (self.name(), progress.clone());
        let padded = move |zeros| {
            if is_first {
                said.say(&format!(
                    "note: the gzip stream of {name} is padded with {}; it is whole",
                    plural(zeros, "zero")
                ));
            }
        };
        unpacked(progress.watch(raw), padded).map_err(|error| self.unread(error))
    }

    /// The bytes from its start as they are stored.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is a stream that was read.
    pub fn stored(&self, progress: &Progress) -> Result<Box<dyn Read + Send>> {
        self.raw(progress)
    }

    /// Whether it is encrypted. What is read once is not asked.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn is_encrypted(&self, progress: &Progress) -> Result<bool> {
        if let Data::Stream(_) | Data::Chain(_) = &self.opened.data {
            return Ok(false);
        }
        let mut beginning = Vec::new();
        let raw = self.raw(progress)?;
        let read = raw.take(AGE_BYTES as u64).read_to_end(&mut beginning);
        read.map_err(|error| self.unread(error))?;
        Ok(is_age(&beginning))
    }

    /// Reads all lines, calling `each` for every one in order.
    pub fn for_each_line(
        &self,
        progress: &Progress,
        mut each: impl FnMut(Line<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut input = self.read(progress)?;
        let mut framer = LineFramer::default();
        let mut piece = vec![0; READ_BYTES];
        while !framer.has_ended() {
            let read = read_some(&mut input, &mut piece).map_err(|error| self.unread(error))?;
            if read == 0 {
                break;
            }
            framer.feed(piece.get(..read).unwrap_or_default(), &mut each)?;
        }
        framer.finish(each)
    }

    /// The dump from its start, packed as it is.
    fn raw(&self, progress: &Progress) -> Result<Box<dyn Read + Send>> {
        Ok(match &self.opened.data {
            Data::Stream(stream) => Box::new(self.take(stream, progress)?),
            Data::Chain(chain) => {
                let text = chain.read().map_err(|error| self.unread(error))?;
                Box::new(progress.watch(text))
            }
            Data::File(regular) => {
                let metadata = regular.file.metadata().map_err(|error| self.unread(error))?;
                let at_bytes = regular.from_bytes;
                progress.expect_bytes(metadata.len().saturating_sub(at_bytes));
                Box::new(FromStart { source: self.clone(), at_bytes })
            }
            Data::Object(Stored { object, opened, .. }) => {
                progress.expect_bytes(opened.len_bytes);
                Box::new(ObjectReader::begin(object, opened).map_err(|error| self.unread(error))?)
            }
        })
    }

    fn has_changed(&self) -> String {
        format!("{} has changed while it was read", self.name())
    }

    /// That the dump cannot be read on.
    pub fn unread(&self, error: io::Error) -> anyhow::Error {
        if let Some(failure) = StoreFailure::in_io(&error) {
            // What was there when it was opened is gone, or replaced.
            let what = match failure.kind {
                Kind::Changed | Kind::Missing => self.has_changed(),
                _ => format!("cannot read {}", self.name()),
            };
            return anyhow::Error::new(error).context(what);
        }
        let help = unpacking::help(&error);
        let unread = anyhow::Error::new(error).context(format!("cannot read {}", self.name()));
        match help {
            Some(help) => unread.context(Help(help.to_owned())),
            None => unread,
        }
    }

    fn take(&self, stream: &Mutex<Option<Stream>>, progress: &Progress) -> Result<Stream> {
        self.wait(progress)?;
        let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
        stream.ok_or_else(|| anyhow!("{} can be read only once", self.name()))
    }
}

/// Says what is in a folder that may belong to its chain.
fn say_passed_over(folder: &DumpName, files: &[&str]) {
    let (files, is) = match files {
        [] => return,
        [file] => ((*file).to_owned(), "is"),
        [first, more @ ..] => (format!("{first} and {} more", more.len()), "are"),
    };
    diagnostics::say(&format!(
        "warning: {files} in {folder} {is} left out: without a manifest nothing says what goes on from \
         what; a dump by itself is read by its name"
    ));
}

/// Why a dump cannot be opened.
fn unopened(path: &Path, error: io::Error) -> anyhow::Error {
    let name = path.display();
    if path.metadata().is_ok_and(|metadata| metadata.file_type().is_socket()) {
        return anyhow!("{name} is a socket, not a dump");
    }
    anyhow::Error::new(error).context(format!("cannot open {name}"))
}

/// Linux's devices of the memory: `/dev/zero`, `/dev/full`, `/dev/random`, `/dev/urandom` …
const MEMORY_DEVICES: u32 = 1;

/// `/dev/null`, the only one of them that has an end.
const NULL_DEVICE: u32 = 3;

fn is_endless(metadata: &Metadata) -> bool {
    let device = metadata.rdev();
    metadata.file_type().is_char_device()
        && rustix::fs::major(device) == MEMORY_DEVICES
        && rustix::fs::minor(device) != NULL_DEVICE
}

/// One of several readings of a regular file, which share its descriptor but not their places.
struct FromStart {
    source: Source,
    at_bytes: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Data::File(Regular { file, .. }) = &self.source.opened.data else { return Ok(0) };
        let read = file.read_at(buffer, self.at_bytes)?;
        self.at_bytes += read as u64;
        Ok(read)
    }
}
