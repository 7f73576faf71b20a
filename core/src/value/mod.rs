//! What keys and values mean: messages by name, ids, JSON, the objects that keys name.

mod credential;
mod fits;
mod items;
mod json;
mod key;
mod mask;
mod meaning;
mod message;
mod outline;
mod pseudonym;
mod reading;
mod redact;
mod redact_json;
mod rename;
mod renumber;
mod shown;
mod sql;
mod stored;
mod table;
mod wire;

pub use credential::MASKED;
pub(crate) use credential::{masked_text, names_credential};
pub(crate) use fits::fields_fit;
pub use fits::fits;
pub use items::{Misfit, Name, Reason, Scalar};
pub use json::JsonError;
#[cfg(feature = "look")]
pub(crate) use key::unescape;
pub use key::{KeyParts, unescaped};
pub(crate) use key::{escape, forms};
pub(crate) use mask::json_of_unknown_form;
pub use mask::{RawMask, Secrets, mask_raw, raw_scalar};
pub use meaning::{Forms, MOST_UNPACKED_BYTES, Meaning, unpacked};
pub use message::{Decoded, Message, Value, single_scalars};
pub use outline::{Outlined, outline};
pub use pseudonym::Pseudonyms;
pub(crate) use reading::{Read, Reading};
pub use redact::{FieldPath, Found, Redacted, redacted, renamed};
pub use rename::renamed_prefix;
pub use renumber::{NewId, UnreadIds};
pub(crate) use renumber::{listed_ids, with_ids, without_fields};
pub(crate) use shown::first_part;
pub use shown::{Shown, ShownContent, Viewer, counted, entries, utc};

pub use crate::dump::plural::{grouped, several};
pub use sql::sql_type;
pub use stored::{Stored, Wanted};
pub use table::{
    Cardinality, EnumType, Field, Former, Holds, KeyForm, Mask, MessageType, NEWEST_VER,
    ObjectKind, Refers, Segment, Type, Unit, ValueForm,
};
pub(crate) use wire::put_varint;
pub use wire::{Fields, Wire, WireError};

#[cfg(test)]
mod redact_tests;
#[cfg(test)]
mod tests;
