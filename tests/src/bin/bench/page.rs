//! What was measured, as Markdown.

use std::fmt::Write;
use std::process::Command;

use crate::jobs::{All, Bench, Sized};

/// The page.
pub fn write(all: &All, bench: &Bench) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = head(&mut page, bench);
    for sized in &all.compared {
        let _ = compared(&mut page, sized);
    }
    let _ = growth(&mut page, &all.growth);
    if let Some(browser) = &all.browser {
        let _ = write!(page, "\n## In the browser\n\n```text\n{browser}```\n");
    }
    page
}

fn head(page: &mut String, bench: &Bench) -> std::fmt::Result {
    writeln!(page, "# Measurements\n")?;
    writeln!(page, "<!-- Generated: make bench -->\n")?;
    writeln!(
        page,
        "Medians of {} runs, interleaved; memory is the largest. Dumps come from `make generate`. Ratios of one run \
         count, seconds depend on the machine.\n",
        bench.runs
    )?;
    for (name, command) in [
        ("processor", "lscpu | sed -n 's/^Model name: *//p'"),
        ("cores", "nproc"),
        ("memory", "free -h | awk '/^Mem:/ { print $2 }'"),
        ("kernel", "uname -sr"),
        ("compiler", "rustc --version"),
        ("revision", "git rev-parse --short HEAD"),
    ] {
        let said = Command::new("sh").args(["-c", command]).output();
        let said = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        writeln!(page, "- {name}: {}", said.unwrap_or_default())?;
    }
    Ok(())
}

fn compared(page: &mut String, sized: &Sized) -> std::fmt::Result {
    writeln!(page, "\n## A dump of {} MB\n", sized.bytes / 1_000_000)?;
    writeln!(page, "| job | s | MB/s | CPU s | MiB | compared with |")?;
    writeln!(page, "|---|--:|--:|--:|--:|---|")?;
    for job in &sized.jobs {
        let peer = job.peer.and_then(|peer| sized.jobs.iter().find(|other| other.name == peer));
        let ratio = peer.map_or(String::new(), |peer| {
            format!("{:.2} × {}", peer.run.wall_s / job.run.wall_s, peer.name)
        });
        writeln!(
            page,
            "| {} | {:.2} | {:.0} | {:.2} | {} | {ratio} |",
            job.name,
            job.run.wall_s,
            sized.bytes as f64 / 1e6 / job.run.wall_s,
            job.run.cpu_s,
            job.run.peak_kib >> 10,
        )?;
    }
    Ok(())
}

fn growth(page: &mut String, sizes: &[Sized]) -> std::fmt::Result {
    let Some(first) = sizes.first() else { return Ok(()) };
    writeln!(page, "\n## Growth\n\nSeconds and MiB.\n")?;
    write!(page, "| job |")?;
    for sized in sizes {
        write!(page, " {} MB | |", sized.bytes / 1_000_000)?;
    }
    writeln!(page, "\n|---|{}", "--:|--:|".repeat(sizes.len()))?;
    for job in &first.jobs {
        write!(page, "| {} |", job.name)?;
        for sized in sizes {
            match sized.jobs.iter().find(|other| other.name == job.name) {
                Some(job) => write!(page, " {:.2} | {} |", job.run.wall_s, job.run.peak_kib >> 10)?,
                None => write!(page, " | |")?,
            }
        }
        writeln!(page)?;
    }
    Ok(())
}
