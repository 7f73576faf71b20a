//! The client against services in this process.

mod admin;
mod certificates;
mod choice;
mod cut_off;
mod exports;
mod queries;
mod upserts;
mod writes;

use metadump::LineFramer;

use super::fake::{Step, options, start};
use super::{
    ConnectOptions, ExportOptions, Exported, Failure, Received, ServerVersion, export, wait,
};
use crate::failure::Help;

/// A small dump.
const DUMP: &str = include_str!("../../../../tests/fixtures/valid/v004.ndjson");

/// What a server sent the official tool.
const ORIGIN: &str = include_str!("../../../../tests/fixtures/v004/v004-origin.export.ndjson");

/// The lines of a dump, in messages of `chunk` lines.
fn steps(dump: &str, chunk: usize) -> Vec<Step> {
    let lines: Vec<&str> = dump.lines().collect();
    lines.chunks(chunk).map(|lines| Step::lines(lines.iter().copied())).collect()
}

/// How an export ended, and what it did on the way.
struct Ran {
    ended: Result<Exported, Failure>,
    lines: Vec<String>,
    notes: Vec<String>,
}

impl Ran {
    /// The dump, as it would be written.
    fn dump(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    fn failure(self) -> Failure {
        self.ended.unwrap_err()
    }
}

async fn run(connect: &ConnectOptions, options: &ExportOptions) -> Ran {
    let (mut lines, mut notes) = (Vec::new(), Vec::new());
    let ended = export(connect, options, &mut |note| notes.push(note.to_string()), &mut |line| {
        lines.push(line.to_owned());
        Ok(())
    })
    .await;
    Ran { ended, lines, notes }
}

/// The lines of a failure on the terminal.
fn message(failure: Failure) -> String {
    let error = failure.explained();
    let help = error.downcast_ref::<Help>().unwrap().to_string();
    let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
    assert_eq!(chain[0], help);
    format!("{}\nhelp: {help}", chain[1..].join("\ncause: "))
}
