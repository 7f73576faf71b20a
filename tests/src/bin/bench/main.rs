//! Measures each job on made-up dumps against its peers, and writes `docs/benchmarks.md`.
//!
//! ```text
//! Plan (sizes, runs) ─► jobs ─► measure: each in turn, several rounds ─► page
//! ```
//!
//! Beside that, `instructions` counts what the main jobs execute, which does not depend on the machine.
//!
//! Rounds interleave: every job runs once a round, so that a slow minute of the machine meets all
//! of them. What counts is the ratio of two medians of one run.

#![allow(unreachable_pub)] // nothing of a binary is reachable from outside

mod instructions;
mod jobs;
mod measure;
mod page;
mod typed;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measure each job against its peers.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Measure everything and print the page.
    All {
        /// The binary under test.
        #[arg(long)]
        metactl: PathBuf,
        /// An older build to compare it with.
        #[arg(long)]
        baseline: Option<PathBuf>,
        /// Where dumps and directories go; on the disk that is to be measured.
        #[arg(long)]
        place: PathBuf,
        /// The sizes of the dumps that are compared with peers, MiB.
        #[arg(long, value_delimiter = ',', default_value = "256,2048")]
        sizes: Vec<u64>,
        /// The sizes of the dumps that show growth, MiB.
        #[arg(long, value_delimiter = ',', default_value = "64,256,1024,4096")]
        growth: Vec<u64>,
        /// How often each job runs.
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// A text about the kernels, for the page.
        #[arg(long)]
        kernels: Option<PathBuf>,
        /// A text about the instructions of jobs, for the page.
        #[arg(long)]
        instructions: Option<PathBuf>,
        /// The page; without it, it goes to stdout.
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Count the instructions of the main jobs, and fail when they are many more than before.
    Instructions {
        /// The binary under test.
        #[arg(long)]
        metactl: PathBuf,
        /// Where dumps and directories go.
        #[arg(long)]
        place: PathBuf,
        /// The file of the counts before.
        #[arg(long)]
        before: PathBuf,
        /// Write that file instead.
        #[arg(long)]
        update: bool,
    },
    /// Read a dump with serde_json, each line into its type: the peer of a check.
    #[command(hide = true)]
    Typed {
        /// The dump.
        dump: PathBuf,
    },
    /// Run a command and print what it took.
    #[command(hide = true, trailing_var_arg = true)]
    Measured {
        /// The command.
        #[arg(allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

fn main() -> ExitCode {
    let ended = run(Args::parse());
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), Box<dyn Error>> {
    match args.what {
        What::All {
            metactl,
            baseline,
            place,
            sizes,
            growth,
            runs,
            kernels,
            instructions,
            output,
        } => {
            std::fs::create_dir_all(&place)?;
            let bench = jobs::Bench { metactl, baseline, place, runs };
            let measured = bench.measure(&sizes, &growth)?;
            let kernels = kernels.map(std::fs::read_to_string).transpose()?;
            let instructions = instructions.map(std::fs::read_to_string).transpose()?;
            let page = page::write(&measured, kernels.as_deref(), instructions.as_deref(), &bench);
            match output {
                Some(path) => std::fs::write(path, page)?,
                None => print!("{page}"),
            }
            Ok(())
        }
        What::Instructions { metactl, place, before, update } => {
            instructions::Counting { metactl, place, before, update }.run()
        }
        What::Typed { dump } => typed::read(&dump),
        What::Measured { command } => measure::child(&command),
    }
}
