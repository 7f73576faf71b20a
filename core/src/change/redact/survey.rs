//! What the first reading finds out for the second.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use roaring::RoaringTreemap;
use twox_hash::XxHash3_128;

use super::kept::KeptEdits;
use super::line::{FoundAt, RedactedLine, Redactor};
use super::proof::{SHORTEST_BYTES, meant_by};
use super::tally::Tally;
use super::tokens::Tokens;
use crate::dump::frame::Line;
use crate::dump::scan::scan_line;
use crate::value::Pseudonyms;

/// How many bytes of credentials are kept at a time: when there are more, those of a share of them are.
const MOST_BYTES: usize = 24 << 20;

/// What a set takes beside the bytes of an element.
const ELEMENT_BYTES: usize = 48;

/// What is replaced in a dump.
#[derive(Debug, Clone)]
pub struct Survey {
    pub(super) tokens: Tokens,
    /// What is replaced, counted.
    pub tally: Tally,
    /// What the proof looks for.
    pub secrets: Secrets,
    /// Whether names are replaced, too.
    names: bool,
    /// Where the lines that change begin.
    changed: RoaringTreemap,
    /// What becomes of those of which this is known.
    kept: KeptEdits,
}

impl Survey {
    /// Starts; `names` says whether names are replaced, too.
    pub fn new(names: bool) -> Self {
        Self {
            tokens: Tokens::default(),
            tally: Tally::default(),
            secrets: Secrets::default(),
            names,
            changed: RoaringTreemap::new(),
            kept: KeptEdits::default(),
        }
    }

    /// Takes what was found in the next line, which begins at a byte of the dump.
    pub fn line(&mut self, offset_bytes: u64, line: &RedactedLine) {
        self.tally.lines += 1;
        let has_token = line.found.iter().any(|found| found.is_token);
        if has_token || !line.edits.is_empty() {
            self.tally.changed_lines += 1;
            self.changed.insert(offset_bytes);
        }
        // Names are not known before the end of the first reading.
        if !has_token && !self.names && !line.edits.is_empty() {
            self.kept.add(offset_bytes, &line.edits);
        }
        self.tally.lines_with_credentials += u64::from(!line.found.is_empty());
        self.tally.add(&line.found);
        for found in &line.found {
            if found.is_token {
                self.tokens.add(&String::from_utf8_lossy(&found.found.secret));
            }
            self.secrets.add(found);
        }
    }

    /// Starts the second reading; `names` are the pseudonyms, where names are replaced, too.
    pub fn second_reading(&self, names: Option<Pseudonyms>) -> SecondReading<'_> {
        let redactor = Redactor::new(self.tokens.clone().named()).with_names(names);
        SecondReading { survey: self, redactor, trusts_first: true }
    }
}

/// Makes the lines of a dump that was surveyed.
#[derive(Debug)]
pub struct SecondReading<'s> {
    survey: &'s Survey,
    redactor: Redactor,
    trusts_first: bool,
}

impl SecondReading<'_> {
    /// Looks for credentials again, in every line: what is handed on before the end cannot be taken back
    /// when the dump has changed meanwhile.
    #[must_use]
    pub fn looking_again(self) -> Self {
        Self { trusts_first: false, ..self }
    }

    /// The new line, without its end; none when it stays as it is.
    pub fn made(&self, line: &Line<'_>) -> Option<Vec<u8>> {
        if self.trusts_first {
            if !self.survey.changed.contains(line.offset_bytes) {
                return None;
            }
            let kept = self.survey.kept.made(line.offset_bytes, line.bytes);
            if kept.is_some() {
                return kept;
            }
        }
        self.redactor.line(line.bytes, &scan_line(line.bytes)).made(line.bytes)
    }
}

/// Credentials that the proof looks for: a share of all, so that memory does not grow with the dump.
#[derive(Debug, Clone)]
pub struct Secrets {
    all: Bytes,
    /// The number of each.
    numbers: HashTable<usize>,
    /// Nobody can make up credentials that get the same hash.
    seed: u64,
    share: u64,
    of: u64,
}

