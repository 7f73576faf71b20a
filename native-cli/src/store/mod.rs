//! Object stores: S3 and its like, by URL.
//!
//! A dump that is read from one is the version that was opened: a change meanwhile is an error. One
//! that is written has its name when all of it is there. Nothing of this starts for files.

mod failure;
mod network;
mod object;
mod reader;
mod service;
mod url;
mod writer;

pub use self::failure::{Kind, StoreFailure};
pub use self::object::{Listed, Object, Stamp};
pub use self::reader::ObjectReader;
pub use self::url::StoreUrl;
pub use self::writer::ObjectWriter;
