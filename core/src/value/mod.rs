//! What keys and values mean: messages by name, ids, JSON, the objects that keys name.

mod fits;
mod items;
mod json;
mod key;
mod mask;
mod meaning;
mod message;
mod shown;
mod sql;
mod table;
mod wire;

pub(crate) use fits::fields_fit;
pub use fits::fits;
pub use items::{Misfit, Name, Reason, Scalar};
pub use json::JsonError;
#[cfg(feature = "look")]
pub(crate) use key::unescape;
pub use key::{KeyParts, unescaped};
pub use mask::{MASKED, RawMask, Secrets, mask_raw};
pub use meaning::{Forms, MOST_UNPACKED_BYTES, Meaning, unpacked};
pub use message::{Decoded, Message, Value, single_scalars};
pub(crate) use shown::first_part;
pub use shown::{Shown, ShownContent, Viewer, grouped, utc};
pub use sql::sql_type;
pub use table::{
    Cardinality, EnumType, Field, Former, Holds, KeyForm, Mask, MessageType, NEWEST_VER,
    ObjectKind, Refers, Segment, Type, Unit, ValueForm,
};
pub(crate) use wire::put_varint;
pub use wire::{Fields, Wire, WireError};

#[cfg(test)]
mod tests;
