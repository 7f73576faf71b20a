//! A message, the unit of the log.

use std::borrow::Cow;

use super::bytes::Cursor;
use super::page_table::PageId;

/// How much is looked at to find out how long a message is.
pub(super) const WINDOW_BYTES: usize = 128;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reserved, but not used.
    Canceled,
    /// Nothing more in this segment.
    Cap,
    /// Messages up to a place of the log belong together.
    BatchManifest,
    /// The page is free.
    Free,
    /// The whole counter page.
    Counter,
    /// The whole meta page.
    Meta(Storage),
    /// A whole node page.
    Node(Storage),
    /// A change of a node page.
    Link(Storage),
}

/// Where the item of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    /// In the message.
    Inline,
    /// In a slot of the heap, which the message names.
    Heap,
}

impl Kind {
    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Canceled,
            2 => Self::Cap,
            3 => Self::BatchManifest,
            4 => Self::Free,
            5 => Self::Counter,
            6 => Self::Meta(Storage::Inline),
            7 => Self::Meta(Storage::Heap),
            8 => Self::Node(Storage::Inline),
            9 => Self::Node(Storage::Heap),
            10 => Self::Link(Storage::Inline),
            11 => Self::Link(Storage::Heap),
            _ => return None,
        })
    }

    pub(super) const fn is_in_heap(self) -> bool {
        matches!(
            self,
            Self::Meta(Storage::Heap) | Self::Node(Storage::Heap) | Self::Link(Storage::Heap)
        )
    }

    /// What it is, for messages to people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Canceled | Self::Cap | Self::BatchManifest => "nothing",
            Self::Free => "a free page",
            Self::Counter => "the counter",
            Self::Meta(_) => "the list of trees",
            Self::Node(_) => "a node",
            Self::Link(_) => "a change of a node",
        }
    }
}

/// What precedes the body of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageHeader {
    checksum: u32,
    kind: u8,
    len_bytes: u64,
    segment_number: u64,
    page: PageId,
    size_bytes: u64,
}

impl MessageHeader {
    /// Reads the header at the front of a window; none when the window is too short.
    pub(super) fn decode(window: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(window);
        Some(Self {
            checksum: cursor.u32()?,
            kind: cursor.u8()?,
            len_bytes: cursor.varint()?,
            segment_number: cursor.varint()?,
            page: PageId(cursor.varint()?),
            size_bytes: cursor.taken_bytes() as u64,
        })
    }

    /// The number of the segment that it says it is of.
    pub(super) const fn segment_number(&self) -> u64 {
        self.segment_number
    }

    /// Whether a checksum was written: zeros are no message.
    pub(super) const fn has_checksum(&self) -> bool {
        self.checksum != 0
    }

    /// The size of header and body; none when it exceeds all numbers.
    pub(super) const fn message_bytes(&self) -> Option<u64> {
        self.size_bytes.checked_add(self.len_bytes)
    }
}

/// A message whose checksum is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: Kind,
    pub(super) page: PageId,
    pub(super) segment_number: u64,
    pub(super) body: Cow<'a, [u8]>,
    pub(super) size_bytes: u64,
}

impl Message<'_> {
    /// The same message, independent of the bytes that it was read from.
    pub(super) fn into_owned(self) -> Message<'static> {
        let Self { kind, page, segment_number, body, size_bytes } = self;
        let body = Cow::Owned(body.into_owned());
        Message { kind, page, segment_number, body, size_bytes }
    }
}

/// What stands at a place of the log where a message may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MessageRead<'a> {
    /// A message.
    Whole(Message<'a>),
    /// No message, or a damaged one.
    Corrupted,
    /// A message that the file ends before.
    PastEnd,
}

/// Reads the message at the front of `bytes`, which are what the file has of its segment from
/// here on; a whole segment would have `room_bytes`.
///
/// The fork reads short messages through a window that is filled with zeros past the end of the
/// file, so a message that lost nothing but zeros is whole.
pub(super) fn read_message(bytes: &[u8], room_bytes: u64) -> MessageRead<'_> {
    let Some(window) = window_of(bytes) else { return MessageRead::Corrupted };
    let Some(header) = MessageHeader::decode(&window) else { return MessageRead::Corrupted };
    let Some(size_bytes) = header.message_bytes() else { return MessageRead::Corrupted };
    let Some(kind) = Kind::from_byte(header.kind) else { return MessageRead::Corrupted };
    if size_bytes > room_bytes {
        return MessageRead::Corrupted;
    }
    let (from, to) = (header.size_bytes, size_bytes);
    let (Ok(from), Ok(to)) = (usize::try_from(from), usize::try_from(to)) else {
        return MessageRead::Corrupted;
    };
    let body = match bytes.get(from..to) {
        Some(body) => Cow::Borrowed(body),
        None => match window.get(from..to) {
            Some(body) => Cow::Owned(body.to_vec()),
            None => return MessageRead::PastEnd,
        },
    };
    let covered = window.get(4..from).unwrap_or_default();
    if checksum(&body, covered) != header.checksum {
        return MessageRead::Corrupted;
    }
    let MessageHeader { page, segment_number, .. } = header;
    MessageRead::Whole(Message { kind, page, segment_number, body, size_bytes })
}

/// The front of the bytes, filled up with zeros.
fn window_of(bytes: &[u8]) -> Option<[u8; WINDOW_BYTES]> {
    let mut window = [0; WINDOW_BYTES];
    let len = bytes.len().min(WINDOW_BYTES);
    window.get_mut(..len)?.copy_from_slice(bytes.get(..len)?);
    Some(window)
}

/// The body comes before the header that precedes it.
fn checksum(body: &[u8], header_behind_checksum: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(header_behind_checksum);
    hasher.finalize() ^ u32::MAX
}
