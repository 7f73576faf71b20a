//! Reads records from bytes.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::canonical;
use super::msgpack::{Extent, extent};
use super::record::{
    APPEND, COMMIT, PURGE_UPTO, SAVE_VOTE, STATE, STATE_VERSION, TRUNCATE_AFTER, WalRecord,
    WalState, crc,
};
use super::transcoder::Transcoder;
use crate::dump::record::{LogId, Payload};
use crate::dump::scan::wording::plain as plain_words;
use crate::dump::scan::{read_json, reason};

/// Values nested deeper than this are not decoded. The deepest that a client can send, a
/// condition tree of a transaction, stays below; it also bounds the stack.
const DEEPEST: usize = 120;

/// What stands at the start of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // short-lived, and boxing would allocate for every record
pub enum Decoded<'a> {
    /// A whole record.
    Whole {
        /// The record.
        record: WalRecord<'a>,
        /// How many bytes it takes.
        len_bytes: usize,
    },
    /// The start of a record: more bytes are needed to tell.
    Incomplete,
}

/// Why bytes are not the start of a record. Offsets count from the start of the record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The type is not one of the six.
    #[error("the record has type {found}, expected 0 to 5")]
    UnknownType {
        /// The type in the record.
        found: u32,
    },
    /// The layout of a state record is not known.
    #[error("the state record has version {found}, expected {STATE_VERSION}")]
    UnknownStateVersion {
        /// The version in the record.
        found: u8,
    },
    /// The mark before an optional value is neither 0 nor 1.
    #[error("byte {offset_bytes} of the record is {found:#04x}, expected 0 (none) or 1 (some)")]
    BadOption {
        /// Where in the record.
        offset_bytes: u64,
        /// The byte.
        found: u8,
    },
    /// A byte that must start a MessagePack value does not.
    #[error("byte {offset_bytes} of the record is {found:#04x}, which starts no MessagePack value")]
    NotMessagePack {
        /// Where in the record.
        offset_bytes: u64,
        /// The byte.
        found: u8,
    },
    /// The content does not have its checksum.
    #[error("the record is damaged: it says its checksum is {stored:#x}, computed {computed:#x}")]
    Checksum {
        /// The checksum in the record.
        stored: u64,
        /// The one of the content.
        computed: u64,
    },
    /// The checksum is right, but a value is not what a server writes there.
    #[error("the value at byte {offset_bytes} of the record is no {expected}: {message}")]
    WrongShape {
        /// Where in the record.
        offset_bytes: u64,
        /// What belongs there.
        expected: &'static str,
        /// What the parser says.
        message: String,
    },
}

/// Reads the record at the start of `bytes`.
///
/// The payload of an entry stays MessagePack: its end is found, it is not looked into.
///
/// # Errors
///
/// A [`RecordError`] when the bytes are wrong whatever follows them; bytes that end too early are
/// [`Decoded::Incomplete`] instead, because only the caller knows whether more will come.
pub fn decode_record(bytes: &[u8]) -> Result<Decoded<'_>, RecordError> {
    match decode_or_stop(bytes) {
        Ok(whole) => Ok(whole),
        Err(Stop::Incomplete) => Ok(Decoded::Incomplete),
        Err(Stop::Wrong(error)) => Err(error),
    }
}

/// Why decoding ends early.
enum Stop {
    Incomplete,
    Wrong(RecordError),
}

fn decode_or_stop(bytes: &[u8]) -> Result<Decoded<'_>, Stop> {
    let mut cursor = Cursor { bytes, at: 0 };
    let found = u32::from_be_bytes(cursor.take()?);
    // Extents first, then the checksum, then the values: damage is reported as damage.
    let spans = match found {
        SAVE_VOTE | COMMIT | PURGE_UPTO => Spans::One(cursor.value()?),
        APPEND => {
            let log_id = cursor.value()?;
            match cursor.value() {
                Ok(payload) => Spans::Entry(log_id, payload),
                // What does not begin like an entry is not the start of one either.
                Err(Stop::Incomplete) => {
                    log_id.log_id().map_err(Stop::Wrong)?;
                    return Err(Stop::Incomplete);
                }
                Err(wrong) => return Err(wrong),
            }
        }
        TRUNCATE_AFTER => Spans::Optional(cursor.optional()?),
        STATE => {
            let [version] = cursor.take()?;
            if version != STATE_VERSION {
                let found = version;
                return Err(Stop::Wrong(RecordError::UnknownStateVersion { found }));
            }
            Spans::State([
                cursor.optional()?,
                cursor.optional()?,
                cursor.optional()?,
                cursor.optional()?,
                cursor.optional()?,
            ])
        }
        _ => return Err(Stop::Wrong(RecordError::UnknownType { found })),
    };
    let computed = crc(cursor.passed());
    let stored = u64::from_be_bytes(cursor.take()?);
    if stored != computed {
        return Err(Stop::Wrong(RecordError::Checksum { stored, computed }));
    }
    let record = spans.read(found).map_err(Stop::Wrong)?;
    let len_bytes = cursor.at;
    Ok(Decoded::Whole { record, len_bytes })
}

