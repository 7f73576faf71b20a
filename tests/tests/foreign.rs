//! Files that are no dump, or a dump in another form: one finding says what they are.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::fs;
use std::io::Write;

use metadump::check::Code;
use metadump_tests::dump::{check, check_pieces, findings};
use metadump_tests::fixtures;

fn valid() -> String {
    fs::read_to_string(fixtures::fixture("valid/v004.ndjson")).unwrap()
}

/// What is found in a file, in whatever pieces it comes.
fn is(file: &[u8], expected: &str) {
    let report = check(file);
    assert_eq!(findings(&report), [expected]);
    assert_eq!(findings(&check_pieces(file.chunks(7))), [expected]);
    assert_eq!(report.summary.bytes, file.len() as u64);
}

fn utf16(text: &str, to_bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

#[test]
fn text_in_another_encoding() {
    let with_mark = format!("\u{feff}{}", valid());
    let convert = |name| {
        format!(
            "1@0 utf-16: the text is {name}, not UTF-8: `iconv -f {name} -t UTF-8 FILE` converts it"
        )
    };
    is(&utf16(&with_mark, u16::to_le_bytes), &convert("UTF-16"));
    is(&utf16(&with_mark, u16::to_be_bytes), &convert("UTF-16"));
    is(&utf16(&valid(), u16::to_le_bytes), &convert("UTF-16LE"));
    is(&utf16(&valid(), u16::to_be_bytes), &convert("UTF-16BE"));
    is(&utf16(&valid().replace('\n', "\r\n"), u16::to_le_bytes), &convert("UTF-16LE"));
}

#[test]
fn what_is_packed() {
    let of = |what, command| {
        format!("1@0 packed-content: the content is {what}: `{command}` unpacks it")
    };
    let twice = |inner| {
        format!(
            "1@0 packed-content: the content is packed twice, {inner} is inside: unpack the file once, and use what comes out"
        )
    };
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(valid().as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    is(&gz, &twice("gzip"));
    let zstd = zstd::encode_all(valid().as_bytes(), 3).unwrap();
    is(&zstd, &twice("zstd"));
    let mut tar = b"meta.db".to_vec();
    tar.resize(257, 0);
    tar.extend(b"ustar  \0root");
    tar.resize(512, 0);
    tar.extend(valid().as_bytes());
    tar.extend([0; 2048]);
    is(&tar, &of("a tar archive", "tar -xf FILE"));
    is(b"PK\x03\x04\x14\0\0\0\n\xff\n", &of("a zip archive", "unzip FILE"));
    is(b"\xfd7zXZ\0\0\x04\xe6\n\xd6", &of("packed with xz", "xz -dc FILE"));
    is(b"BZh91AY&SY\n\xff", &of("packed with bzip2", "bzip2 -dc FILE"));
    is(b"\x04\x22\x4d\x18\x64\n\xff", &of("packed with lz4", "lz4 -dc FILE"));
}

#[test]
fn base64_of_a_dump() {
    let is_of = |text: &str, what: &str| {
        let said = format!(
            "1@0 packed-content: the content is base64 of {what}: `base64 -d FILE` decodes it"
        );
        is(text.as_bytes(), &said);
    };
    let dump = fs::read_to_string(fixtures::fixture("findings/packed-content.ndjson")).unwrap();
    is_of(&dump, "a dump");
    is_of(&dump.replace('\n', "\r\n"), "a dump");
    is_of(&dump.replace('\n', ""), "a dump");
    is_of("H4sIAAAAAAAAA+3TMQ6CQBQE0D0Kew\n", "a gzip stream");
    is_of("KLUv/WQAAQAAAAAAAAAAAAAAAAAAAA==\n", "a zstd stream");
}

#[test]
fn other_files() {
    is(b"\x89PNG\r\n\x1a\n\0\0", "1@0 foreign-file: the file is a PNG picture");
    is(b"PAR1\x15\x04\x15\0", "1@0 foreign-file: the file is a Parquet file");
    is(
        b"rotbl\0\0\0\0\0\0\0",
        "1@0 foreign-file: the file is a snapshot of a data directory: `databend-metactl export --raft-dir DIR` makes a dump of the directory",
    );
    is(
        b"\0\0\0\x05\x01\0\0\0\0\0\0\0\0",
        "1@0 foreign-file: the file is a log file of a data directory: `databend-metactl export --raft-dir DIR` makes a dump of the directory",
    );
    is(
        b"\x01\x02\x03\xff\n\x05",
        "1@0 foreign-file: the file is binary, of a kind that is not known here",
    );
    is(
        b"<!DOCTYPE html>\n<html></html>\n",
        "1@0 foreign-file: the file is a text that starts with \"<!DOCTYPE html>\"",
    );
    is(
        b"command terminated\n",
        "1@0 foreign-file: the file is a text that starts with \"command terminated\"",
    );
}

#[test]
fn records_in_another_arrangement() {
    let array =
        "1@0 json-array: the records are in a JSON array: `jq -c '.[]' FILE` makes lines of them";
    let records: Vec<String> = valid().lines().map(str::to_owned).collect();
    is(format!("[{}]\n", records.join(",\n")).as_bytes(), array);
    is(format!("[\n{}\n]\n", records.join(",\n")).as_bytes(), array);
    is(format!("[{}]", records.join(",")).as_bytes(), array);
    let indented =
        "1@0 json-array: each record takes several lines: `jq -c . FILE` makes one of each";
    is(b"[\n  \"header\",\n  {\n    \"DataHeader\": {}\n  }\n]\n", indented);
    is(
        valid().replace('\n', "\r").as_bytes(),
        "1@0 carriage-return-only: lines end in CR alone: `tr '\\r' '\\n' < FILE` makes line feeds of them",
    );
}

#[test]
fn text_before_a_dump() {
    let before = |lines: &str, number: u64| {
        let said = format!(
            "1@0 text-before-dump: the dump begins in line {number}: `tail -n +{number} FILE` leaves out what is before it"
        );
        is(format!("{lines}{}", valid()).as_bytes(), &said);
    };
    before("\n", 2);
    before("Defaulted container \"meta\" out of: meta, log\n", 2);
    before(&"\u{1b}[31mWARN\u{1b}[0m\r\n".repeat(100), 101);
    before("config: {\n  \"id\": 1\n}\n", 4);
    // What is left of a record is no text before a dump.
    let damaged = format!("[\"raft_log\",{{\"Node\n{}", valid());
    let codes: Vec<Code> = check(damaged.as_bytes()).findings.counts().keys().copied().collect();
    assert_eq!(codes, [Code::NotJson, Code::HeaderNotFirst]);
}

#[test]
fn a_damaged_dump_is_a_dump() {
    let first_line = valid().replacen("[\"header\"", "x\"header\"", 1);
    let expected = ["1@0 not-json: not JSON: there is no value where one should be"];
    assert_eq!(findings(&check(first_line.as_bytes())), expected);
    let cut = &valid()[..30];
    let expected = "1@30 last-line-cut: the file ends after 30 bytes of the line: \
                    not JSON: it ends inside an object";
    assert_eq!(findings(&check(cut.as_bytes())), [expected]);
}

#[test]
fn zero_bytes_come_before_what_they_took() {
    let text = valid();
    let at = text.find("{\"Sequences\"").unwrap();
    let mut dump = text.into_bytes();
    dump[at..at + 100].fill(0);
    let found = findings(&check(&dump));
    let offset = dump[..at].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let said =
        format!("9@{offset} zero-bytes: 100 zero bytes in the line, from byte {at} of the file on");
    assert_eq!(found.first(), Some(&said));
    assert!(found.iter().any(|found| found.contains("sequences-missing")));
}

#[test]
fn a_command_of_a_newer_server_is_the_only_finding() {
    let cases = [
        ("\"Transaction\":{", "\"CompactHistory\":{", "CompactHistory"),
        ("\"Put\":{", "\"Touch\":{", "Touch"),
        ("\"target\":{\"Seq\":", "\"target\":{\"Size\":", "Size"),
        ("\"payload\":{\"Normal\":", "\"payload\":{\"Sealed\":", "Sealed"),
    ];
    for (known, newer, name) in cases {
        let mut lines: Vec<String> = valid().lines().map(str::to_owned).collect();
        let last = lines.iter().rposition(|line| line.contains("LogEntry")).unwrap();
        let changed = lines[last].replacen(known, newer, 1);
        assert_ne!(changed, lines[last]);
        lines[last] = changed;
        let report = check(format!("{}\n", lines.join("\n")).as_bytes());
        let [finding] = report.findings.kept() else { panic!("{:?}", findings(&report)) };
        assert_eq!(finding.code, Code::UnknownCommand);
        let said = format!(
            "LogEntry: {name:?} is not known to this release: probably a newer server has written it"
        );
        assert_eq!(finding.message, said);
        assert_eq!(report.summary.log.commands["unknown"], 1);
    }
}
