//! What has to be written of an object, given what the cluster has under its keys.

use std::collections::HashMap;

use super::compose::{Is, Row, Step};
use super::fate::{Fate, Item};
use crate::change::reconcile::is_same;
use crate::dump::record::{Bytes, KVMeta, SeqV};
use crate::state::apply::ExpiryRule;
use crate::value::{
    Fields, KeyParts, MOST_UNPACKED_BYTES, MessageType, Wire, listed_ids, unpacked, with_ids,
    without_fields,
};

/// What has to be written of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// The keys to write; what makes the object seen comes last.
    pub puts: Vec<Put>,
    /// How many keys the cluster has as they are to be.
    pub same: u64,
    /// How many keys of the dump are left out, for the object has changed since.
    pub left: u64,
    /// Keys that the cluster has, with something else under them.
    pub clashes: Vec<String>,
    /// Whether the object has changed since the dump.
    pub is_newer: bool,
}

/// A key to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The key.
    pub key: String,
    /// The sequence number of what is there; 0 of nothing.
    pub found_seq: u64,
    /// The value.
    pub value: Vec<u8>,
    /// When it expires, in the unit of the cluster.
    pub expire_at: Option<u64>,
    /// Whether the object is seen without it, or it does no harm alone: a file that was copied.
    pub may_come_first: bool,
}

impl Step {
    /// What has to be written of the object, where the cluster has `found` under its keys.
    pub fn settle(
        &self,
        item: &Item,
        found: &HashMap<String, SeqV<'static>>,
        expiry: ExpiryRule,
    ) -> Settled {
        let mut settled = Settled::default();
        if item.fate == Fate::Undropped {
            settled.is_newer = self.rows.iter().any(|row| {
                row.is == Is::Record
                    && found.get(&row.key).is_some_and(|of| !is_as_dropped(row, of))
            });
        }
        for row in &self.rows {
            let found = found.get(&row.key);
            let as_wanted = SeqV {
                seq: 0,
                meta: Some(KVMeta { expire_at: row.expire_at, proposed_at_ms: None }),
                data: Bytes::Decoded(row.value.as_slice().into()),
            };
            let Some(found) = found else {
                // What a change since has taken away does not come back.
                if settled.is_newer && row.is == Is::File {
                    settled.left += 1;
                } else {
                    settled.put(row, 0, row.value.clone());
                }
                continue;
            };
            if is_same(&as_wanted, found, expiry) {
                settled.same += 1;
                continue;
            }
            match (row.is, item.fate) {
                (Is::List, Fate::Taken { .. }) if self.is_last_of(found) => settled.same += 1,
                (Is::List, Fate::Taken { .. }) => settled.clashes.push(row.key.clone()),
                (Is::List, _) if self.is_last_of(found) => settled.same += 1,
                (Is::List, _) => match self.with_own(found) {
                    Some(list) => settled.put(row, found.seq, list),
                    None => settled.clashes.push(row.key.clone()),
                },
                // Its data is being removed.
                (Is::Record, Fate::Undropped) if is_purged(row, found) => {
                    settled.clashes.push(row.key.clone());
                }
                (Is::Record, Fate::Undropped) => {
                    let is_newer = settled.is_newer;
                    let own = || without_drop(&row.key, &found.data.decode());
                    let value = if is_newer { own() } else { row.value.clone() };
                    if found.data.decode() == value.as_slice() {
                        settled.same += 1;
                    } else {
                        settled.put(row, found.seq, value);
                    }
                }
                (Is::Name, Fate::Undropped) => settled.clashes.push(row.key.clone()),
                (_, Fate::Undropped) => settled.left += 1,
                // What is left there of the id belongs to nothing else, and has no record.
                (is, Fate::Made { has_remains: true })
                    if !row.is_shared && !matches!(is, Is::Name | Is::Record) =>
                {
                    settled.put(row, found.seq, row.value.clone());
                }
                _ => settled.clashes.push(row.key.clone()),
            }
        }
        settled
    }

    /// Whether an id list of the cluster ends with the object.
    fn is_last_of(&self, list: &SeqV<'_>) -> bool {
        let ids = listed_ids(&list.data.decode());
        self.id.is_some() && ids.is_some_and(|ids| ids.last().copied() == self.id)
    }

    /// An id list of the cluster with the object at its end; none when it is no id list.
    fn with_own(&self, list: &SeqV<'_>) -> Option<Vec<u8>> {
        let list = list.data.decode();
        let mut ids = listed_ids(&list)?;
        ids.retain(|id| Some(*id) != self.id);
        ids.extend(self.id);
        Some(with_ids(&list, &ids))
    }
}

impl Settled {
    fn put(&mut self, row: &Row, found_seq: u64, value: Vec<u8>) {
        self.puts.push(Put {
            key: row.key.clone(),
            found_seq,
            value,
            expire_at: row.expire_at,
            may_come_first: row.is == Is::File,
        });
    }
}

/// The fields of a message that a drop changes: the mark, and when it was changed.
fn fields_of_drop(of: &MessageType, with_updated: bool) -> Vec<u32> {
    let is_of_drop = |name: &str| {
        matches!(name, "drop_on" | "dropped_on")
            || (with_updated && matches!(name, "updated_on" | "update_on"))
    };
    of.fields.iter().filter(|field| is_of_drop(field.name)).map(|field| field.number).collect()
}

/// A record without some of the fields that a drop changes.
fn without(key: &str, value: &[u8], with_updated: bool) -> Vec<u8> {
    let plain = unpacked(value, MOST_UNPACKED_BYTES);
    let message = KeyParts::of(key).zip(plain.ok()).and_then(|(parts, plain)| {
        let of = parts.forms().message(&plain)?;
        Some(without_fields(&plain, &fields_of_drop(of, with_updated)))
    });
    message.unwrap_or_else(|| value.to_vec())
}

/// A record without the mark of a drop.
fn without_drop(key: &str, value: &[u8]) -> Vec<u8> {
    without(key, value, false)
}

/// Whether the data of a dropped object is being removed.
fn is_purged(row: &Row, found: &SeqV<'_>) -> bool {
    let value = found.data.decode();
    let Ok(plain) = unpacked(&value, MOST_UNPACKED_BYTES) else { return false };
    let of = KeyParts::of(&row.key).and_then(|parts| parts.forms().message(&plain));
    let Some(field) = of.and_then(|of| of.field_named("gc_in_progress")) else { return false };
    Fields::new(&plain).any(|of| of == Ok((field.number, Wire::Varint(1))))
}

/// Whether a record of the cluster is that of the dump but for the drop.
fn is_as_dropped(row: &Row, found: &SeqV<'_>) -> bool {
    without(&row.key, &found.data.decode(), true) == without(&row.key, &row.value, true)
}