/// The values of a record that are still MessagePack.
enum Spans<'a> {
    One(Span<'a>),
    Entry(Span<'a>, Span<'a>),
    Optional(Option<Span<'a>>),
    State([Option<Span<'a>>; 5]),
}

impl<'a> Spans<'a> {
    fn read(self, record_type: u32) -> Result<WalRecord<'a>, RecordError> {
        Ok(match self {
            Self::One(vote) if record_type == SAVE_VOTE => WalRecord::SaveVote(vote.read("vote")?),
            Self::One(log_id) if record_type == COMMIT => WalRecord::Commit(log_id.log_id()?),
            Self::One(log_id) => WalRecord::PurgeUpto(log_id.log_id()?),
            Self::Entry(log_id, payload) => {
                WalRecord::Append { log_id: log_id.log_id()?, payload: payload.bytes }
            }
            Self::Optional(log_id) => WalRecord::TruncateAfter(Span::read_some(log_id, "log id")?),
            Self::State([vote, last, committed, purged, user_data]) => WalRecord::State(WalState {
                vote: Span::read_some(vote, "vote")?,
                last: Span::read_some(last, "log id")?,
                committed: Span::read_some(committed, "log id")?,
                purged: Span::read_some(purged, "log id")?,
                user_data: Span::read_some(user_data, "user data")?,
            }),
        })
    }
}

/// One MessagePack value in a record.
struct Span<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Span<'a> {
    /// The value, which is read as the JSON that it comes to: dumps have the same types, and a second
    /// parser for them would be large.
    fn read<T: DeserializeOwned>(&self, expected: &'static str) -> Result<T, RecordError> {
        let wrong = |message| RecordError::WrongShape {
            offset_bytes: self.offset as u64,
            expected,
            message,
        };
        let json = json_of(self.bytes).ok_or_else(|| wrong("it cannot be decoded".to_owned()))?;
        read_json(&json).map(|(value, _)| value).map_err(|error| wrong(reason(&error)))
    }

    /// An id of an entry, which every entry has.
    fn log_id(&self) -> Result<LogId, RecordError> {
        canonical::log_id(self.bytes).map_or_else(|| self.read("log id"), Ok)
    }

    fn read_some<T: DeserializeOwned>(
        span: Option<Self>,
        expected: &'static str,
    ) -> Result<Option<T>, RecordError> {
        span.map(|span| span.read(expected)).transpose()
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn passed(&self) -> &'a [u8] {
        self.bytes.get(..self.at).unwrap_or_default()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let taken = self.rest().first_chunk().ok_or(Stop::Incomplete)?;
        self.at += N;
        Ok(*taken)
    }

    fn value(&mut self) -> Result<Span<'a>, Stop> {
        let rest = self.rest();
        match extent(rest) {
            Extent::Whole(len) => {
                let span =
                    Span { bytes: rest.get(..len).ok_or(Stop::Incomplete)?, offset: self.at };
                self.at += len;
                Ok(span)
            }
            Extent::Incomplete => Err(Stop::Incomplete),
            Extent::NotAValue { offset, found } => Err(Stop::Wrong(RecordError::NotMessagePack {
                offset_bytes: (self.at + offset) as u64,
                found,
            })),
        }
    }

    fn optional(&mut self) -> Result<Option<Span<'a>>, Stop> {
        match self.take()? {
            [0] => Ok(None),
            [1] => self.value().map(Some),
            [found] => Err(Stop::Wrong(RecordError::BadOption {
                offset_bytes: self.at.saturating_sub(1) as u64,
                found,
            })),
        }
    }
}

/// An entry's payload that is not what servers of today write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the entry's payload cannot be read: {message}")]
pub struct PayloadError {
    /// What the parser says.
    pub message: String,
}

/// Reads the payload of an [`WalRecord::Append`].
///
/// Members that this release does not know are passed over: see
/// [`log_entry_line`](super::log_entry_line) for a form that keeps them.
///
/// # Errors
///
/// When the payload is not a blank entry, a command or a membership, or is nested too deep.
pub fn decode_payload(payload: &[u8]) -> Result<Payload<'_>, PayloadError> {
    check_one_value(payload)?;
    Payload::deserialize(&mut msgpack_reader(payload))
        .map_err(|error| PayloadError { message: plain_words(&error.to_string()) })
}

/// Checks that bytes are one MessagePack value and nothing more.
pub(super) fn check_one_value(bytes: &[u8]) -> Result<(), PayloadError> {
    if extent(bytes) == Extent::Whole(bytes.len()) {
        return Ok(());
    }
    Err(PayloadError { message: "not one MessagePack value".to_owned() })
}

/// The JSON of one MessagePack value; none of one that servers do not write.
pub(super) fn json_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut json = Vec::new();
    let mut at = Transcoder::new(bytes, &mut json);
    at.any(DEEPEST)?;
    at.is_at_end().then_some(json)
}

/// A MessagePack parser whose depth is bounded.
pub(super) fn msgpack_reader(
    bytes: &[u8],
) -> rmp_serde::Deserializer<rmp_serde::decode::ReadRefReader<'_, [u8]>> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(DEEPEST);
    reader
}
