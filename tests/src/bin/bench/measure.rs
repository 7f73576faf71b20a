//! What a command takes: time, processor time, memory.

use std::error::Error;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

/// What one run took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// From start to end, seconds.
    pub wall_s: f64,
    /// On all cores together, in the program and in the kernel for it, seconds.
    pub cpu_s: f64,
    /// The largest resident memory, KiB.
    pub peak_kib: i64,
}

impl Run {
    /// The median of each figure.
    pub fn median(runs: &[Self]) -> Option<Self> {
        let of = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<f64> = runs.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied()
        };
        Some(Self {
            wall_s: of(|run| run.wall_s)?,
            cpu_s: of(|run| run.cpu_s)?,
            peak_kib: runs.iter().map(|run| run.peak_kib).max()?,
        })
    }
}

/// Runs a command line to its end, in a process that has no other child: the kernel only shows
/// the memory of all children together.
pub fn run(command: &[String]) -> Result<Run, Box<dyn Error>> {
    let mut measured = Command::new(std::env::current_exe()?);
    measured.arg("measured").args(command).stdin(Stdio::null()).stderr(Stdio::piped());
    let output = measured.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {said}", command.join(" ")).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs a command with stdout thrown away, and prints what it took.
pub fn child(command: &[String]) -> Result<(), Box<dyn Error>> {
    let (program, args) = command.split_first().ok_or("no command")?;
    let started = Instant::now();
    let status = Command::new(program).args(args).stdout(Stdio::null()).status()?;
    let wall_s = started.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("{program} ended with {status}").into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let cpu_s = seconds(usage.user_time()) + seconds(usage.system_time());
    let run = Run { wall_s, cpu_s, peak_kib: usage.max_rss() };
    println!("{}", serde_json::to_string(&run)?);
    Ok(())
}
