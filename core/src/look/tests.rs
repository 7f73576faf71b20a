//! What tests of what reads a dump several times share.

use crate::dump::frame::{Line, LineFramer};

/// Reads a dump once, up to the line at which no more is wanted.
pub(super) fn read<E>(
    lines: &[String],
    mut each: impl FnMut(&Line<'_>) -> Result<bool, E>,
) -> Result<(), E> {
    let mut framer = LineFramer::default();
    let mut more = true;
    let text = lines.join("\n") + "\n";
    framer.feed(text.as_bytes(), |line| {
        if more {
            more = each(&line)?;
        }
        Ok(())
    })
}
