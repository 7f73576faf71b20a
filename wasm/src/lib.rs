//! The binding of [`metadump`] for the browser: bytes in, JSON out, nothing of its own.
//!
//! Offsets and counts cross the border as doubles, which hold every number up to 2^53. In JSON
//! every number is exact; `JSON.parse` would round those beyond, such as sequences, terms and node
//! ids, so the page reads it with a parser that does not. Its types of the JSON are generated from
//! the Rust types.

mod abridging;
mod browsing;
mod comparing;
mod directory;
mod excerpting;
mod opening;
mod redacting;
mod rewriting;
mod sealing;
mod searching;
mod selecting;
mod unpacking;
mod writing;

pub use directory::{Directory, File, export_directory};
use metadump::cluster::{InitialCluster, parse_members};
use metadump::packing::{Packing, is_age};
use metadump::record::NodeId;
use metadump::value::Secrets;
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// Decodes one line, given without its line end, as JSON of `metadump::decode::LineView`.
/// Credentials are masked unless they are asked for.
#[wasm_bindgen(js_name = decodeLine)]
pub fn decode_line(line: &[u8], with_secrets: bool) -> String {
    json(&metadump::decode::line(line, secrets(with_secrets)))
}

/// Decodes one line except for its values.
#[wasm_bindgen(js_name = decodeHeading)]
pub fn decode_heading(line: &[u8]) -> String {
    json(&metadump::decode::heading(line))
}

/// Decodes the beginning of a line that is too long to be held.
#[wasm_bindgen(js_name = decodeBeginning)]
pub fn decode_beginning(line: &[u8]) -> String {
    json(&metadump::decode::beginning(line))
}

/// The value of a line of the key space as JSON; none for other lines.
#[wasm_bindgen(js_name = valueJson)]
pub fn value_json(line: &[u8], with_secrets: bool) -> Option<String> {
    metadump::decode::value_json(line, secrets(with_secrets))
}

/// The value of a line of the key space as text; none for other lines.
#[wasm_bindgen(js_name = valueText)]
pub fn value_text(line: &[u8], with_secrets: bool) -> Option<String> {
    metadump::decode::value_text(line, secrets(with_secrets))
}

/// The value of a line of the key space as it is stored; none for other lines.
#[wasm_bindgen(js_name = valueBytes)]
pub fn value_bytes(line: &[u8]) -> Option<Vec<u8>> {
    metadump::decode::value_bytes(line)
}

/// What differs between two lines of one key, as JSON of `metadump::compare::KeyView`; none when
/// nothing does. Credentials are masked unless they are asked for.
#[wasm_bindgen(js_name = keyDifference)]
pub fn key_difference(
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
    with_secrets: bool,
) -> Option<String> {
    let lines = [before.as_deref(), after.as_deref()];
    Some(json(&metadump::compare::key_view(lines, secrets(with_secrets))?))
}

/// The line that `diff --format json` prints of the same.
#[wasm_bindgen(js_name = printedKey)]
pub fn printed_key(
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
    with_secrets: bool,
) -> Option<String> {
    let lines = [before.as_deref(), after.as_deref()];
    metadump::compare::key_line(lines, secrets(with_secrets))
}

/// Whether a file that starts with these bytes, four or more, has to be unpacked.
#[wasm_bindgen(js_name = isPacked)]
pub fn is_packed(first_bytes: &[u8]) -> bool {
    Packing::of(first_bytes) != Packing::Plain
}

/// Whether a file that starts with these bytes, 34 or more, is encrypted.
#[wasm_bindgen(js_name = isEncrypted)]
pub fn is_encrypted(first_bytes: &[u8]) -> bool {
    is_age(first_bytes)
}

/// Says what is wrong with members of a new cluster, as the command line does; none when right.
#[wasm_bindgen(js_name = memberError)]
pub fn member_error(text: &str) -> Option<String> {
    parse_members(text).err().map(|error| error.to_string())
}

/// Says what is wrong with a new cluster, as the command line does; none when right.
#[wasm_bindgen(js_name = clusterError)]
pub fn cluster_error(own_id: &str, members: Vec<String>) -> Option<String> {
    cluster(own_id, &members).err()
}

fn cluster(own_id: &str, members: &[String]) -> Result<InitialCluster, String> {
    let members: Result<Vec<_>, _> = members.iter().map(|text| parse_members(text)).collect();
    let members = members.map_err(|error| error.to_string())?.into_iter().flatten();
    let own_id = own_id.parse().map_err(|_| format!("{own_id:?} is not a node id"))?;
    InitialCluster::new(NodeId(own_id), members).map_err(|error| error.to_string())
}

fn secrets(with_secrets: bool) -> Secrets {
    if with_secrets { Secrets::Shown } else { Secrets::Masked }
}

/// Only types that always have a JSON form come here.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}

fn thrown(error: impl std::fmt::Display) -> JsError {
    JsError::new(&error.to_string())
}
