//! Raft directories, whose files the caller lends.

use metadump::raft_dir::{DirError, DirFiles, Form, StoredTrees, V004Reader};
use metadump::read_at::{ReadAt, ReadError};
use wasm_bindgen::prelude::*;

/// How much of a dump is handed out at a time, bytes.
const PIECE_BYTES: usize = 1 << 20;

/// What to do about a directory that the page does not read.
const FOR_COMMAND_LINE: &str =
    "open the dump that `databend-metactl export --raft-dir` makes of it";

#[wasm_bindgen]
extern "C" {
    /// Files by their paths, which are relative and have `/` between names.
    pub type Directory;

    /// How the directory is called.
    #[wasm_bindgen(method, getter)]
    fn name(this: &Directory) -> String;

    /// The names in a directory, none when there is no such directory.
    #[wasm_bindgen(method)]
    fn names(this: &Directory, path: &str) -> Option<Vec<String>>;

    /// How many bytes a file has, none when there is no such file.
    #[wasm_bindgen(method)]
    fn size(this: &Directory, path: &str) -> Option<f64>;

    /// Fills `out` with the bytes of a file from a place on; says what is wrong when it cannot.
    #[wasm_bindgen(method)]
    fn read(this: &Directory, path: &str, from: f64, out: &mut [u8]) -> Option<String>;

    /// Takes what comes next of the dump.
    #[wasm_bindgen(method)]
    fn take(this: &Directory, piece: &[u8]);
}

/// A file of a directory.
#[derive(Debug)]
pub struct File {
    directory: JsValue,
    path: String,
    size_bytes: u64,
}

impl ReadAt for File {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, offset_bytes: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let len_bytes = out.len() as u64;
        let directory: &Directory = self.directory.unchecked_ref();
        let failed = match offset_bytes.checked_add(len_bytes) {
            Some(end) if end <= self.size_bytes => {
                directory.read(&self.path, offset_bytes as f64, out)
            }
            _ => Some(format!("there are only {} bytes", self.size_bytes)),
        };
        failed.map_or(Ok(()), |reason| Err(ReadError { offset_bytes, len_bytes, reason }))
    }
}

impl DirFiles for Directory {
    type File = File;

    fn shown(&self, path: &str) -> String {
        let name = self.name();
        if path.is_empty() { name } else { format!("{name}/{path}") }
    }

    fn is_there(&self, path: &str) -> bool {
        self.size(path).is_some() || self.is_dir(path)
    }

    fn is_dir(&self, path: &str) -> bool {
        Self::names(self, path).is_some()
    }

    fn names(&self, path: &str) -> Result<Option<Vec<String>>, DirError> {
        Ok(Self::names(self, path))
    }

    fn open(&self, path: &str) -> Result<Option<File>, DirError> {
        Ok(self.size(path).map(|size| File {
            directory: self.into(),
            path: path.to_owned(),
            size_bytes: size as u64,
        }))
    }

    fn open_released_sled(&self, _paths: &[String]) -> Result<Box<dyn StoredTrees>, DirError> {
        Err(DirError::new("the page does not read databases").with_help(FOR_COMMAND_LINE))
    }
}

/// Hands the dump of a raft directory of V004 to `take` of it, byte for byte what `export --raft-dir`
/// writes. Gives what `export` says of it, a line each.
#[wasm_bindgen(js_name = exportDirectory)]
pub fn export_directory(directory: &Directory) -> Result<Vec<String>, JsError> {
    export(directory).map_err(|error| {
        let said = error.causes().join(": ");
        // The words are those of the command line.
        let help = error.help().map(|help| help.replace("give --raft-dir", "drop"));
        JsError::new(&help.map_or(said.clone(), |help| format!("{said}\n{help}")))
    })
}

fn export(directory: &Directory) -> Result<Vec<String>, DirError> {
    let remark = match Form::of(directory)? {
        Form::V004 { remark } => remark,
        // What reads sled would make the page a tenth larger.
        Form::Sled { .. } => {
            let said = format!("{} is a raft directory of V003 or older", directory.name());
            return Err(DirError::new(said).with_help(FOR_COMMAND_LINE));
        }
    };
    let reader = V004Reader::open_whole(directory, remark)?;
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    reader.for_each_line(|line| {
        piece.extend_from_slice(line);
        if piece.len() >= PIECE_BYTES {
            directory.take(&piece);
            piece.clear();
        }
        Ok::<_, DirError>(())
    })?;
    directory.take(&piece);
    Ok(reader.remarks())
}
