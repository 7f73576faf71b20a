//! `lua`: scripts that talk to running services.

use std::fs::File;
use std::io::{self, Read};

use anyhow::{Context, Result};

use super::Outcome;
use super::service::connect_options;
use crate::args::{Lua, Source};
use crate::failure::WithHelp;
use crate::lua::{self, Script};
use crate::progress::Progress;

/// How long a script may be.
const LONGEST_BYTES: u64 = 64 << 20;

/// Runs the command.
pub fn run(args: &Lua, progress: &Progress) -> Result<Outcome> {
    let mut scripts = Vec::new();
    for (number, source) in (1..).zip(&args.sources.0) {
        scripts.push(match source {
            Source::File(path) => {
                let shown = path.display();
                let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
                Script { name: format!("@{shown}"), text: read(file, &shown.to_string())? }
            }
            Source::Script(text) => {
                Script { name: format!("=script {number}"), text: text.clone().into_bytes() }
            }
        });
    }
    if scripts.is_empty() {
        let text = read(io::stdin().lock(), "stdin")?;
        scripts.push(Script { name: "=stdin".to_owned(), text });
    }
    lua::run(&scripts, connect_options(&args.service, progress)?)?;
    Ok(Outcome::Done)
}

fn read(source: impl Read, name: &str) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let read = source.take(LONGEST_BYTES + 1).read_to_end(&mut text);
    read.with_context(|| format!("cannot read {name}"))?;
    if text.len() as u64 > LONGEST_BYTES {
        let most = LONGEST_BYTES >> 20;
        return Err(anyhow::anyhow!("{name} is longer than {most} MiB"))
            .help("name a script in Lua; data for it is read with `io.open`");
    }
    Ok(text)
}
