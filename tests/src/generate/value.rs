//! Values, as a server writes them, computed from a seed and a sequence number.

use std::sync::LazyLock;

/// A stream of random numbers: `SplitMix64`, which passes through every 64-bit number once.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The stream of one record of one dump.
    pub(super) fn new(seed: u64, seq: u64) -> Self {
        let mut seeds = Self(seed);
        Self(seeds.next() ^ seq.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// How much the lengths of values differ; the median is the same for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spread {
    /// Two of three are between half and twice the median.
    Usual,
    /// One in a thousand has more than 20 times the median, as the metadata of wide tables has.
    Wide,
}

/// The median length of what is made of chance in a value.
const MEDIAN_BYTES: u64 = 280;

/// The characters of texts.
const ALPHABET: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

/// What a column takes.
const COLUMN_BYTES: u64 = 45;

/// Types of columns, by the number of their field: integers, floats, a date, a text.
const COLUMN_TYPES: [u64; 8] = [2, 5, 6, 10, 12, 13, 15, 15];

/// The message version, and the least that a reader must know; every message ends with them.
const VERSIONS: [(u64, u64); 2] = [(100, 182), (101, 24)];

/// A length by chance.
///
/// It is log-normal by construction: as many steps from the median as a binomial number, which is
/// nearly normal, each a factor.
fn len(random: &mut Random, spread: Spread) -> u64 {
    let steps = i64::from((random.next() >> 32).count_ones()) - 16;
    let (up, down) = match spread {
        Spread::Usual => (5, 4),
        Spread::Wide => (3, 2),
    };
    let mut len = MEDIAN_BYTES * 256;
    for _ in 0..steps.unsigned_abs() {
        len = if steps > 0 { len * up / down } else { len * down / up };
    }
    // Lengths between two steps occur too.
    len / 256 + random.next() % (len / 1024 + 1)
}

/// A text by chance.
fn text(random: &mut Random, len: u64) -> Vec<u8> {
    let mut bits = 0;
    // Ten characters of six bits come out of one number.
    let char = |at: u64| {
        bits = if at.is_multiple_of(10) { random.next() } else { bits >> 6 };
        ALPHABET.get((bits & 63) as usize).copied().unwrap_or_default()
    };
    (0..len).map(char).collect()
}

/// The metadata of a table: most of it is its columns.
pub(super) fn table_meta(random: &mut Random) -> Vec<u8> {
    let columns = len(random, Spread::Wide) / COLUMN_BYTES + 1;
    let mut schema = Message::default();
    for column in 0..columns {
        let name_len = 4 + random.next() % 16;
        let name = text(random, name_len);
        let of = COLUMN_TYPES.get((random.next() % 8) as usize).copied().unwrap_or_default();
        let data_type = Message::default().bytes(of, &[]).versioned();
        let field = Message::default().bytes(1, &name).bytes(3, &data_type).number(4, column);
        schema = schema.bytes(1, &field.versioned());
    }
    let schema = schema.number(3, columns).versioned();
    Message::default().bytes(1, &schema).bytes(6, b"FUSE").versioned()
}

/// What is known of a file that was loaded.
pub(super) fn copied_file(random: &mut Random) -> Vec<u8> {
    let len = len(random, Spread::Usual);
    let etag = text(random, len);
    Message::default().bytes(1, &etag).number(2, random.next() >> 40).versioned()
}

/// The metadata of a database.
pub(super) fn database_meta(random: &mut Random) -> Vec<u8> {
    let len = len(random, Spread::Usual);
    let comment = text(random, len);
    Message::default().bytes(5, b"default").bytes(22, &comment).versioned()
}

/// A user with a password.
pub(super) fn user(random: &mut Random, name: &str) -> Vec<u8> {
    // The hash of a password, which is one of SHA-256.
    let password = Message::default().bytes(1, &text(random, 64)).number(2, 2);
    let auth = Message::default().bytes(2, &password.0).versioned();
    Message::default().bytes(1, name.as_bytes()).bytes(2, b"%").bytes(3, &auth).versioned()
}

/// A protobuf message, field by field.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    /// Adds a number; one that is 0 is not written.
    fn number(mut self, field: u64, number: u64) -> Self {
        if number > 0 {
            self.varint(field << 3);
            self.varint(number);
        }
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn varint(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn versioned(self) -> Vec<u8> {
        VERSIONS.iter().fold(self, |message, (field, number)| message.number(*field, *number)).0
    }
}

/// Appends the bytes as an array.
pub(super) fn array(out: &mut String, bytes: &[u8]) {
    static NUMBERS: LazyLock<[String; 256]> =
        LazyLock::new(|| std::array::from_fn(|byte| format!("{byte},")));
    out.push('[');
    for byte in bytes {
        out.push_str(NUMBERS.get(usize::from(*byte)).map_or("", String::as_str));
    }
    if !bytes.is_empty() {
        out.pop();
    }
    out.push(']');
}
