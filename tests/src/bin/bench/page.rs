//! What was measured, as Markdown.

use std::fmt::Write;
use std::process::Command;

use crate::jobs::{All, Bench, Sized};

/// The page.
pub fn write(
    all: &All,
    kernels: Option<&str>,
    instructions: Option<&str>,
    bench: &Bench,
) -> String {
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
    if let Some(kernels) = kernels {
        let _ = write!(
            page,
            "\n## Kernels\n\n`cargo bench --package metadump`\n\n```text\n{kernels}```\n"
        );
    }
    if let Some(instructions) = instructions {
        let _ = write!(page, "\n{INSTRUCTIONS}\n```text\n{instructions}```\n");
    }
    page.push_str(LIMITS);
    page
}

/// What the counts of instructions are.
const INSTRUCTIONS: &str = "\
## Instructions

Of jobs on a dump of 16 MiB, counted by valgrind without those of SHA-256, for which it has no instructions; in percent
against `tests/instructions.tsv`. More than 3 % up fails `make bench`; `UPDATE_COUNTS=1 make bench` writes the file.
";

/// What the figures cannot tell by themselves.
const LIMITS: &str = "
## What limits what

- A validation takes about half of its time to get the file into memory, and most of the rest to judge decimal byte
  arrays. All cores share the scanning; the checks that need the order of the lines follow on whichever is free. To map
  the file would save a copy, but a file that is cut meanwhile ends a process that has mapped it, and no input may.
  Pieces of 256 KiB stay in the cache of a core: a validation takes nine tenths of the time that it takes with 1 MiB.
- With its manifest, the bytes of a dump are hashed too, piece by piece in their order, while the lines of the next pieces
  are scanned. SHA-256 takes as much processor time as all the rest, so that two cores have twice as much to do; hashes
  of pieces would take the same, and only let more than two cores share it.
- Of the processor time that a validation takes beyond one of 0.1.0, most is for references: of every key but copied
  files the value is decoded and each of its fields looked at.
- A rewrite reads the dump twice, because what is written first depends on what stands last; it hashes what it writes
  for the manifest, checks it, and syncs it to the disk. `cat` does none of this: half of its speed is what is left on
  two cores. A seventh of its processor time is SHA-256, with the processor's own instructions for it, as much is
  reading the dump, twice. Hashing, checking and writing have a thread each; what is written is sent to the
  disk meanwhile. A processor without instructions for SHA-256 takes four times as long for it, and is limited by it.
- What writes 2 GB and more also pays for the page cache, on a virtual machine whose memory has idled: `cat` of 2 GB takes
  0.7 s into memory that was used lately, and 5 s, all of them the kernel's, into memory that was not.
- `redact` reads a dump twice as a rewrite does, looks for credentials on the first reading and for what is left of them, as
  they are, in base64, escaped, in every line that it writes: a quarter of its processor time. A dump with 130,000 different
  ones, more than cores have cache for, takes a quarter longer.
- An import writes, syncs, reads back what it wrote and compares before it exchanges the directories.
- An export is limited by the disk where that is slower than 0.5 GB/s: a third of its time can be the last fsync and the
  removal of the file whose name it takes. Of its processor time, SHA-256 is a sixth, as much as turning bytes into
  decimal text; log entries were a quarter until they went from MessagePack to JSON without a value in between.
- Where the official tool is not at hand, imports and exports are compared with serde_json. Its release 260304 was
  measured on another machine of two cores, where serde_json did 270 MB/s: it imported dumps of 211 and 261 MB at 80 to
  110 MB/s, that is 0.3 to 0.4 times serde_json's speed, and exported them at 105 to 170 MB/s, 0.4 to 0.6 times.
- An export over gRPC takes four seconds of a core per GB, or two where everything is twice as fast, not one: a quarter
  each for SHA-256 and for writing, an eighth for checking, the rest for receiving. What it waits for is the server.
- Chromium takes most of a core to hand a file to a page. Slices as array buffers come at 0.4 to 0.9 GB/s, so does what
  `FileReaderSync` reads; a byte stream that is read into the same memory again comes at 1.2 GB/s, and is what the page
  uses; fewer and larger reads of it make no difference. It is therefore three to five times as fast there as `JSON.parse`
  for each line of such a stream, not six. On two cores a second worker makes the page slower, and it shares a dump
  among workers only where there are more.
- Two workers in node are three threads on two cores: two that scan, and one that checks what they hand over, which has
  to see the lines in their order. What it is handed has to be packed and unpacked, too, and checking and indexing short
  lines is a third of all work. This keeps them below 1.7 times the speed of one. A worker that checks and also scans a
  quarter of the dump itself came to 1.6 times, but made the page on two cores half as slow again.
- Seconds depend on the machine more than on anything here. Where serde_json, typed, does 150 MB/s, a validation with
  one thread does 1.8 GB/s, the binding 1.3 GB/s in node, the page 0.8 GB/s, and exports of V002 and V003 directories
  330 MB/s; where it does 65 MB/s, each does less than half.
";

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
    if let Some(baseline) = &bench.baseline {
        let said = Command::new(baseline).arg("--version").output();
        let version = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        let version = version.unwrap_or_default();
        writeln!(page, "- older build: {version}; 2 × is twice its speed, or half its memory")?;
    }
    Ok(())
}

fn compared(page: &mut String, sized: &Sized) -> std::fmt::Result {
    writeln!(page, "\n## A dump of {} MB\n", sized.bytes / 1_000_000)?;
    let has_baseline = sized.jobs.iter().any(|job| job.baseline.is_some());
    let (column, rule) =
        if has_baseline { (" × older build | CPU | MiB |", "--:|--:|--:|") } else { ("", "") };
    writeln!(page, "| job | s | MB/s | CPU s | MiB |{column} compared with |")?;
    writeln!(page, "|---|--:|--:|--:|--:|{rule}---|")?;
    for job in &sized.jobs {
        let named = |peer: &&str| sized.jobs.iter().find(|other| other.name == *peer);
        let peer = job.peers.iter().find_map(named);
        let ratio = peer.map_or(String::new(), |peer| {
            format!("{:.2} × {}", peer.run.wall_s / job.run.wall_s, peer.name)
        });
        let older = match job.baseline {
            Some(older) => format!(
                " {:.2} × | {:.2} × | {:.2} × |",
                older.wall_s / job.run.wall_s,
                older.cpu_s / job.run.cpu_s,
                older.peak_kib as f64 / job.run.peak_kib as f64
            ),
            None if has_baseline => " | | |".to_owned(),
            None => String::new(),
        };
        writeln!(
            page,
            "| {} | {:.2} | {:.0} | {:.2} | {} |{older} {ratio} |",
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
