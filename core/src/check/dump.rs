//! A dump that is pushed in pieces.

use std::convert::Infallible;

use super::{Checker, Report};
use crate::dump::frame::LineFramer;

/// Checks a dump that comes in pieces, wherever it is cut.
///
/// ```
/// use metadump::Dump;
/// use metadump::check::Code;
///
/// let mut dump = Dump::default();
/// // What a file, a socket or a decoder gives; `read` fills a buffer and says how far.
/// dump.push(br#"["header",{"DataHeader":{"key":"header","va"#);
/// dump.push(b"lue\":{\"version\":\"V004\"}}}]\n");
/// let report = dump.finish();
/// assert_eq!(report.summary.lines, 1);
/// assert!(report.findings.counts().contains_key(&Code::EmptyDump));
/// ```
///
/// To do more with a line than to check it, put a [`LineFramer`] and a [`Checker`] together.
#[derive(Debug, Default)]
pub struct Dump {
    framer: LineFramer,
    checker: Checker,
}

impl Dump {
    /// Checks the lines that `piece` completes; keeps what follows the last `\n`.
    pub fn push(&mut self, piece: &[u8]) {
        let Self { framer, checker } = self;
        let Ok(()) = framer.feed(piece, |line| -> Result<(), Infallible> {
            checker.line(&line);
            Ok(())
        });
    }

    /// Checks what only the whole dump tells, and reports.
    pub fn finish(self) -> Report {
        let Self { framer, mut checker } = self;
        let Ok(()) = framer.finish(|line| -> Result<(), Infallible> {
            checker.line(&line);
            Ok(())
        });
        checker.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Dump;
    use crate::check::check;

    const DUMP: &[u8] = include_bytes!("../../../tests/fixtures/findings/last-line-cut.ndjson");

    #[test]
    fn where_a_dump_is_cut_changes_nothing() {
        let whole = serde_json::to_string(&check(DUMP)).unwrap();
        assert!(whole.contains("last-line-cut"), "{whole}");
        for piece_bytes in [1, 7, 64, DUMP.len() - 1] {
            let mut dump = Dump::default();
            DUMP.chunks(piece_bytes).for_each(|piece| dump.push(piece));
            assert_eq!(serde_json::to_string(&dump.finish()).unwrap(), whole, "{piece_bytes}");
        }
    }
}
