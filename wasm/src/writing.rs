//! The reading that writes a new dump, a piece at a time.

use metadump::LineFramer;
use metadump::making::PlanWriter;
use metadump::rewrite::LineRewriter;
use wasm_bindgen::prelude::*;

use crate::thrown;

/// What a dump that comes in pieces becomes; nothing before it has started.
pub(crate) struct Writing<R> {
    framer: LineFramer,
    writer: Option<PlanWriter<R>>,
}

// A derive would want rewriters to have one, too.
impl<R> Default for Writing<R> {
    fn default() -> Self {
        Self { framer: LineFramer::default(), writer: None }
    }
}

impl<R: LineRewriter> Writing<R> {
    /// Starts with the first piece.
    pub(crate) fn start(writer: Option<PlanWriter<R>>) -> Self {
        Self { framer: LineFramer::default(), writer }
    }

    /// Gives what the next piece becomes.
    pub(crate) fn piece(&mut self, piece: &[u8]) -> Result<Vec<u8>, JsError> {
        let Self { framer, writer } = self;
        let mut out = Vec::new();
        if let Some(writer) = writer {
            framer.feed(piece, |line| writer.line(&line, &mut out)).map_err(thrown)?;
        }
        Ok(out)
    }

    /// Gives what is left.
    pub(crate) fn end(&mut self) -> Result<Vec<u8>, JsError> {
        let mut out = Vec::new();
        let Self { framer, writer } = std::mem::take(self);
        if let Some(mut writer) = writer {
            framer.finish(|line| writer.line(&line, &mut out)).map_err(thrown)?;
            writer.finish(&mut out).map_err(thrown)?;
        }
        Ok(out)
    }
}
