//! What `redact` says: which fields, how many, and where something is left.

use std::io::Write;

use anyhow::Result;
use metadump::redact::{Copies, CopyAt, FoundAt, Left, SHORTEST_BYTES, Tally};

use crate::progress::Progress;
use crate::report::{grouped, plural, printable, shown};

/// Prints the places of what would be replaced in a line.
///
/// # Errors
///
/// When they cannot be printed.
pub fn list(out: &mut impl Write, line: u64, found: &[FoundAt]) -> Result<()> {
    for FoundAt { family, key, found, .. } in found {
        let place = if key.is_empty() { family } else { &**key };
        let path = if found.path.is_empty() { "" } else { "  " };
        writeln!(
            out,
            "line {line}  {}{path}{}  {}",
            shown(place),
            shown(&found.path.to_string()),
            shown(&found.kind)
        )?;
    }
    Ok(())
}

/// What is replaced, by kind and by keys.
pub fn tally_text(tally: &Tally, names: bool, done: &str) -> String {
    let names = names.then(|| {
        let lines = plural(tally.changed_lines, "line");
        format!("names {done} too: {lines} of {} in all", grouped(tally.lines))
    });
    if tally.is_empty() {
        let none = format!("no credentials in {}", plural(tally.lines, "line"));
        return Vec::from_iter([none].into_iter().chain(names)).join("\n");
    }
    let mut lines = vec![format!(
        "{} {done}, in {} of {}",
        plural(tally.replaced, "credential"),
        grouped(tally.lines_with_credentials),
        plural(tally.lines, "line")
    )];
    for counts in [&tally.kinds, &tally.families] {
        let count =
            |(name, count): (&String, &u64)| format!("{:>9}  {}", grouped(*count), printable(name));
        lines.extend(counts.iter().map(count));
    }
    if tally.short > 0 {
        let are = if tally.short == 1 { "is" } else { "are" };
        lines.push(format!(
            "note: {} of them {are} shorter than {SHORTEST_BYTES} bytes, or no text: whether {} \
             elsewhere, too, is not known",
            grouped(tally.short),
            if tally.short == 1 { "it stands" } else { "they stand" },
        ));
    }
    lines.extend(names);
    lines.join("\n")
}

/// Says what was replaced.
pub fn say_tally(tally: &Tally, names: bool, progress: &Progress) {
    tally_text(tally, names, "replaced").lines().for_each(|line| progress.say(line));
}

/// Where something is left.
pub fn places(copies: &Copies) -> Vec<String> {
    let place = |copy: &CopyAt| {
        let key = copy.key.as_deref().map(|key| format!(", key {}", printable(key)));
        let what = match copy.left {
            Left::InText => "in the text of the line",
            Left::InValue => "in the value",
        };
        format!("line {}{}: {what}", grouped(copy.line), key.unwrap_or_default())
    };
    let more = copies.lines - copies.first.len() as u64;
    let more = (more > 0).then(|| format!("and in {} more", grouped(more)));
    copies.first.iter().map(place).chain(more).collect()
}

/// The same as warnings.
pub fn remarks(copies: &Copies) -> Vec<String> {
    let place = |place| format!("warning: a credential is left: {place}");
    places(copies).into_iter().map(place).collect()
}
