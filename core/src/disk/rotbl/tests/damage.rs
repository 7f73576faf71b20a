//! Tables that are damaged or hostile.

use super::*;

#[test]
fn every_flipped_bit_is_reported() {
    let file = small_table();
    read_all(&file).unwrap();
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << bit;
            assert!(read_all(&damaged).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn every_missing_or_added_end_is_reported() {
    let file = small_table();
    for len in 0..file.len() {
        assert!(read_all(&file[..len]).is_err(), "{len}");
    }
    for more in [b"\0".as_slice(), b"\n", &[0; 72], &file] {
        assert!(read_all(&[&file, more].concat()).is_err());
    }
    assert_eq!(
        read_all(b"").unwrap_err().to_string(),
        "file header at byte 0: the file has 0 bytes, a table has at least 228"
    );
}

#[test]
fn faults_name_the_part_and_the_place() {
    let file = small_table();
    let fault_of = |at: usize| {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        let RotblError { part, offset_bytes, .. } = read_all(&damaged).unwrap_err();
        (part, offset_bytes)
    };
    let second = RotblReader::open(file.as_slice()).unwrap().blocks()[1].offset_bytes;
    assert_eq!(fault_of(0), (TablePart::FileHeader, 0));
    assert_eq!(fault_of(30), (TablePart::FileHeader, 0));
    assert_eq!(fault_of(36 + 60), (TablePart::Block(0), 36));
    assert_eq!(fault_of(usize::try_from(second).unwrap() + 60), (TablePart::Block(1), second));
    let footer = file.len() - 72;
    assert_eq!(fault_of(footer), (TablePart::Footer, footer as u64));
    assert_eq!(fault_of(footer - 1).0, TablePart::Stat);
}

/// A file whose bytes cannot be read from some place on.
#[derive(Debug)]
struct Unreadable {
    bytes: Vec<u8>,
    from: u64,
}

impl ReadAt for Unreadable {
    fn size_bytes(&self) -> u64 {
        self.bytes.size_bytes()
    }
    fn read_at(&self, offset_bytes: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let end = offset_bytes + out.len() as u64;
        if offset_bytes < self.from && end > self.from {
            return Err(ReadError {
                offset_bytes,
                len_bytes: out.len() as u64,
                reason: "Input/output error (os error 5)".to_owned(),
            });
        }
        self.bytes.read_at(offset_bytes, out)
    }
}

#[test]
fn a_failing_disk_is_quoted() {
    let source = Unreadable { bytes: small_table(), from: 100 };
    let reader = RotblReader::open(source).unwrap();
    let read = reader.for_each(|_| -> Result<(), RotblError> { Ok(()) });
    assert_eq!(
        read.unwrap_err().to_string(),
        "block 0 at byte 36: cannot read 163 bytes at byte 36: Input/output error (os error 5)"
    );
}

/// A file that says it is huge, with a footer that points into it.
#[derive(Debug)]
struct Huge {
    footer: Vec<u8>,
    preamble: Vec<u8>,
}

const HUGE: u64 = 1 << 60;

impl ReadAt for Huge {
    fn size_bytes(&self) -> u64 {
        HUGE
    }
    fn read_at(&self, offset_bytes: u64, out: &mut [u8]) -> Result<(), ReadError> {
        match offset_bytes {
            0 => out.copy_from_slice(&self.preamble),
            at if at == HUGE - 72 => out.copy_from_slice(&self.footer),
            _ => panic!("{} bytes at {offset_bytes} are read", out.len()),
        }
        Ok(())
    }
}

#[test]
fn a_part_that_cannot_fit_is_refused_before_it_is_read() {
    let preamble = table(&[], 1)[..36].to_vec();
    let mut footer = Vec::new();
    let stat = HUGE - 72 - 100;
    put_numbers(&[36, stat - 36 - 100], &mut footer);
    put_numbers(&[stat - 100, 100], &mut footer);
    put_numbers(&[stat, 100], &mut footer);
    let error = RotblReader::open(Huge { footer, preamble }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "block index at byte 36: not readable: \
         the part does not fit into the memory of this machine"
    );
}

/// A zstd frame of repeated bytes: 128 KiB for every 4 bytes of input.
fn bomb(blocks: u32) -> Vec<u8> {
    const BLOCK_BYTES: u32 = 128 * 1024;
    // Frame header: magic, descriptor without content size, window of 128 KiB.
    let mut frame = vec![1, 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38];
    for number in 1..=blocks {
        let last = u32::from(number == blocks);
        let header = (BLOCK_BYTES << 3) | (1 << 1) | last;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

#[test]
fn decompression_stops_at_its_limit() {
    let frame = bomb(100);
    assert_eq!(frame.len(), 407);
    let whole = 100 * 128 * 1024;
    assert_eq!(decompressed(&frame, whole).map(|rows| rows.len() as u64), Ok(whole));
    assert_eq!(
        decompressed(&frame, whole - 1),
        Err(RotblFault::Compression { message: format!("it grows beyond {} bytes", whole - 1) })
    );
    assert!(decompressed(&frame[..300], whole).is_err());
    assert!(decompressed(&[frame.as_slice(), &[0]].concat(), whole).is_err());
    assert!(decompressed(&[2], whole).is_err());
    assert!(decompressed(&[], whole).is_err());
}

#[test]
fn a_compressed_block_shares_a_prefix() {
    let rows = b"\x05kv--/\x02\x01a\x01\x00\x08\x01\x04null\x01v\x01b\x02\x01";
    let file = compressed_table(&stored(rows), "kv--/a", "kv--/b", 2);
    let value = SeqV { seq: 1, meta: None, data: Bytes::Decoded(Cow::Borrowed(b"v")) };
    assert_eq!(read_all(&file), Ok(vec![TableEntry::GenericKV(Text::from("a"), value)]));
    let other_last_key = compressed_table(&stored(rows), "kv--/a", "kv--/c", 2);
    assert_eq!(
        read_all(&other_last_key).unwrap_err().to_string(),
        r#"block 0 at byte 36: the last key is "kv--/b", the block index says "kv--/c""#
    );
    let other_count = compressed_table(&stored(rows), "kv--/a", "kv--/b", 3);
    assert_eq!(
        read_all(&other_count).unwrap_err().fault,
        RotblFault::WrongNumber { what: "the number of rows", stored: 3, expected: 2 }
    );
}

#[test]
fn a_block_without_rows_is_refused() {
    let file = compressed_table(&stored(b"\x00\x00"), "", "", 0);
    assert_eq!(
        read_all(&file).unwrap_err().to_string(),
        "block 0 at byte 36: not readable: the block has no rows"
    );
}
