//! Fingerprints of what is written, to hold against what is read back.

use std::borrow::Cow;

use metadump::record::Bytes;
use metadump::rotbl::TableEntry;

/// A count and a CRC-32 of what went by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// How many items, or bytes of a stream.
    count: u64,
    crc: u32,
}

impl Fingerprint {
    /// Adds a piece of a stream: where the pieces are cut does not count.
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.crc);
        hasher.update(bytes);
        self.crc = hasher.finalize();
        self.count += bytes.len() as u64;
    }

    /// Adds an entry of the table: what it means, not how it is encoded.
    pub fn add_entry(&mut self, entry: &TableEntry<'_>) {
        self.add_entry_with(entry, |data| data.decode());
    }

    /// The same where values are text, which is not decoded for it; so entries only compare with
    /// those that were added in the same way.
    pub fn add_spelled_entry(&mut self, entry: &TableEntry<'_>) {
        self.add_entry_with(entry, |data| data.spelled());
    }

    fn add_entry_with(
        &mut self,
        entry: &TableEntry<'_>,
        bytes_of: impl for<'d> Fn(&'d Bytes<'_>) -> Cow<'d, [u8]>,
    ) {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.crc);
        let mut number = |number: Option<u64>| {
            hasher.update(&[u8::from(number.is_some())]);
            hasher.update(&number.unwrap_or_default().to_le_bytes());
        };
        let (key, data) = match entry {
            TableEntry::Expire(at, value) => {
                number(Some(at.time_ms));
                number(Some(at.seq));
                // An entry of an old dump has no number of its own; 1 is stored for it.
                number(Some(value.seq.max(1)));
                (&value.key, None)
            }
            TableEntry::GenericKV(key, value) => {
                number(Some(value.seq));
                number(value.meta.map(|_| 0));
                number(value.meta.and_then(|meta| meta.expire_at));
                number(value.meta.and_then(|meta| meta.proposed_at_ms));
                (key, Some(bytes_of(&value.data)))
            }
        };
        // The lengths keep the border between key and data.
        number(Some(key.len() as u64));
        hasher.update(key.as_bytes());
        hasher.update(data.as_deref().unwrap_or_default());
        self.crc = hasher.finalize();
        self.count += 1;
    }
}
