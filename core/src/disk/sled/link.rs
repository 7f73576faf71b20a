//! A link: a change of a node that is stored beside it.

use super::bytes::Cursor;
use super::page_table::PageId;

/// A change. Keys lack what the keys of the node have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link<'a> {
    /// The key has this value.
    Set { key: &'a [u8], value: &'a [u8] },
    /// The key is gone, if it was there.
    Delete { key: &'a [u8] },
    /// A child of this index node is being merged into its left neighbour.
    Merge { child: PageId },
    /// That child is merged.
    Merged,
    /// This node itself is being merged.
    Merging,
}

impl<'a> Link<'a> {
    /// Reads a change; says how many bytes follow it.
    pub(super) fn decode(bytes: &'a [u8]) -> Result<(Self, usize), &'static str> {
        let mut cursor = Cursor::new(bytes);
        let ends = "it ends early";
        let link = match cursor.u8().ok_or(ends)? {
            0 => {
                let key = cursor.sized().ok_or(ends)?;
                Self::Set { key, value: cursor.sized().ok_or(ends)? }
            }
            1 => Self::Delete { key: cursor.sized().ok_or(ends)? },
            2 => Self::Merge { child: PageId(cursor.varint().ok_or(ends)?) },
            3 => Self::Merged,
            4 => Self::Merging,
            _ => return Err("its kind is unknown"),
        };
        Ok((link, cursor.rest().len()))
    }
}
