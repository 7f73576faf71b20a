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
        let (key, data, numbers) = match entry {
            TableEntry::Expire(at, value) => {
                // An entry of an old dump has no number of its own; 1 is stored for it.
                let seq = value.seq.max(1);
                (&value.key, None, [Some(at.time_ms), Some(at.seq), Some(seq), None])
            }
            TableEntry::GenericKV(key, value) => {
                let meta = value.meta;
                let expire_at = meta.and_then(|meta| meta.expire_at);
                let proposed_at = meta.and_then(|meta| meta.proposed_at_ms);
                let numbers = [Some(value.seq), meta.map(|_| 0), expire_at, proposed_at];
                (key, Some(bytes_of(&value.data)), numbers)
            }
        };
        // The lengths keep the border between key and data.
        let numbers = numbers.into_iter().chain([Some(key.len() as u64)]);
        let mut head = [0; 5 * NUMBER_BYTES];
        for (place, number) in head.chunks_exact_mut(NUMBER_BYTES).zip(numbers) {
            if let (Some((is_some, place)), Some(number)) = (place.split_first_mut(), number) {
                *is_some = 1;
                place.copy_from_slice(&number.to_le_bytes());
            }
        }
        let mut hasher = crc32fast::Hasher::new_with_initial(self.crc);
        hasher.update(&head);
        hasher.update(key.as_bytes());
        hasher.update(data.as_deref().unwrap_or_default());
        self.crc = hasher.finalize();
        self.count += 1;
    }
}

/// A number, behind a byte that says whether there is one.
const NUMBER_BYTES: usize = 9;
