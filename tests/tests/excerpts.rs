//! Lines of every fixture as dumps of their own: sound ones, with the lines as they were.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;

use metadump::check::Severity;
use metadump::making::Excerpting;
use metadump::record::Kind;
use metadump::scan::envelope;
use metadump::{Line, LineFramer};
use metadump_tests::fixtures::fixture;

fn read<E>(dump: &[u8], mut each: impl FnMut(&Line<'_>) -> Result<(), E>) -> Result<(), E> {
    let mut framer = LineFramer::default();
    framer.feed(dump, |line| each(&line))?;
    framer.finish(|line| each(&line))
}

/// The dump of some lines, and what is said of it; or why there is none.
fn excerpt(dump: &[u8], lines: &[u64]) -> Result<(String, String), String> {
    let mut excerpting = Excerpting::new(lines.iter().copied());
    read(dump, |line| excerpting.line(line)).map_err(|error| error.to_string())?;
    let excerpted = excerpting.finish().map_err(|error| error.to_string())?;
    let (mut writer, mut out) = (excerpted.writer(), Vec::new());
    read(dump, |line| writer.line(line, &mut out)).unwrap();
    writer.finish(&mut out).unwrap();
    Ok((String::from_utf8(out).unwrap(), excerpted.words().join("; ")))
}

fn errors(dump: &str) -> Vec<String> {
    let report = metadump::check(dump.as_bytes());
    let kept = report.findings.kept().iter();
    let errors = kept.filter(|finding| finding.severity() == Severity::Error);
    errors.map(|finding| format!("{}: {}", finding.code.name(), finding.message)).collect()
}

fn kind(line: &str) -> Option<Kind> {
    envelope(line.as_bytes()).map(|seen| seen.kind)
}

fn checked(name: &str) {
    let dump = fs::read_to_string(fixture(name)).unwrap();
    assert_eq!(errors(&dump), [] as [&str; 0], "{name}");
    let lines: Vec<&str> = dump.lines().collect();
    let of = |wanted: &[Kind]| -> Vec<u64> {
        let found =
            (1..).zip(&lines).filter(|(_, line)| kind(line).is_some_and(|it| wanted.contains(&it)));
        found.map(|(number, _)| number).collect()
    };
    let (keys, entries) = (of(&[Kind::GenericKV]), of(&[Kind::LogEntry, Kind::Logs]));
    let mut chosen: Vec<Vec<u64>> = Vec::new();
    for all in [&keys, &entries] {
        chosen.extend(all.iter().map(|line| vec![*line]));
        chosen.extend(all.windows(2).map(<[u64]>::to_vec));
        chosen.extend(all.first().zip(all.last()).map(|(first, last)| vec![*last, *first]));
    }
    let mut made = 0;
    for chosen in chosen {
        let (text, words) = match excerpt(dump.as_bytes(), &chosen) {
            Ok(made) => made,
            Err(why) => {
                // The membership at entries that came before it was in no line.
                assert!(why.starts_with("who the members were at "), "{name} {chosen:?}: {why}");
                continue;
            }
        };
        made += 1;
        assert_eq!(errors(&text), [] as [&str; 0], "{name} {chosen:?}, {words}:\n{text}");
        let has: BTreeSet<&str> = text.lines().collect();
        for line in &chosen {
            assert!(has.contains(lines[*line as usize - 1]), "{name}: line {line} of {chosen:?}");
        }
        let kept = text.lines().filter(|line| kind(line) == Some(Kind::GenericKV)).count();
        assert_eq!(
            kept,
            if keys.contains(&chosen[0]) { chosen.len() } else { 0 },
            "{name} {chosen:?}"
        );
    }
    assert!(made > 0, "{name}");
}

#[test]
fn whichever_lines_are_chosen_the_dump_of_them_is_sound() {
    for name in ["v0-openraft-0.7", "v0", "v001", "v002", "v003", "v004"] {
        checked(&format!("valid/{name}.ndjson"));
    }
    checked("v004/v004-origin.export.ndjson");
    checked("v004/v004-imported-n2.export.ndjson");
    // What was filtered by tenant has no line of the Raft state.
    checked("findings/no-raft-log.ndjson");
}

#[test]
fn it_says_what_it_is() {
    let dump = fs::read(fixture("v004/v004-origin.export.ndjson")).unwrap();
    let text = String::from_utf8(dump.clone()).unwrap();
    let first = |wanted: Kind| {
        (1..).zip(text.lines()).find(|(_, line)| kind(line) == Some(wanted)).unwrap().0
    };
    let (key, entry) = (first(Kind::GenericKV), first(Kind::LogEntry));
    let said = |lines: &[u64]| excerpt(&dump, lines).map(|(_, words)| words);
    assert_eq!(
        said(&[key, key + 1, entry]).unwrap(),
        "2 keys of the snapshot as of T1-N1.80, without a log; 1 entry of the log is left out: a state of \
         these keys lacks what it wrote"
    );
    let of_log = said(&[entry + 20, entry + 18]).unwrap();
    assert!(
        of_log.ends_with("3 entries, of which 2 are chosen, behind a state without keys"),
        "{of_log}"
    );
    assert_eq!(said(&[1, 2]).unwrap_err(), "none of the lines is a key or an entry of the log");
    let mut broken = dump.clone();
    broken.extend_from_slice(b"no record\n");
    let last = text.lines().count() as u64 + 1;
    assert!(excerpt(&broken, &[key]).is_ok(), "what is not chosen need not be sound");
    assert!(
        excerpt(&broken, &[key, last]).unwrap_err().starts_with(&format!("line {last}, byte "))
    );
}
