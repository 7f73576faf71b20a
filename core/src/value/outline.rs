//! What is shown of a value as lines of text.

use std::borrow::Cow;

use super::shown::{Shown, ShownContent};
use crate::dump::plural::grouped;

/// What comes next in an outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlined<'c> {
    /// A line, with the blanks in front of it, without its end.
    Line(String),
    /// Rows below the heads of their columns, as wide as whoever writes them has room for.
    Table {
        /// What stands in front of each row.
        indent: String,
        /// The heads.
        columns: &'c [&'static str],
        /// The rows.
        rows: &'c [Vec<String>],
    },
}

/// Gives what a value has, line by line, from so many levels in on; `shown` makes a text one that can
/// be written where the outline goes.
///
/// ```
/// use metadump::value::{Outlined, Shown, ShownContent, outline};
///
/// let engine = Shown { name: "engine".into(), content: ShownContent::Text("FUSE".into()) };
/// let mut lines = Vec::new();
/// outline(&ShownContent::Parts(vec![engine]), 1, &|text| text.into(), &mut |line| {
///     lines.extend(match line {
///         Outlined::Line(line) => Some(line.clone()),
///         Outlined::Table { .. } => None,
///     });
///     Ok::<(), ()>(())
/// })
/// .unwrap();
/// assert_eq!(lines, ["  engine: FUSE"]);
/// ```
///
/// # Errors
///
/// The first of `each`.
pub fn outline<E>(
    content: &ShownContent,
    depth: usize,
    shown: &dyn for<'t> Fn(&'t str) -> Cow<'t, str>,
    each: &mut dyn FnMut(&Outlined<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let indent = "  ".repeat(depth);
    match content {
        ShownContent::Text(text) => {
            for line in text.lines() {
                each(&Outlined::Line(format!("{indent}{}", shown(line))))?;
            }
            Ok(())
        }
        ShownContent::Parts(parts) => {
            parts.iter().try_for_each(|one| part(one, depth, shown, each))
        }
        ShownContent::Table { columns, rows } => each(&Outlined::Table { indent, columns, rows }),
        ShownContent::More(count) => {
            each(&Outlined::Line(format!("{indent}… and {} more", grouped(*count))))
        }
    }
}

fn part<E>(
    part: &Shown,
    depth: usize,
    shown: &dyn for<'t> Fn(&'t str) -> Cow<'t, str>,
    each: &mut dyn FnMut(&Outlined<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let indent = "  ".repeat(depth);
    let name = shown(&part.name);
    match &part.content {
        ShownContent::Text(text) if !text.contains('\n') => {
            let line = format!("{indent}{name}: {}", shown(text));
            each(&Outlined::Line(line.trim_end().to_owned()))
        }
        ShownContent::More(_) => outline(&part.content, depth, shown, each),
        content => {
            each(&Outlined::Line(format!("{indent}{name}:")))?;
            outline(content, depth + 1, shown, each)
        }
    }
}
