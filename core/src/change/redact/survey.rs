//! What the first reading finds out for the second.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use roaring::RoaringTreemap;

use super::line::{FoundAt, RedactedLine};
use super::proof::SHORTEST_BYTES;
use super::tally::Tally;
use super::tokens::Tokens;

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
    /// Where the lines that change begin.
    changed: RoaringTreemap,
}

impl Default for Survey {
    fn default() -> Self {
        Self {
            tokens: Tokens::default(),
            tally: Tally::default(),
            secrets: Secrets::share(0, 1),
            changed: RoaringTreemap::new(),
        }
    }
}

impl Survey {
    /// Takes what was found in the next line, which begins at a byte of the dump.
    pub fn line(&mut self, offset_bytes: u64, line: &RedactedLine) {
        self.tally.lines += 1;
        if line.bytes.is_some() || line.found.iter().any(|found| found.is_token) {
            self.tally.changed_lines += 1;
            self.changed.insert(offset_bytes);
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

    /// Whether the line that begins at a byte changes: no other has to be made again.
    pub fn changes(&self, offset_bytes: u64) -> bool {
        self.changed.contains(offset_bytes)
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

    /// Takes a credential, if it is of the share and long enough to be told from chance. When the
    /// first share gets too large, there are twice as many.
    pub fn add(&mut self, found: &FoundAt) {
        let secret = found.found.secret.as_slice();
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
