//! Lines without their values: what a worker that scans hands to the one that checks.
//!
//! Workers of a browser share no memory. One reads and scans its part of a dump and packs the
//! lines with the values cut out of those that are well-formed; another unpacks them, in order,
//! and checks and indexes them like the lines themselves, which takes it a tenth of the time. What
//! the values say of objects comes with each line, what is hashed of them beside the lines.
//!
//! **Invariant:** a line and its abridged form have the same length in bytes, the same findings
//! and the same place in every index.

use std::collections::BTreeMap;

use crate::check::References;
use crate::dump::frame::Line;
use crate::dump::scan::{ScannedLine, scan_line};
use crate::state::state_hash::StateHash;

/// Shorter values are not worth cutting out.
const FEWEST_BYTES: usize = 16;

/// What is left of a value.
const ELIDED: &[u8] = b"[]";

/// Of how many state machines the records are hashed; a checker looks at as many.
const MOST_MACHINES: usize = 16;

/// Scans lines and packs what of them is needed to check them.
#[derive(Debug, Default)]
pub struct Abridger {
    packed: Vec<u8>,
    hashes: BTreeMap<u64, StateHash>,
}

impl Abridger {
    /// Adds the next line.
    pub fn line(&mut self, line: &Line<'_>) {
        let start = self.packed.len();
        self.packed.extend([0; HEAD_BYTES]);
        let body = self.packed.len();
        let mut copied = 0;
        let scanned = scan_line(line.bytes);
        let references = References::of(&scanned);
        if let Ok(scanned) = scanned {
            self.hash(&scanned);
            scanned.record.for_each_value(|value| {
                let Some(text) = value.text().filter(|text| text.len() >= FEWEST_BYTES) else {
                    return;
                };
                let Some(at) = offset_in(line.bytes, text) else { return };
                // A value before the last one stays: it is only longer.
                let Some(before) = line.bytes.get(copied..at) else { return };
                self.packed.extend_from_slice(before);
                self.packed.extend_from_slice(ELIDED);
                copied = at + text.len();
            });
        }
        self.packed.extend_from_slice(line.bytes.get(copied..).unwrap_or_default());
        let kept_bytes = (self.packed.len() - body) as u64;
        let elided_bytes = line.bytes.len() as u64 - kept_bytes + line.elided_bytes;
        // Writing into memory does not fail.
        let references = references.and_then(|found| postcard::to_allocvec(&found).ok());
        let references = references.unwrap_or_default();
        self.packed.extend_from_slice(&references);
        let head = Head {
            kept_bytes,
            elided_bytes,
            references_bytes: references.len() as u64,
            terminated: line.terminated,
        };
        let head_bytes = head.to_bytes();
        if let Some(head) = self.packed.get_mut(start..body) {
            head.copy_from_slice(&head_bytes);
        }
    }

    /// The values are needed for the hash of the state, and nobody sees them later.
    fn hash(&mut self, scanned: &ScannedLine<'_>) {
        let Some((machine, hash)) = StateHash::of_line(scanned) else { return };
        let is_one_too_many =
            self.hashes.len() == MOST_MACHINES && !self.hashes.contains_key(&machine);
        if !is_one_too_many {
            self.hashes.entry(machine).or_default().add(hash);
        }
    }

    /// Takes the lines packed so far.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.packed)
    }

    /// Takes the hashes of the records so far, for [`Abridged::hashes`].
    pub fn take_hashes(&mut self) -> Vec<u8> {
        let hashes = std::mem::take(&mut self.hashes);
        let packed = hashes
            .into_iter()
            .flat_map(|(machine, hash)| machine.to_le_bytes().into_iter().chain(hash.to_bytes()));
        packed.collect()
    }
}

/// Unpacks what [`Abridger`]s packed and gives the lines their numbers and places.
///
/// ```
/// use metadump::workers::{Abridged, Abridger};
/// use metadump::Line;
///
/// let bytes = br#"["state_machine/0",{"GenericKV":{"key":"k","value":{"seq":1,"meta":null,"data":[1,2,3,4,5,6,7,8,9]}}}]"#;
/// let mut abridger = Abridger::default();
/// abridger.line(&Line::new(1, 0, bytes, true));
/// let mut abridged = Abridged::default();
/// abridged.feed(&abridger.take(), |line, _| {
///     assert!(line.bytes.ends_with(br#""data":[]}}}]"#));
///     assert_eq!(line.len_bytes(), bytes.len() as u64 + 1);
/// });
/// ```
#[derive(Debug, Default)]
pub struct Abridged {
    lines: u64,
    offset_bytes: u64,
    ended: bool,
}

impl Abridged {
    /// What [`Abridger::take_hashes`] gave: hashes of records, each with the number of its state
    /// machine, for [`Checker::state_hash`](crate::Checker::state_hash) once the lines are checked.
    pub fn hashes(packed: &[u8]) -> impl Iterator<Item = (u64, StateHash)> {
        let (hashes, _) = packed.as_chunks::<HASH_BYTES>();
        hashes.iter().filter_map(|hash| {
            let (machine, hash) = hash.split_first_chunk()?;
            let hash = hash.first_chunk().map(StateHash::from_bytes)?;
            Some((u64::from_le_bytes(*machine), hash))
        })
    }

    /// Calls `each` for every line of `packed`, which continues what was fed before, with what the
    /// whole line says of objects. A line that is too long is the last one, as for
    /// [`LineFramer`](crate::LineFramer).
    pub fn feed<'a>(
        &mut self,
        mut packed: &'a [u8],
        mut each: impl FnMut(&Line<'_>, Option<References>),
    ) {
        while !self.ended
            && let Some((head, rest)) = packed.split_first_chunk()
        {
            let Head { kept_bytes, elided_bytes, references_bytes, terminated } =
                Head::from_bytes(head);
            let take =
                |bytes: &'a [u8], len: u64| bytes.split_at_checked(usize::try_from(len).ok()?);
            let Some((bytes, rest)) = take(rest, kept_bytes) else { return };
            let Some((references, rest)) = take(rest, references_bytes) else { return };
            let references = postcard::from_bytes(references).ok();
            packed = rest;
            self.lines += 1;
            let (number, offset_bytes) = (self.lines, self.offset_bytes);
            let line = Line { number, offset_bytes, bytes, terminated, elided_bytes };
            self.offset_bytes += line.len_bytes();
            self.ended = line.is_too_long();
            each(&line, references);
        }
    }
}

/// What stands before each packed line.
struct Head {
    kept_bytes: u64,
    elided_bytes: u64,
    references_bytes: u64,
    terminated: bool,
}

const HEAD_BYTES: usize = 25;

/// The number of a state machine, and a hash.
const HASH_BYTES: usize = 24;

impl Head {
    fn to_bytes(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [u8::from(self.terminated); HEAD_BYTES];
        let (numbers, _) = bytes.as_chunks_mut::<8>();
        let all = [self.kept_bytes, self.elided_bytes, self.references_bytes];
        for (number, bytes) in all.iter().zip(numbers) {
            *bytes = number.to_le_bytes();
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; HEAD_BYTES]) -> Self {
        let (numbers, terminated) = bytes.as_chunks::<8>();
        let mut numbers = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let mut number = || numbers.next().unwrap_or_default();
        Self {
            kept_bytes: number(),
            elided_bytes: number(),
            references_bytes: number(),
            terminated: terminated == [1],
        }
    }
}

/// Where `part`, a slice of `whole`, starts in it.
fn offset_in(whole: &[u8], part: &[u8]) -> Option<usize> {
    let at = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    (at + part.len() <= whole.len()).then_some(at)
}
