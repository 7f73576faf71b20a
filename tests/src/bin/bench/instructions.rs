//! How many instructions jobs take, which tells on a busy machine, too, whether one got slower.
//!
//! Valgrind counts them. It knows no instructions for SHA-256, so that the functions that it would take
//! for it are left out.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::jobs::dump;

/// How much more than before is too much, percent.
const MOST_MORE: f64 = 3.0;

/// The size of the dump, MiB.
const MEBIBYTES: u64 = 16;

/// What is counted, and what it is compared with.
pub struct Counting {
    /// The binary under test.
    pub metactl: PathBuf,
    /// Where dumps and directories go.
    pub place: PathBuf,
    /// The file of the counts before.
    pub before: PathBuf,
    /// Whether the counts of today take their place.
    pub update: bool,
}

/// The counts of a build.
#[derive(Default)]
struct Counts {
    /// What decides them beside the code.
    compiler: String,
    jobs: BTreeMap<String, u64>,
}

impl Counts {
    /// Reads a file of counts: a line for the compiler, and one for each job.
    fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let mut counts = Self::default();
        for line in text.lines() {
            let (name, value) =
                line.split_once('\t').ok_or_else(|| format!("no tab in {line:?}"))?;
            if name == "compiler" {
                counts.compiler = value.to_owned();
            } else {
                counts.jobs.insert(name.to_owned(), value.parse()?);
            }
        }
        Ok(counts)
    }

    fn text(&self) -> String {
        let mut text = format!("compiler\t{}\n", self.compiler);
        for (name, count) in &self.jobs {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name}\t{count}");
        }
        text
    }
}

impl Counting {
    /// Counts the instructions of the main jobs, and prints them beside those before.
    ///
    /// # Errors
    ///
    /// When a job takes too many more than before, or cannot be run.
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        fs::create_dir_all(&self.place)?;
        let compiler = Command::new("rustc").arg("--version").output()?.stdout;
        let compiler = String::from_utf8(compiler)?.trim().to_owned();
        let today = Counts { compiler, jobs: self.count()? };
        let before = match fs::read_to_string(&self.before) {
            Ok(text) => Counts::parse(&text)?,
            Err(_) if self.update => Counts::default(),
            Err(error) => return Err(format!("{}: {error}", self.before.display()).into()),
        };
        let mut slower = Vec::new();
        for (name, count) in &today.jobs {
            let million = *count as f64 / 1e6;
            let a_byte = *count as f64 / (MEBIBYTES << 20) as f64;
            print!("{name:<28} {million:8.1} million, {a_byte:5.1} a byte");
            match before.jobs.get(name) {
                Some(before) => {
                    let more = (*count as f64 / *before as f64 - 1.0) * 100.0;
                    println!(" {more:+6.1} %");
                    if more > MOST_MORE {
                        slower.push(format!("{name} ({more:+.1} %)"));
                    }
                }
                None => println!(),
            }
        }
        if self.update {
            return Ok(fs::write(&self.before, today.text())?);
        }
        if today.compiler != before.compiler {
            eprintln!("the counts before are of {}: they do not judge", before.compiler);
            return Ok(());
        }
        if slower.is_empty() {
            return Ok(());
        }
        let file = self.before.display();
        Err(format!(
            "more instructions than {file} has, by more than {MOST_MORE} percent: {}; where that is \
             right, UPDATE_COUNTS=1 make bench writes the file",
            slower.join(", ")
        )
        .into())
    }

    /// The instructions of each job. The order matters: some read what others have written.
    fn count(&self) -> Result<BTreeMap<String, u64>, Box<dyn Error>> {
        let generated = dump(&self.place, MEBIBYTES)?;
        let path = |name: &str| self.place.join(name).display().to_string();
        let (db, out, dir, v003) = (path("counted.db"), path("out.db"), path("dir"), path("v003"));
        fs::rename(generated, &db)?;
        let mut counts = BTreeMap::new();
        for (name, args) in [
            ("validate", vec!["validate", "--threads", "1", &db]),
            (
                "rewrite, new cluster",
                vec![
                    "rewrite",
                    "--db",
                    &db,
                    "--output",
                    &out,
                    "--id",
                    "7",
                    "--initial-cluster",
                    "7=localhost:29103",
                ],
            ),
            ("validate, with its manifest", vec!["validate", "--threads", "1", &out]),
            ("import into a raft dir", vec!["import", "--raft-dir", &dir, "--db", &db]),
            ("export of a raft dir", vec!["export", "--raft-dir", &dir, "--db", &out]),
            (
                "import as V003",
                vec![
                    "import",
                    "--raft-dir",
                    &v003,
                    "--db",
                    &db,
                    "--data-version",
                    "V003",
                    "--accept",
                    "lost-proposal-time",
                ],
            ),
        ] {
            counts.insert(name.to_owned(), self.instructions(&args)?);
        }
        for dir in [dir, v003] {
            fs::remove_dir_all(dir)?;
        }
        Ok(counts)
    }

    /// The instructions of one command.
    fn instructions(&self, args: &[&str]) -> Result<u64, Box<dyn Error>> {
        let profile = self.place.join("callgrind");
        let output = Command::new("valgrind")
            .arg("--tool=callgrind")
            .arg(format!("--callgrind-out-file={}", profile.display()))
            .arg(&self.metactl)
            .arg("--quiet")
            .args(args)
            // Instructions that repeat themselves would count once a byte.
            .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS,-FSRM")
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {said}", args.join(" ")).into());
        }
        let counted = counted(&fs::read_to_string(&profile)?);
        fs::remove_file(&profile)?;
        Ok(counted)
    }
}

/// The instructions in a profile of callgrind, of all functions but those that hash.
///
/// A function is named by `fn=`, the first time with its number in parentheses and then by that alone.
/// The lines behind it have a place and a count; one that follows `calls=` counts what was called, which
/// has lines of its own.
fn counted(profile: &str) -> u64 {
    let mut hashing: BTreeMap<&str, bool> = BTreeMap::new();
    let (mut total, mut is_left_out, mut is_call) = (0, false, false);
    for line in profile.lines() {
        if let Some(function) = line.strip_prefix("fn=").or_else(|| line.strip_prefix("cfn=")) {
            let (number, name) = function.split_once(' ').unwrap_or((function, ""));
            if !name.is_empty() {
                hashing.insert(number, name.contains("sha2::") || name.contains("sha256"));
            }
            if line.starts_with("fn=") {
                is_left_out = hashing.get(number).copied().unwrap_or_default();
            }
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let count = line.split_whitespace().nth(1).and_then(|count| count.parse::<u64>().ok());
            if !std::mem::take(&mut is_call) && !is_left_out {
                total += count.unwrap_or_default();
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_counts_for_itself() {
        let profile = "\
events: Ir
fl=(1) a.rs
fn=(1) main
10 5
+2 7
cfn=(2) <sha2::Sha256 as digest::Update>::update
calls=3 40
12 900
fn=(2)
40 900
fi=(3) b.rs
* 100
fn=(4) other
1 1
fn=(1)
-3 4
totals: 1017
";
        assert_eq!(counted(profile), 5 + 7 + 1 + 4);
    }

    #[test]
    fn a_file_of_counts_is_read_as_written() {
        let text = "compiler\trustc 1.95.0\nexport\t12\nvalidate\t7\n";
        let counts = Counts::parse(text).unwrap();
        assert_eq!(counts.compiler, "rustc 1.95.0");
        assert_eq!(counts.jobs.values().copied().collect::<Vec<_>>(), [12, 7]);
        assert_eq!(counts.text(), text);
        assert!(Counts::parse("validate 7").is_err());
    }
}
