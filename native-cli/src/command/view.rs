//! `view`: a dump in the browser.

use std::io::{Write, stdout};
use std::path::Path;

use anyhow::Result;

use super::Outcome;
use super::at::dump_at;
use crate::args::View;
use crate::failure::Usage;
use crate::input::Source;
use crate::progress::Progress;
use crate::viewer::{self, Options};

/// Runs the command.
pub fn run(args: &View, progress: &Progress) -> Result<Outcome> {
    let Some(dump) = args.dump.path()?.filter(|dump| *dump != Path::new("-")) else {
        return Err(Usage::error(
            "the viewer cannot read stdin: it goes back and forth in the dump",
            "write the dump into a file first, packed or not, and view that",
        ));
    };
    let made = match args.at {
        Some(_) => {
            let source = Source::open(Some(dump))?.with_manifest(args.manifest.as_deref())?;
            Some(dump_at(source, args.at, progress)?)
        }
        None => None,
    };
    let options = Options {
        dump: made.as_ref().and_then(Source::spool).unwrap_or(dump),
        name: dump.file_name().unwrap_or_default(),
        // What is made of a dump has none.
        manifest: args.manifest.as_deref().filter(|_| made.is_none()),
        port: args.port,
        page: args.page.as_deref(),
    };
    viewer::run(&options, progress, |url| {
        let mut stdout = stdout().lock();
        writeln!(stdout, "{url}")?;
        Ok(stdout.flush()?)
    })?;
    Ok(Outcome::Done)
}
