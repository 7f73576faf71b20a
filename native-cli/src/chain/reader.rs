//! The text of a chain, put together while it is read.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};

use metadump::chain::Part;
use metadump::frame::LONGEST_LINE_BYTES;
use metadump::manifest::{ByteMeasure, ManifestBuilder};

use super::Piece;
use crate::failure;
use crate::input::Source;
use crate::progress::{Progress, Quiet};

/// How much of a piece is read at a time.
const READ_BYTES: usize = 1 << 18;

/// How much is put together at a time.
const FILL_BYTES: usize = 1 << 16;

/// A piece on its way.
type Lines = BufReader<Checked>;

/// The lines of the base, with the log of the increments behind its own, and the vote and the
/// committed position of the last.
pub struct ChainReader {
    base: Lines,
    increments: VecDeque<Piece>,
    vote: Option<Vec<u8>>,
    committed: Option<Vec<u8>>,
    stage: Stage,
    /// The line at hand.
    line: Vec<u8>,
    /// What has been put together.
    out: Joined,
    /// How much of it has been handed out.
    taken: usize,
}

enum Stage {
    /// The first lines of the base, and its log.
    Log,
    /// The log of an increment; the line of the base that follows all of them waits.
    Increment { lines: Box<Lines>, waiting: Vec<u8> },
    /// The state machine of the base.
    State,
}

impl ChainReader {
    /// Opens the base, and learns what the last increment says of its node.
    ///
    /// # Errors
    ///
    /// When one of both cannot be read.
    pub(super) fn begin(base: &Piece, increments: &[Piece]) -> io::Result<Self> {
        let mut reader = Self {
            base: open(base)?,
            increments: increments.iter().cloned().collect(),
            vote: None,
            committed: None,
            stage: Stage::Log,
            line: Vec::new(),
            out: Joined { text: Vec::new(), is_ended: true },
            taken: 0,
        };
        if let Some(last) = increments.last() {
            let (mut lines, mut line) = (open(last)?, Vec::new());
            loop {
                match next(&mut lines, &mut line)? {
                    Some(Part::Vote) => reader.vote = Some(std::mem::take(&mut line)),
                    Some(Part::Committed) => reader.committed = Some(std::mem::take(&mut line)),
                    Some(Part::Header(_) | Part::NodeId) => {}
                    _ => break,
                }
            }
        }
        Ok(reader)
    }

    /// Puts some more together; nothing when the rest is that of the base.
    fn fill(&mut self) -> io::Result<()> {
        self.out.text.clear();
        self.taken = 0;
        while self.out.text.len() < FILL_BYTES {
            match &mut self.stage {
                Stage::Log => match next(&mut self.base, &mut self.line)? {
                    Some(Part::State) => {
                        let waiting = std::mem::take(&mut self.line);
                        self.next_increment(waiting)?;
                    }
                    None => self.next_increment(Vec::new())?,
                    Some(part) => {
                        let newest = match part {
                            Part::Vote => self.vote.as_ref(),
                            Part::Committed => self.committed.as_ref(),
                            _ => None,
                        };
                        self.out.add(newest.unwrap_or(&self.line));
                    }
                },
                Stage::Increment { lines, waiting } => match next(lines, &mut self.line)? {
                    Some(Part::Entry(_)) => self.out.add(&self.line),
                    Some(Part::Header(_) | Part::NodeId | Part::Vote | Part::Committed) => {}
                    Some(Part::Purged(_) | Part::State | Part::Other) => {
                        let what = "has lines that an increment does not have";
                        return Err(lines.get_ref().fails(what));
                    }
                    None => {
                        let waiting = std::mem::take(waiting);
                        self.next_increment(waiting)?;
                    }
                },
                Stage::State => return Ok(()),
            }
        }
        Ok(())
    }

    fn next_increment(&mut self, waiting: Vec<u8>) -> io::Result<()> {
        if let Some(next) = self.increments.pop_front() {
            self.stage = Stage::Increment { lines: Box::new(open(&next)?), waiting };
        } else {
            self.stage = Stage::State;
            self.out.add(&waiting);
        }
        Ok(())
    }
}

impl Read for ChainReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.taken == self.out.text.len() {
            self.fill()?;
        }
        let mut rest = self.out.text.get(self.taken..).unwrap_or_default();
        if rest.is_empty() {
            return self.base.read(buffer);
        }
        let read = rest.read(buffer)?;
        self.taken += read;
        Ok(read)
    }
}

/// Lines of several pieces, the last of each of which may have no end.
struct Joined {
    text: Vec<u8>,
    /// Whether the last line has its end.
    is_ended: bool,
}

impl Joined {
    fn add(&mut self, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        if !self.is_ended {
            self.text.push(b'\n');
        }
        self.is_ended = line.ends_with(b"\n");
        self.text.extend_from_slice(line);
    }
}

/// Reads the next line into `line`, with its end, and says what it is; none at the end. What is longer
/// than any line is no record.
fn next(lines: &mut Lines, line: &mut Vec<u8>) -> io::Result<Option<Part>> {
    line.clear();
    lines.by_ref().take(LONGEST_LINE_BYTES).read_until(b'\n', line)?;
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    Ok((!line.is_empty()).then(|| Part::of(text)))
}

fn open(piece: &Piece) -> io::Result<Lines> {
    let source = Source::open_piece(&piece.name);
    let text = source.and_then(|source| source.read(&Progress::new(Quiet::Yes)));
    let text = text.map_err(|error| {
        let help = failure::told(&error).help;
        io::Error::other(PieceFailure { said: failure::in_a_line(&error), help })
    })?;
    let measure = piece.sha256.clone().map(|sha256| (ByteMeasure::default(), sha256));
    let checked = Checked { name: piece.name.to_string(), text, measure };
    Ok(BufReader::with_capacity(READ_BYTES, checked))
}

/// Why a piece cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{said}")]
pub struct PieceFailure {
    said: String,
    help: Option<String>,
}

impl PieceFailure {
    /// What to do, if an error is one and says it.
    pub fn help_in(error: &io::Error) -> Option<&str> {
        error.get_ref()?.downcast_ref::<Self>()?.help.as_deref()
    }
}

/// A piece that is held against its hash when it ends.
struct Checked {
    name: String,
    text: Box<dyn Read + Send>,
    /// What was read, and what all of it has to be.
    measure: Option<(ByteMeasure, String)>,
}

impl Checked {
    fn fails(&self, what: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("{} {what}", self.name))
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read =
            self.text.read(buffer).map_err(|error| self.fails(&format!("fails: {error}")))?;
        if let Some((measure, _)) = &mut self.measure {
            measure.add(buffer.get(..read).unwrap_or_default());
        }
        if read == 0
            && !buffer.is_empty()
            && let Some((bytes, expected)) = self.measure.take()
        {
            let found = ManifestBuilder { bytes, ..ManifestBuilder::default() }.measured().sha256;
            if found != expected {
                let what = format!(
                    "is another than its chain has: its SHA-256 is {found}, not {expected}"
                );
                return Err(self.fails(&what));
            }
        }
        Ok(read)
    }
}
