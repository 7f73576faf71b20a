//! Records and entries of the expiry index as values of the database.

use super::database::StorageError;
use metadump::apply::SharedRecord;
use metadump::record::{Bytes, ExpireValue, KVMeta, SeqV, Text};

const HAS_META: u8 = 1;
const HAS_EXPIRE_AT: u8 = 2;
const HAS_PROPOSED_AT: u8 = 4;

/// A record: sequence number, which members its meta has, these, and the value.
pub fn put_record(record: &SeqV<'_>) -> Vec<u8> {
    let mut bytes = record.seq.to_be_bytes().to_vec();
    let (mut has, mut numbers) = (0, Vec::new());
    if let Some(KVMeta { expire_at, proposed_at_ms }) = record.meta {
        has |= HAS_META;
        for (flag, number) in [(HAS_EXPIRE_AT, expire_at), (HAS_PROPOSED_AT, proposed_at_ms)] {
            if let Some(number) = number {
                has |= flag;
                numbers.extend(number.to_be_bytes());
            }
        }
    }
    bytes.push(has);
    bytes.extend(numbers);
    record.data.decode_into(&mut bytes);
    bytes
}

/// Reads a record.
pub fn record(bytes: &[u8]) -> Result<SharedRecord, StorageError> {
    let corrupt = StorageError::Corrupt("record");
    let Some((seq, rest)) = bytes.split_at_checked(8) else { return Err(corrupt) };
    let Some((has, mut rest)) = rest.split_first() else { return Err(corrupt) };
    let mut member = |flag| -> Result<Option<u64>, StorageError> {
        if has & flag == 0 {
            return Ok(None);
        }
        let (member, left) = rest.split_at_checked(8).ok_or(StorageError::Corrupt("record"))?;
        rest = left;
        number(member).map(Some)
    };
    let expire_at = member(HAS_EXPIRE_AT)?;
    let proposed_at_ms = member(HAS_PROPOSED_AT)?;
    let meta = (has & HAS_META != 0).then_some(KVMeta { expire_at, proposed_at_ms });
    let data = Bytes::from(rest.to_vec());
    Ok(SharedRecord::new(SeqV { seq: number(seq)?, meta, data }))
}

/// An entry of the expiry index: its own sequence number and the key.
pub fn put_expiry(value: &ExpireValue<'_>) -> Vec<u8> {
    let mut bytes = value.seq.to_be_bytes().to_vec();
    bytes.extend(value.key.bytes());
    bytes
}

/// Reads an entry of the expiry index.
pub fn expiry(bytes: &[u8]) -> Result<ExpireValue<'static>, StorageError> {
    let corrupt = || StorageError::Corrupt("entry of the expiry index");
    let (seq, key) = bytes.split_at_checked(8).ok_or_else(corrupt)?;
    let key = String::from_utf8(key.to_vec()).map_err(|_| corrupt())?;
    Ok(ExpireValue { seq: number(seq)?, key: Text::from(key) })
}

/// A stored number.
pub fn number(bytes: &[u8]) -> Result<u64, StorageError> {
    let bytes = bytes.try_into().map_err(|_| StorageError::Corrupt("number"))?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_comes_back() {
        let metas = [
            None,
            Some(KVMeta::default()),
            Some(KVMeta { expire_at: Some(5), proposed_at_ms: None }),
            Some(KVMeta { expire_at: None, proposed_at_ms: Some(0) }),
            Some(KVMeta { expire_at: Some(u64::MAX), proposed_at_ms: Some(1) }),
        ];
        for meta in metas {
            for data in [&b""[..], b"value"] {
                let stored = SeqV { seq: 7, meta, data: Bytes::from(data.to_vec()) };
                assert_eq!(*record(&put_record(&stored)).unwrap(), stored);
            }
        }
        let value = ExpireValue { seq: 3, key: Text::from("k/é") };
        assert_eq!(expiry(&put_expiry(&value)).unwrap(), value);
    }
}
