//! The peer of a check: every line read by serde_json into a type that owns its bytes, which is
//! what the official tool does with a dump before anything else.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// The kinds that make up a dump; the few lines of others are read as any JSON.
#[derive(Debug, Deserialize)]
#[allow(dead_code)] // read, as a tool that goes on with it has to
enum Record {
    GenericKV {
        key: String,
        value: SeqV,
    },
    Expire {
        key: ExpireKey,
        value: ExpireValue,
    },
    #[serde(untagged)]
    Other(Value),
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)] // read, as a tool that goes on with it has to
struct SeqV {
    seq: u64,
    meta: Option<Meta>,
    data: Vec<u8>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)] // read, as a tool that goes on with it has to
struct Meta {
    #[serde(default)]
    expire_at: Option<u64>,
    #[serde(default)]
    proposed_at_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)] // read, as a tool that goes on with it has to
struct ExpireKey {
    time_ms: u64,
    seq: u64,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code)] // read, as a tool that goes on with it has to
struct ExpireValue {
    #[serde(default)]
    seq: u64,
    key: String,
}

/// Reads a dump, and prints how much of each there was, so that nothing is optimised away.
pub fn read(dump: &Path) -> Result<(), Box<dyn Error>> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(dump)?);
    let mut line = String::new();
    let (mut lines, mut keys, mut bytes) = (0_u64, 0_u64, 0_u64);
    while reader.read_line(&mut line)? > 0 {
        let (_tree, record): (&str, Record) = serde_json::from_str(&line)?;
        lines += 1;
        match record {
            Record::GenericKV { key, value } => {
                keys += 1;
                bytes += (key.len() + value.data.len()) as u64;
            }
            Record::Expire { key: _, value } => bytes += value.key.len() as u64,
            Record::Other(value) => bytes += u64::from(value.is_object()),
        }
        line.clear();
    }
    println!("{lines} lines, {keys} keys, {bytes} bytes");
    Ok(())
}
