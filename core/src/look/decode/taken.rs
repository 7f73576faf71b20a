//! What is taken out of a line: its value as JSON with names, or as the bytes that it is.

use crate::dump::record::Record;
use crate::dump::scan::scan_line;
use crate::value::{KeyParts, MASKED, MOST_UNPACKED_BYTES, Meaning, Secrets, raw_scalar, unpacked};

/// The value of a line of the key space as JSON, with the names of its message; where it has none,
/// as text, or as bytes in base64. None for other lines.
///
/// ```
/// use metadump::decode::value_json;
/// use metadump::value::Secrets;
///
/// let line = br#"["state_machine/0",{"GenericKV":{"key":"__fd_database/t/db","value":{"seq":1,"meta":null,"data":[55]}}}]"#;
/// assert_eq!(value_json(line, Secrets::Masked).as_deref(), Some("7"));
/// ```
pub fn value_json(line: &[u8], secrets: Secrets) -> Option<String> {
    let Record::GenericKV(kv) = scan_line(line).ok()?.record else { return None };
    let bytes = kv.value.data.decode();
    let parts = KeyParts::of(&kv.key);
    let plain = unpacked(&bytes, MOST_UNPACKED_BYTES);
    let raw = || {
        let shown = plain.as_ref().map_or(&*bytes, |plain| plain);
        serde_json::to_string(&raw_scalar(shown, secrets).0).ok()
    };
    let Some(parts) = parts else { return raw() };
    let meaning = match &plain {
        Ok(plain) => parts.meaning(plain).unwrap_or(Ok(Meaning::Empty)),
        Err(misfit) => Err(misfit.clone()),
    };
    match meaning {
        Ok(mut meaning) => {
            if secrets == Secrets::Masked {
                meaning.mask(parts.form);
            }
            serde_json::to_string(&meaning).ok()
        }
        // Which of the bytes are a credential is not known.
        Err(_) if secrets == Secrets::Masked && parts.form.may_hold_credentials() => {
            serde_json::to_string(MASKED).ok()
        }
        Err(_) => raw(),
    }
}

/// The value of a line of the key space as it is stored. None for other lines.
pub fn value_bytes(line: &[u8]) -> Option<Vec<u8>> {
    match scan_line(line).ok()?.record {
        Record::GenericKV(kv) => Some(kv.value.data.decode().into_owned()),
        _ => None,
    }
}