impl Default for Secrets {
    fn default() -> Self {
        Self::of_share(0, 1, RandomState::new().hash_one(()))
    }
}

impl Secrets {
    const fn of_share(share: u64, of: u64, seed: u64) -> Self {
        Self { all: Bytes::new(), numbers: HashTable::new(), seed, share, of }
    }

    /// To collect another share.
    #[must_use]
    pub const fn other(&self, share: u64) -> Self {
        Self::of_share(share, self.of, self.seed)
    }

    /// Takes a credential, as it is written and as what that means, if it is of the share and long enough
    /// to be told from chance. When the first share gets too large, there are twice as many.
    pub fn add(&mut self, found: &FoundAt) {
        let secret = found.found.secret.as_slice();
        self.add_bytes(secret);
        // What is no text means nothing else.
        if let Ok(text) = std::str::from_utf8(secret) {
            meant_by(text).for_each(|secret| self.add_bytes(&secret));
        }
    }

    fn add_bytes(&mut self, secret: &[u8]) {
        if secret.len() < SHORTEST_BYTES {
            return;
        }
        self.add_of_share(secret);
        while self.share == 0 && self.taken_bytes() > MOST_BYTES && self.of < 1 << 32 {
            let of = self.of * 2;
            let all = std::mem::replace(self, Self::of_share(0, of, self.seed));
            all.iter().for_each(|secret| self.add_of_share(secret));
        }
    }

    fn add_of_share(&mut self, secret: &[u8]) {
        let Self { all, numbers, seed, share, of } = self;
        let (hash, number) = hashes(*seed, secret);
        if number % *of != *share {
            return;
        }
        let entry = numbers.entry(
            hash,
            |number| all.at(*number) == secret,
            |number| hashes(*seed, all.at(*number)).0,
        );
        if let Entry::Vacant(vacant) = entry {
            vacant.insert(all.len());
            all.push(secret);
        }
    }

    fn taken_bytes(&self) -> usize {
        self.all.bytes.len() + self.len() * ELEMENT_BYTES
    }

    /// How many shares there are.
    pub const fn shares(&self) -> u64 {
        self.of
    }

    /// How many credentials are in the share.
    pub const fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|number| self.all.at(number))
    }
}

/// Sequences of bytes, one behind the other.
#[derive(Debug, Clone)]
struct Bytes {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Bytes {
    const fn new() -> Self {
        Self { bytes: Vec::new(), ends: Vec::new() }
    }

    const fn len(&self) -> usize {
        self.ends.len()
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
    }

    fn at(&self, number: usize) -> &[u8] {
        let end_of = |number: usize| self.ends.get(number).copied();
        let begin = number.checked_sub(1).map_or(Some(0), end_of);
        let range = begin.zip(end_of(number)).map(|(begin, end)| begin..end);
        range.and_then(|range| self.bytes.get(range)).unwrap_or_default()
    }
}

/// Two hashes of a credential: for its place in a set, and for its share.
fn hashes(seed: u64, secret: &[u8]) -> (u64, u64) {
    let hash = XxHash3_128::oneshot_with_seed(seed, secret);
    (hash as u64, (hash >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Found;

    #[test]
    fn shares_are_bounded_and_together_all() {
        let all: Vec<FoundAt> = (0..100_000)
            .map(|number| FoundAt::of(Found::of("x", format!("{number:0250}").as_bytes())))
            .collect();
        let collect = |mut share: Secrets| {
            all.iter().for_each(|found| share.add(found));
            share
        };
        let first = collect(Secrets::default());
        assert!(first.shares() > 1 && first.taken_bytes() <= MOST_BYTES, "{}", first.len());
        let others = (1..first.shares()).map(|share| collect(first.other(share)));
        let count = others.map(|share| share.len()).sum::<usize>() + first.len();
        assert_eq!(count, all.len());
    }
}
