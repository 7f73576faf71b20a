//! A dump that can be read once: a pipe, a device, a terminal.

use std::fs::File;
use std::io::{self, IsTerminal, Read};

use super::READ_BYTES;
use crate::progress::Progress;
use crate::unpacking::read_some;

/// What comes once, of which the first bytes may have been read already.
#[derive(Debug)]
pub(super) struct Stream {
    file: File,
    first: io::Cursor<Vec<u8>>,
    state: StreamState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StreamState {
    NotBegun,
    Begun,
    /// At a terminal whoever reads on would wait for another end.
    Ended,
}

impl Stream {
    /// What comes through a file that can be read once.
    pub(super) fn of(file: File) -> Self {
        Self { file, first: io::Cursor::default(), state: StreamState::NotBegun }
    }

    /// Waits for the first bytes; at a terminal it says so.
    pub(super) fn begin(&mut self, progress: &Progress) -> io::Result<()> {
        if self.state != StreamState::NotBegun {
            return Ok(());
        }
        if self.file.is_terminal() {
            progress.hide();
            progress.say("reading the dump from the terminal; end with Ctrl-D, or give FILE");
        }
        let mut piece = vec![0; READ_BYTES];
        let read = read_some(&mut self.file, &mut piece)?;
        self.state = if read == 0 { StreamState::Ended } else { StreamState::Begun };
        piece.truncate(read);
        self.first = io::Cursor::new(piece);
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.first.read(buffer)? {
            0 if self.state == StreamState::Ended || buffer.is_empty() => Ok(0),
            0 => {
                let read = self.file.read(buffer)?;
                if read == 0 {
                    self.state = StreamState::Ended;
                }
                Ok(read)
            }
            read => Ok(read),
        }
    }
}
