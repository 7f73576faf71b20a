//! What the first reading finds out for the second.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use roaring::RoaringTreemap;

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
            secrets: Secrets::share(0, 1),
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
        for found in &line.found {
            if found.is_token {
                self.tokens.add(&String::from_utf8_lossy(&found.found.secret));
            }
            self.tally.add(found);
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
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    found: HashSet<Box<[u8]>, BuildHasherDefault<DefaultHasher>>,
    bytes: usize,
    share: u64,
    of: u64,
}

impl Secrets {
    /// To collect one share of several.
    pub fn share(share: u64, of: u64) -> Self {
        Self { share, of, ..Self::default() }
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
        if secret.len() < SHORTEST_BYTES || !self.is_mine(secret) || self.found.contains(secret) {
            return;
        }
        self.bytes += secret.len() + ELEMENT_BYTES;
        self.found.insert(secret.into());
        while self.bytes > MOST_BYTES && self.share == 0 && self.of < 1 << 32 {
            self.of *= 2;
            let mut found = std::mem::take(&mut self.found);
            found.retain(|secret| self.is_mine(secret));
            self.bytes = found.iter().map(|secret| secret.len() + ELEMENT_BYTES).sum();
            self.found = found;
        }
    }

    fn is_mine(&self, secret: &[u8]) -> bool {
        self.of <= 1 || self.found.hasher().hash_one(secret) % self.of == self.share
    }

    /// How many shares there are.
    pub const fn shares(&self) -> u64 {
        self.of
    }

    /// How many credentials are in the share.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.found.iter().map(|secret| &**secret)
    }
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
        let first = collect(Secrets::share(0, 1));
        assert!(first.shares() > 1 && first.bytes <= MOST_BYTES, "{} bytes", first.bytes);
        let others =
            (1..first.shares()).map(|share| collect(Secrets::share(share, first.shares())));
        let count = others.map(|share| share.len()).sum::<usize>() + first.len();
        assert_eq!(count, all.len());
    }
}
