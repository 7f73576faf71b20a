//! Writes a made-up dump of any size, for measurements and for trying things out.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use metadump_tests::generate::{DumpSpec, DumpVersion, generate};

/// Write a made-up dump, the same for the same seed.
#[derive(Debug, Parser)]
struct Args {
    /// How large the dump is to be, such as 1GiB, 64MiB or 2000000.
    #[arg(long, value_parser = parse_bytes)]
    bytes: u64,

    /// What the values depend on.
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Its data version: V002, V003 or V004.
    #[arg(long, default_value_t)]
    data_version: DumpVersion,

    /// The file to write; without it, or with `-`, the dump goes to stdout.
    #[arg(long)]
    output: Option<PathBuf>,
}

fn main() -> ExitCode {
    let ended = write(&Args::parse());
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(3)
        }
    }
}

fn write(args: &Args) -> Result<(), Box<dyn Error>> {
    let out: Box<dyn Write> = match &args.output {
        Some(path) if path.as_os_str() != "-" => Box::new(
            File::create(path)
                .map_err(|error| format!("cannot write {}: {error}", path.display()))?,
        ),
        _ => Box::new(io::stdout().lock()),
    };
    let mut out = BufWriter::with_capacity(1 << 20, out);
    let spec = DumpSpec { bytes: args.bytes, seed: args.seed, version: args.data_version };
    let written = generate(&spec, &mut out)?;
    out.flush()?;
    eprintln!("{} bytes, {} lines", written.bytes, written.lines);
    Ok(())
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A number of bytes, with or without a unit.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text.get(digits.len()..) {
        Some("" | "B") => 1,
        Some("KiB") => 1 << 10,
        Some("MiB") => 1 << 20,
        Some("GiB") => 1 << 30,
        _ => return Err("the units are B, KiB, MiB and GiB".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|error| format!("{error}"))?;
    number.checked_mul(unit).ok_or_else(|| "the size does not fit in 64 bits".to_owned())
}
