//! The image of a node: its bounds, and its items in the most compact form that they allow.

use crate::disk::sled::varint::{put_sized, sized_bytes};

/// What precedes the bounds.
pub(super) const FIXED_BYTES: u64 = 56;
/// Sled reads values with loads of this many bytes, so there must be as many.
const LEAST_VALUE_BYTES: u64 = 8;
/// Reading a node with this value never splits it.
const PROBATION: u8 = 255;
/// Sled splits bigger nodes when it comes by.
pub(super) const MOST_IMAGE_BYTES: u64 = 992;
const VERSION: u8 = 1;

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// A node and its place in the tree.
#[derive(Debug)]
pub(super) struct Image<'a> {
    /// The page of the right neighbour, 0 for none.
    pub(super) next: u64,
    /// The least key that belongs here.
    pub(super) lo: &'a [u8],
    /// The first key that belongs to the right neighbour; empty for none.
    pub(super) hi: &'a [u8],
    pub(super) level: LevelKind,
    pub(super) items: &'a [Item],
}

/// What the items of a level are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LevelKind {
    /// The first keys and the pages of the nodes below.
    Index,
    /// What the tree holds.
    Leaves,
}

impl Image<'_> {
    /// The image behind its length, as it stands in a message; none when there are too many items.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let prefix_len = common_prefix(self.lo, self.hi).min(255);
        let stripped = |item: &'_ Item| item.key.len().saturating_sub(prefix_len);
        let key_len = same(self.items.iter().map(stripped)).filter(|len| *len > 0);
        let key_len = key_len.and_then(|len| u16::try_from(len).ok());
        let value_len = same(self.items.iter().map(|item| item.value.len()));
        let value_field = value_len.and_then(|len| u16::try_from(len).ok()?.checked_add(1));

        let (mut table, mut keys, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        let mut sized_area = 0_u64;
        for item in self.items {
            // What is not of one length is found by the table.
            table.push(rest.len() as u64);
            let key = item.key.get(prefix_len..).unwrap_or_default();
            match key_len {
                Some(_) => keys.extend_from_slice(key),
                None => put_sized(key, &mut rest),
            }
            if value_field.is_none() {
                put_sized(&item.value, &mut rest);
            }
        }
        sized_area += rest.len() as u64;
        let value_bytes: u64 = match value_field {
            Some(_) => self.items.iter().map(|item| item.value.len() as u64).sum(),
            None => self.items.iter().map(|item| sized_bytes(item.value.len() as u64)).sum(),
        };
        let slack = usize::try_from(LEAST_VALUE_BYTES.saturating_sub(value_bytes)).ok()?;
        let offset_bytes = match (key_len, value_field) {
            (Some(_), Some(_)) => 0,
            _ => width(sized_area),
        };

        let mut image = Vec::new();
        let numbers = [self.next, 0, self.lo.len() as u64, self.hi.len() as u64];
        image.extend(numbers.into_iter().flat_map(u64::to_le_bytes));
        image.extend(u32::try_from(self.items.len()).ok()?.to_le_bytes());
        image.extend(key_len.unwrap_or(0).to_le_bytes());
        image.extend(value_field.unwrap_or(0).to_le_bytes());
        image.extend(0_u16.to_le_bytes());
        image.push(u8::try_from(prefix_len).ok()?);
        let probation_at = image.len();
        image.extend([0, offset_bytes, 0, 0, VERSION, 0]);
        image.push(u8::from(self.level == LevelKind::Index));
        image.extend([0; 6]);
        image.extend_from_slice(self.lo);
        image.extend_from_slice(self.hi);
        for offset in table {
            image.extend(offset.to_le_bytes().into_iter().take(usize::from(offset_bytes)));
        }
        image.append(&mut keys);
        image.append(&mut rest);
        // Values of one length are found from the end; what is missing goes in front of them.
        image.resize(image.len() + slack, 0);
        if value_field.is_some() {
            self.items.iter().for_each(|item| image.extend_from_slice(&item.value));
        }
        if image.len() as u64 > MOST_IMAGE_BYTES && self.items.len() > 1 {
            *image.get_mut(probation_at)? = PROBATION;
        }
        let mut sized = Vec::with_capacity(image.len() + 9);
        put_sized(&image, &mut sized);
        Some(sized)
    }
}

/// How many bytes two keys begin with in common.
pub(super) fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// The length that all have; none when they differ or there are none.
fn same(mut lengths: impl Iterator<Item = usize>) -> Option<usize> {
    let first = lengths.next()?;
    lengths.all(|other| other == first).then_some(first)
}

/// How many bytes tell a place in an area, at least one.
fn width(area_bytes: u64) -> u8 {
    let bits = u64::BITS - area_bytes.leading_zeros();
    u8::try_from(bits.div_ceil(8)).unwrap_or(8).max(1)
}
