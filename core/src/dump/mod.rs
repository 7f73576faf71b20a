//! The text of a dump: bytes, lines, records, and back.

pub(crate) mod decimal;
pub mod dump_line;
pub mod frame;
pub(crate) mod json_line;
pub(crate) mod json_text;
pub(crate) mod key_order;
pub mod packing;
pub(crate) mod plural;
pub mod record;
pub mod scan;
pub(crate) mod syntax;
