//! The log of a V004 data directory: chunk files of self-delimiting records.
//!
//! ```text
//! file bytes ─► ChunkReader ─► RecordAt ─► WalReplay ─► Replayed (state, live entries)
//!                                 │                         │
//!                                 └───── second pass ───────┴─► log_entry_line ─► dump lines
//!
//! dump records ─► WalWriter ─► bytes, and the chunk file that each belongs to
//! ```
//!
//! A record is `u32 type ++ payload ++ u64 CRC`, big-endian. The CRC-32 (zlib) covers type and
//! payload. The payload is MessagePack with named members, which delimits itself: a record has no
//! length. Every chunk file begins with a `State` record that repeats the accumulated state, and
//! its name is the global offset of its first byte. See docs/format.md, the V004 log.
//!
//! **Invariant:** memory is bounded by one record and one piece of input, whatever the bytes say.

mod canonical;
mod chunk_id;
mod decode;
mod encode;
mod entry_line;
mod error;
mod live;
mod msgpack;
mod reader;
mod record;
mod replay;
mod transcoder;
mod writer;

pub use chunk_id::ChunkId;
pub use decode::{Decoded, PayloadError, RecordError, decode_payload, decode_record};
pub use encode::{EncodeError, encode_append, encode_record};
pub use entry_line::{LineForm, log_entry_line};
pub use error::{WalError, WalFault};
pub use live::LiveEntries;
pub use reader::{ChunkEnd, ChunkReader, RecordAt, whole_record_behind_damage};
pub use record::{UserData, WalRecord, WalState};
pub use replay::{Replayed, TornTail, WalReplay};
pub use writer::{ChunkLimits, WalWriteError, WalWriter};

#[cfg(test)]
mod tests;
