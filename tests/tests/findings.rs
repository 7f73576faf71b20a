//! The catalogue of findings: each code with the smallest dump that shows it, and the page that is
//! made of both.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use metadump::Report;
use metadump::check::{Code, Finding, Severity};
use metadump_tests::dump::{check, check_pieces, findings};
use metadump_tests::fixtures;

/// A line and a byte; none for what is about the whole dump.
type Place = Option<(u64, u64)>;

/// For each code what its example yields: line and byte, and the message. No example yields more
/// than the one finding that it is for.
const EXAMPLES: [(Code, Place, &str); 97] = [
    (Code::EmptyDump, None, "the dump is empty"),
    (
        Code::Utf16,
        Some((1, 0)),
        "the text is UTF-16, not UTF-8: `iconv -f UTF-16 -t UTF-8 FILE` converts it",
    ),
    (
        Code::PackedContent,
        Some((1, 0)),
        "the content is base64 of a dump: `base64 -d FILE` decodes it",
    ),
    (Code::ForeignFile, Some((1, 0)), r#"the file is a text that starts with "<html>""#),
    (
        Code::TextBeforeDump,
        Some((1, 0)),
        "the dump begins in line 5: `tail -n +5 FILE` leaves out what is before it",
    ),
    (
        Code::JsonArray,
        Some((1, 0)),
        "the records are in a JSON array: `jq -c '.[]' FILE` makes lines of them",
    ),
    (
        Code::CarriageReturnOnly,
        Some((1, 0)),
        r"lines end in CR alone: `tr '\r' '\n' < FILE` makes line feeds of them",
    ),
    (Code::ZeroBytes, Some((17, 2282)), "the file ends in 512 zero bytes"),
    (Code::ByteOrderMark, Some((1, 0)), "the file starts with EF BB BF"),
    (Code::NotUtf8, Some((16, 2197)), "byte 48 of the line is not UTF-8"),
    (Code::CarriageReturn, Some((12, 1741)), "the line ends in CR LF"),
    (Code::BlankLine, Some((13, 1742)), "the line is blank"),
    (
        Code::LastLineCut,
        Some((16, 2257)),
        "the file ends after 108 bytes of the line: not JSON: it ends inside an object",
    ),
    (Code::NoFinalNewline, Some((16, 2281)), "the last line is complete, but no line feed follows"),
    (Code::NotJson, Some((16, 2261)), "not JSON: a name is not in quotes"),
    (
        Code::NotADumpLine,
        Some((13, 1742)),
        "not a dump line: expected an array of a tree's name and an object with one kind, found an object",
    ),
    (Code::UnknownKind, Some((17, 2302)), r#"unknown kind "Watermark""#),
    (
        Code::WrongShape,
        Some((16, 2219)),
        r#"GenericKV: expected a number from 0 to 18446744073709551615, found string "3""#,
    ),
    (
        Code::UnknownCommand,
        Some((8, 1051)),
        r#"LogEntry: "Touch" is not known to this release: probably a newer server has written it"#,
    ),
    (Code::OutOfRange, Some((16, 2272)), "GenericKV: expected a number from 0 to 255, found 300"),
    (Code::UnknownTree, Some((12, 1589)), r#"the tree is "state_machine""#),
    (Code::KindInWrongTree, Some((7, 419)), r#"LogEntry in the tree "raft_state""#),
    (Code::UnknownMember, Some((16, 2149)), "GenericKV: value.meta.flags"),
    (Code::HeaderMissing, Some((1, 0)), "the first record is a NodeId, and the log is a V004 one"),
    (Code::HeaderAbsent, Some((1, 0)), "the first record is a RaftStateKV, the dump is read as V0"),
    (Code::HeaderNotFirst, Some((2, 26)), "the header is line 2"),
    (Code::HeaderRepeated, Some((2, 70)), "the first header is in line 1"),
    (Code::HeaderKey, Some((1, 0)), r#"the key is "head""#),
    (
        Code::VersionUnknown,
        Some((1, 0)),
        r#"the version is "V005", the newest that this release knows is V004"#,
    ),
    (Code::UpgradeInterrupted, Some((1, 0)), "V003 was being upgraded to V004"),
    (Code::KindOfOtherVersion, Some((7, 419)), "Logs in a V004 dump"),
    (Code::RetiredKind, Some((17, 2112)), "a record of kind ClientLastResps"),
    (Code::NoRaftLog, None, "no line of the Raft log or state"),
    (Code::RaftStateMissing, None, "no line Committed"),
    (Code::RaftStateRepeated, Some((6, 317)), "Purged again; the first one is in line 5"),
    (Code::NodeIdNull, Some((2, 70)), "NodeId is null"),
    (Code::VoteMissing, Some((3, 96)), "the log ends at T1-N1.6, the vote is missing"),
    (Code::VoteBehindLog, Some((3, 96)), "the vote is T1-N1:Q, the log ends at T2-N1.6"),
    (Code::LogIdsDisagree, Some((10, 1266)), "last applied is T2-N1.5, the log has T1-N1.5"),
    (
        Code::CommittedBeyondLog,
        Some((4, 172)),
        "committed is T1-N1.6, but the dump ends at T1-N1.5",
    ),
    (
        Code::PurgedBeyondApplied,
        Some((5, 246)),
        "purged is T1-N1.3, the state machine holds up to T1-N1.2",
    ),
    (
        Code::SnapshotLacksEntries,
        Some((8, 810)),
        "the state claims the entries up to T1-N1.6, but lacks what T1-N1.6 wrote: 1 key",
    ),
    (Code::LogGap, Some((7, 419)), "1 entry is missing between T1-N1.4 and T1-N1.6"),
    (Code::LogOrder, Some((7, 708)), "entry T1-N1.4 after T1-N1.5"),
    (Code::LogDuplicate, Some((8, 810)), "index 5 again, after T1-N1.5"),
    (Code::LogTermBack, Some((7, 419)), "entry T1-N1.5 after T2-N1.4"),
    (Code::LogKeyMismatch, Some((6, 515)), "the key is 7, the entry is T1-N1.5"),
    (Code::LogBelowPurged, Some((6, 317)), "entry T1-N1.3 is at or below the purged T1-N1.3"),
    (
        Code::LogBelowPurgedSkipped,
        Some((5, 399)),
        "entries from T1-N1.3 on are at or below the purged T1-N1.3",
    ),
    (Code::LogStart, Some((6, 275)), "the log starts at T1-N1.4, nothing is purged"),
    (Code::AppliedBeyondLog, None, "the log ends at T1-N1.6, last applied is T1-N1.8"),
    (Code::AppliedWithoutLog, None, "no log entry, last applied is T1-N1.5, purged is T1-N1.3"),
    (Code::RetiredCommand, Some((7, 419)), "entry T1-N1.5 holds IncrSeq"),
    (Code::SectionOrder, Some((10, 1329)), "Sequences after LastApplied"),
    (
        Code::SeveralStateMachines,
        Some((16, 2149)),
        "state_machine/1 starts here, after state_machine/0",
    ),
    (Code::KeysUnsorted, Some((15, 2012)), r#""fruit/%2Fesc/3" after "fruit/deep/5""#),
    (Code::KeyDuplicate, Some((17, 2282)), r#""fruit/plain/0" again"#),
    (
        Code::SeqDuplicate,
        Some((16, 2149)),
        r#""fruit/plain/0" has the sequence number 1, which another line has"#,
    ),
    (Code::SeqZero, Some((16, 2149)), r#""fruit/plain/0" has the sequence number 0"#),
    (Code::SequencesMissing, None, "the largest number in use is 3"),
    (Code::SequencesRepeated, Some((10, 1266)), "generic-kv again; the first one is in line 9"),
    (Code::SequencesKey, Some((9, 1201)), r#"the key is "tables""#),
    (Code::SequencesBehind, Some((9, 1201)), "generic-kv is 2, a key has the number 3"),
    (
        Code::SequencesExhausted,
        Some((9, 1150)),
        "generic-kv is 18446744073709551615, 0 numbers are left",
    ),
    (
        Code::ExpireWithoutKey,
        Some((14, 1854)),
        "no key with the sequence number 4 expires at 1796273930000",
    ),
    (Code::KeyWithoutExpire, Some((14, 1879)), "no entry (1796273929000, 2) for the key"),
    (
        Code::ExpireMismatch,
        Some((15, 1991)),
        r#""fruit/deep/5" expires at 1796273929000 here, at 1796273929500 in line 13"#,
    ),
    (
        Code::ExpireUnsorted,
        Some((14, 1856)),
        "the entry (1796273929000, 2) after (1796273930000, 1)",
    ),
    (Code::ExpireDuplicate, Some((14, 1854)), "the entry (1796273929000, 2) again"),
    (Code::ExpireIndexAbsent, None, "keys that expire: 1, lines of the index: none"),
    (Code::LastAppliedMissing, None, "no line LastApplied, but the membership is of T1-N1.3"),
    (
        Code::MembershipMissing,
        Some((10, 1266)),
        "last applied is T1-N1.5, no line is a LastMembership",
    ),
    (
        Code::StateMachineMetaRepeated,
        Some((11, 1394)),
        "LastApplied again; the first one is in line 10",
    ),
    (
        Code::StateMachineMissing,
        None,
        "the log is purged up to T1-N1.3, no line is of a state machine",
    ),
    (Code::NoSnapshot, None, "no line is of a state machine"),
    (Code::KeysMissing, Some((9, 1201)), "generic-kv is 3, and there is no key"),
    (
        Code::MembershipBeyondApplied,
        Some((11, 1394)),
        "the membership is of T1-N1.6, last applied is T1-N1.5",
    ),
    (Code::MembershipInFlight, Some((11, 1394)), "the configs are [1] and [1, 2]"),
    (Code::MembershipEmpty, Some((11, 1394)), "the configs are [none]"),
    (Code::VoterWithoutNode, Some((11, 1394)), "voter 2 has no node record; only node 1 has one"),
    (
        Code::LearnerWithoutNode,
        Some((11, 1394)),
        "learner 2 has no node record; only node 1 has one",
    ),
    (Code::NodeNotMember, Some((13, 1742)), "node 2; the members are 1"),
    (Code::NodeWithoutEndpoint, Some((12, 1589)), r#"node 1 has the address ":0""#),
    (Code::NodeAddressMalformed, Some((12, 1589)), r#"node 1 has the address "local\nhost\0""#),
    (Code::NodeAddressShared, Some((13, 1751)), "nodes 1 and 2 are both at localhost:28604"),
    (Code::NodeRepeated, Some((13, 1742)), "node 1 again; the first one is in line 12"),
    (Code::NodeNameMismatch, Some((12, 1589)), r#"node 1 has the name "2""#),
    (Code::OwnIdNotMember, Some((11, 1394)), "this node is 4, the members are 1"),
    (
        Code::IdCounterBehind,
        Some((14, 1875)),
        "the table id 3 is in use, the counter in line 13 is at 1",
    ),
    (
        Code::ValueMisfit,
        Some((14, 1854)),
        r#""__fd_users/acme/%27ann%27%40%27%25%27": not a protobuf message: the bytes end within a field"#,
    ),
    (
        Code::ValueOfNewerServer,
        Some((14, 1854)),
        "UserInfo for readers of version 183; this release knows 182",
    ),
    (
        Code::ObjectWithoutRecord,
        Some((14, 1854)),
        "a name leads to database 1, which has no record",
    ),
    (
        Code::ObjectWithoutName,
        Some((14, 1854)),
        "database 1 is not dropped, and no name leads to it",
    ),
    (Code::OrphanedRecord, Some((14, 1854)), "least visible times of table 7, which has no record"),
    (
        Code::RoleMissing,
        Some((14, 1854)),
        r#"a user has role "clerk" of the tenant "acme", which has no record"#,
    ),
    (
        Code::PolicyMissing,
        Some((14, 1854)),
        r#"a user has network policy "office" of the tenant "acme", which has no record"#,
    ),
    (Code::ReferencesUnchecked, Some((14, 1854)), "1 reference from here on is not checked"),
];

/// Codes that the command line adds, which compares the dump with the manifest beside it, and
/// writes older versions.
const BY_THE_CLI: [Code; 11] = [
    Code::ManifestMissing,
    Code::CompletenessUnproven,
    Code::ManifestUnreadable,
    Code::ManifestOfOtherName,
    Code::ManifestMismatch,
    Code::Salvaged,
    Code::LostProposalTime,
    Code::LostExpiryMilliseconds,
    Code::LostLateExpiry,
    Code::LostTlsAddress,
    Code::LostLogEntry,
];

/// The code whose example would be too large for a file.
const TOO_LARGE: Code = Code::LineTooLong;

fn example(code: Code) -> Vec<u8> {
    let path = fixtures::folder().join(format!("findings/{code}.ndjson"));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn the_finding(report: &Report) -> &Finding {
    match report.findings.kept() {
        [finding] => finding,
        _ => panic!("more or less than one finding: {:?}", findings(report)),
    }
}

#[test]
fn every_code_has_an_example() {
    let mut codes: Vec<Code> = EXAMPLES.map(|(code, ..)| code).to_vec();
    codes.extend(BY_THE_CLI);
    codes.push(TOO_LARGE);
    codes.sort_unstable();
    assert_eq!(codes, Code::ALL);
    let mut names = EXAMPLES.map(|(code, ..)| format!("{code}.ndjson"));
    names.sort_unstable();
    let files = fixtures::in_folder("findings").unwrap();
    let files: Vec<_> = files.iter().map(|path| path.file_name().unwrap()).collect();
    assert_eq!(files, names.each_ref().map(Path::new).map(Path::as_os_str));
}

#[test]
fn every_example_yields_its_finding_and_no_other() {
    for (code, place, message) in EXAMPLES {
        let report = check(&example(code));
        let finding = the_finding(&report);
        let found = finding.place.map(|place| (place.line, place.offset_bytes));
        assert_eq!((finding.code, found, finding.message.as_str()), (code, place, message));
        assert_eq!(report.findings.counts().len(), 1);
        assert_eq!(report.findings.counts()[&code], 1);
    }
}

#[test]
fn a_line_that_is_too_long_is_its_own_finding() {
    let dump = fs::read(fixtures::fixture("valid/v004.ndjson")).unwrap();
    let lines = check(&dump).summary.lines;
    let mebibyte = vec![b' '; 1 << 20];
    let blanks = std::iter::repeat_n(mebibyte.as_slice(), 512);
    let pieces = [dump.as_slice(), b"["].into_iter().chain(blanks).chain([&b"\nnot read\n"[..]]);
    let report = check_pieces(pieces);
    let place = format!("{}@{}", lines + 1, dump.len());
    let expected = [format!("{place} line-too-long: the line has more than 512 MiB")];
    assert_eq!(findings(&report), expected);
    assert_eq!(report.summary.lines, lines + 1);
}

#[test]
fn valid_dumps_yield_nothing() {
    let cases = [
        (
            "v0-openraft-0.7",
            &["1@0 header-absent: the first record is a RaftStateKV, the dump is read as V0"][..],
        ),
        ("v0", &[]),
        ("v001", &[]),
        ("v002", &[]),
        ("v003", &[]),
        ("v004", &[]),
    ];
    for (name, expected) in cases {
        let path = fixtures::folder().join(format!("valid/{name}.ndjson"));
        assert_eq!(findings(&check(&fs::read(path).unwrap())), expected, "{name}");
    }
    assert_eq!(fixtures::in_folder("valid").unwrap().len(), cases.len());
}

#[test]
fn the_report_does_not_depend_on_the_pieces() {
    let mut paths = fixtures::in_folder("findings").unwrap();
    paths.extend(fixtures::in_folder("valid").unwrap());
    for path in paths {
        let dump = fs::read(&path).unwrap();
        let whole = serde_json::to_string(&check(&dump)).unwrap();
        for size in [1, 2, 3, 7, 64, 1000] {
            let pieces = serde_json::to_string(&check_pieces(dump.chunks(size))).unwrap();
            assert_eq!(pieces, whole, "{} in pieces of {size}", path.display());
        }
    }
}

#[test]
fn twenty_findings_of_a_code_are_kept_and_all_are_counted() {
    let dump = example(Code::KeyDuplicate);
    let last = dump.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap();
    let again = [last, b"\n"].concat().repeat(50);
    let report = check(&[dump.as_slice(), &again].concat());
    assert_eq!(report.findings.counts()[&Code::KeyDuplicate], 51);
    assert_eq!(report.findings.count_of(Severity::Error), 51);
    let kept = report.findings.kept();
    assert_eq!(kept.len(), 20);
    let lines: Vec<u64> = kept.iter().map(|kept| kept.place.unwrap().line).collect();
    assert_eq!(lines, (17..37).collect::<Vec<_>>());
    // Another code has its own share.
    let garbage = "garbage\n".repeat(3000);
    let report = check(&[dump.as_slice(), garbage.as_bytes()].concat());
    assert_eq!(report.findings.counts()[&Code::NotJson], 3000);
    assert_eq!(report.findings.kept().len(), 21);
}

#[test]
fn names_are_stable_words_and_texts_are_sentences() {
    for code in Code::ALL {
        assert_eq!(code.name().parse(), Ok(*code));
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(code.name().chars().all(word), "{code}");
        for text in [code.title(), code.why(), code.help()] {
            assert!(text.ends_with('.') && !text.contains("  "), "{code}: {text}");
        }
    }
}

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/findings.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/findings.md is not what the catalogue says; \
         rewrite it with UPDATE_DOCS=1 cargo test -p metadump-tests --test findings"
    );
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for code in Code::ALL {
        let (severity, title) = (code.severity(), code.title());
        writeln!(page, "| [`{code}`](#{code}) | {severity} | {title} |").unwrap();
    }
    for code in Code::ALL {
        writeln!(page, "\n## `{code}`\n").unwrap();
        writeln!(page, "**{}** · {}\n", code.severity(), code.title()).unwrap();
        writeln!(page, "Why it matters: {}\n", code.why()).unwrap();
        writeln!(page, "What to do: {}\n", code.help()).unwrap();
        if code.name().starts_with("lost-") {
            let text = "Reported by commands with `--data-version`, not by a check of the dump.";
            writeln!(page, "{text}").unwrap();
        } else if *code == TOO_LARGE {
            writeln!(page, "No example: it would be too large.").unwrap();
        } else if BY_THE_CLI.contains(code) {
            let text = "Reported by commands that look for the manifest beside the dump.";
            writeln!(page, "{text}").unwrap();
        } else {
            show_example(&mut page, *code);
        }
    }
    page
}

const INTRODUCTION: &str = "\
# Findings

<!-- Generated: UPDATE_DOCS=1 cargo test -p metadump-tests --test findings -->

What a check of a dump can report. Names are stable, so scripts may rely on them; messages are not.

- An **error** means that the dump cannot be restored as it is, or that a restore would lose or corrupt data.
- A **warning** means that the dump can be restored, but something is not as a server writes it.
- A **note** is worth knowing.

Lines are counted from 1, bytes of the file from 0. Of each code the first 20 findings are listed and all are counted.
What is wrong with the way in which many lines were written is one finding.
The examples are the files of `tests/fixtures/findings`; each has one thing wrong.

| code | severity | meaning |
|---|---|---|
";

fn show_example(page: &mut String, code: Code) {
    let dump = example(code);
    let report = check(&dump);
    let finding = the_finding(&report);
    let head = format!("{}[{code}]", finding.severity());
    let message = &finding.message;
    writeln!(page, "```text").unwrap();
    if let Some(place) = finding.place {
        let (number, byte) = (place.line, place.offset_bytes);
        writeln!(page, "{head} line {number}, byte {byte}: {message}").unwrap();
        let before = usize::try_from(byte).unwrap();
        let start = dump[..before].iter().rposition(|byte| *byte == b'\n');
        let start = start.map_or(0, |end| end + 1);
        let line = dump[start..].split(|byte| *byte == b'\n').next().unwrap();
        if !line.is_empty() {
            writeln!(page, "{}", shortened(line, before - start)).unwrap();
        }
    } else {
        writeln!(page, "{head} {message}").unwrap();
    }
    writeln!(page, "```").unwrap();
}

/// How many characters of a line are shown.
const SHOWN: usize = 100;

/// The part of a line around a byte, with a mark below the byte unless it is the first.
fn shortened(line: &[u8], column: usize) -> String {
    let (before, after) = line.split_at(column);
    let (before, after) = (before.escape_ascii().to_string(), after.escape_ascii().to_string());
    // Quotes and backslashes may stand as they are.
    let plain = |text: String| text.replace("\\\"", "\"").replace("\\\\", "\\");
    let (before, after) = (plain(before), plain(after));
    let left = SHOWN.saturating_sub(after.len()).max(SHOWN / 2);
    let (cut, before) = before.split_at(before.len().saturating_sub(left));
    let front = if cut.is_empty() { "" } else { "…" };
    let after_len = after.len().min(SHOWN - before.len());
    let (after, cut) = after.split_at(after_len);
    let back = if cut.is_empty() { "" } else { "…" };
    let text = format!("{front}{before}{after}{back}");
    if column == 0 {
        return text;
    }
    let indent = front.chars().count() + before.len();
    format!("{text}\n{}^", " ".repeat(indent))
}
