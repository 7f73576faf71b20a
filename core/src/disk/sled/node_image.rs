//! The image of a node: its bounds, and its items in a compact form.

use super::bytes::{Cursor, little_endian};
use super::page_table::PageId;

/// The size of the fixed part of an image.
pub(super) const FIXED_BYTES: u64 = 56;
/// The only version of images.
pub(super) const VERSION: u8 = 1;

/// A node as it was last written whole.
#[derive(Debug, Clone)]
pub(super) struct NodeImage {
    bytes: Vec<u8>,
    pub(super) next: Option<PageId>,
    pub(super) merging_child: Option<PageId>,
    pub(super) is_index: bool,
    pub(super) items: u32,
    lo_len: usize,
    hi_len: usize,
    prefix_len: usize,
    keys: Keys,
    /// The length of every value; none when they differ.
    value_len: Option<usize>,
    /// How wide an offset is; 0 without a table of offsets.
    offset_len: usize,
    /// Where in the bytes the table of offsets starts.
    table_at: usize,
}

/// How keys are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// Not at all: each is so much greater than the one before.
    Stride(u16),
    /// One after the other, all of this length.
    Fixed(usize),
    /// Behind their lengths.
    Sized,
}

impl NodeImage {
    /// Reads an image that stands behind its length; says how many bytes follow it.
    pub(super) fn decode(mut item: Vec<u8>) -> Result<(Self, usize), &'static str> {
        let mut cursor = Cursor::new(&item);
        let len = cursor.sized().ok_or("it ends early")?.len();
        let following_bytes = cursor.rest().len();
        item.drain(..cursor.taken_bytes() - len);
        item.truncate(len);
        let mut cursor = Cursor::new(&item);
        let fixed = |cursor: &mut Cursor<'_>| {
            Some(Fixed {
                next: cursor.u64()?,
                merging_child: cursor.u64()?,
                lo_len: cursor.u64()?,
                hi_len: cursor.u64()?,
                items: cursor.u32()?,
                key_len: cursor.u16()?,
                value_len_plus_one: cursor.u16()?,
                stride: cursor.u16()?,
                prefix_len: cursor.u8()?,
                _probation: cursor.u8()?,
                offset_len: cursor.u8()?,
                _generations_and_activity: cursor.u16()?,
                version: cursor.u8()?,
                merging: cursor.u8()?,
                is_index: cursor.u8()?,
                _padding: cursor.take(6)?.len(),
            })
        };
        let fixed = fixed(&mut cursor).ok_or("its fixed part ends early")?;
        Ok((fixed.check(item)?, following_bytes))
    }

    /// The least key that may be in the node.
    pub(super) fn lo(&self) -> &[u8] {
        self.slice(FIXED_BYTES as usize, self.lo_len)
    }

    /// The first key that belongs to the next node; none in the last node.
    pub(super) fn hi(&self) -> Option<&[u8]> {
        let hi = self.slice(FIXED_BYTES as usize + self.lo_len, self.hi_len);
        (!hi.is_empty()).then_some(hi)
    }

    /// What all keys begin with and no stored key has.
    pub(super) fn prefix(&self) -> &[u8] {
        self.lo().get(..self.prefix_len).unwrap_or_default()
    }

    /// An item by its number: its whole key, its value.
    pub(super) fn item(&self, number: u32) -> Result<(Vec<u8>, &[u8]), &'static str> {
        let outside = "an item is outside of it";
        let index = usize::try_from(number).map_err(|_| outside)?;
        let data_at = self.table_at + self.offset_len * self.items as usize;
        let sized_at = |area: usize| {
            let offset = little_endian(
                self.bytes
                    .get(self.table_at + index * self.offset_len..)
                    .and_then(|table| table.get(..self.offset_len))?,
            );
            let at = area.checked_add(usize::try_from(offset).ok()?)?;
            self.bytes.get(at..).map(Cursor::new)
        };
        let (key, mut behind) = match self.keys {
            Keys::Stride(stride) => {
                let value = sized_at(data_at);
                (stride_key(self.lo(), u64::from(number) * u64::from(stride))?, value)
            }
            Keys::Fixed(len) => {
                let key = self.bytes.get(data_at + index * len..).and_then(|rest| rest.get(..len));
                let value = sized_at(data_at + len * self.items as usize);
                ([self.prefix(), key.ok_or(outside)?].concat(), value)
            }
            Keys::Sized => {
                let mut cursor = sized_at(data_at).ok_or(outside)?;
                let key = cursor.sized().ok_or(outside)?;
                ([self.prefix(), key].concat(), Some(cursor))
            }
        };
        let value = match self.value_len {
            Some(len) => {
                let from_end = (self.items as usize - index) * len;
                let at = self.bytes.len().checked_sub(from_end).ok_or(outside)?;
                self.bytes.get(at..).and_then(|rest| rest.get(..len)).ok_or(outside)?
            }
            None => behind.as_mut().and_then(Cursor::sized).ok_or(outside)?,
        };
        Ok((key, value))
    }

    fn slice(&self, at: usize, len: usize) -> &[u8] {
        self.bytes.get(at..).and_then(|rest| rest.get(..len)).unwrap_or_default()
    }
}

/// The fixed part of an image, as it is stored.
struct Fixed {
    next: u64,
    merging_child: u64,
    lo_len: u64,
    hi_len: u64,
    items: u32,
    key_len: u16,
    value_len_plus_one: u16,
    stride: u16,
    prefix_len: u8,
    _probation: u8,
    offset_len: u8,
    _generations_and_activity: u16,
    version: u8,
    merging: u8,
    is_index: u8,
    _padding: usize,
}

impl Fixed {
    /// Checks that bounds, table and fixed areas fit into the image.
    ///
    /// **Invariant:** afterwards no product of a length and the number of items exceeds the size
    /// of the image, whatever the fixed part says; without stored keys and with empty values the
    /// number itself is not bounded by it.
    fn check(self, bytes: Vec<u8>) -> Result<NodeImage, &'static str> {
        if self.version != VERSION {
            return Err("its version is unknown");
        }
        if self.merging > 1 || self.is_index > 1 {
            return Err("a flag is neither 0 nor 1");
        }
        let bounds = usize::try_from(self.lo_len)
            .ok()
            .zip(usize::try_from(self.hi_len).ok())
            .and_then(|(lo, hi)| Some((lo, hi, lo.checked_add(hi)?)))
            .and_then(|(lo, hi, both)| Some((lo, hi, both.checked_add(FIXED_BYTES as usize)?)))
            .filter(|(_, _, table_at)| *table_at <= bytes.len());
        let (lo_len, hi_len, table_at) = bounds.ok_or("its bounds are longer than itself")?;
        let prefix_len = usize::from(self.prefix_len);
        if prefix_len > lo_len {
            return Err("the keys have more in common than its lower bound");
        }
        let key_len = usize::from(self.key_len);
        let keys = match (self.stride, key_len) {
            (0, 0) => Keys::Sized,
            (0, _) => Keys::Fixed(key_len),
            (stride, _) if lo_len == prefix_len + key_len && key_len > 0 => Keys::Stride(stride),
            _ => return Err("its keys are as long as each other, but not as its lower bound"),
        };
        let value_len = usize::from(self.value_len_plus_one).checked_sub(1);
        let has_table = keys == Keys::Sized || value_len.is_none();
        let offset_len = usize::from(self.offset_len);
        if offset_len > 8 || (has_table && offset_len == 0) {
            return Err("the width of its offsets is impossible");
        }
        let stored_key_len = if let Keys::Fixed(len) = keys { len } else { 0 };
        let item_len = offset_len + stored_key_len + value_len.unwrap_or(0);
        let items = usize::try_from(self.items).map_err(|_| "it has too many items")?;
        let fits = item_len
            .checked_mul(items)
            .and_then(|areas| areas.checked_add(table_at))
            .is_some_and(|end| end <= bytes.len());
        if !fits {
            return Err("it is too short for its items");
        }
        let page = |number| (number != 0).then_some(PageId(number));
        Ok(NodeImage {
            bytes,
            next: page(self.next),
            merging_child: page(self.merging_child),
            is_index: self.is_index == 1,
            items: self.items,
            lo_len,
            hi_len,
            prefix_len,
            keys,
            value_len,
            offset_len,
            table_at,
        })
    }
}

/// The lower bound, taken as a big-endian number, plus a multiple of the stride.
fn stride_key(lo: &[u8], plus: u64) -> Result<Vec<u8>, &'static str> {
    let mut key = lo.to_vec();
    let mut carry = plus;
    for byte in key.iter_mut().rev() {
        if carry == 0 {
            break;
        }
        let sum = u64::from(*byte) + (carry & 0xFF);
        *byte = sum.to_le_bytes()[0];
        carry = (carry >> 8) + (sum >> 8);
    }
    if carry == 0 { Ok(key) } else { Err("a key is greater than all keys of its length") }
}
