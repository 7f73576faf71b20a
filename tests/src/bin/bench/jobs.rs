//! The jobs: command lines of the tool and of its peers, on the same dump.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use metadump_tests::generate::{DumpSpec, DumpVersion, generate};
use metadump_tests::served::Served;

use crate::measure::{Run, run};

/// What is measured, and with what.
pub struct Bench {
    /// The binary under test.
    pub metactl: PathBuf,
    /// An older build, which runs every job of the binary under test as well.
    pub baseline: Option<PathBuf>,
    /// Where dumps and directories go.
    pub place: PathBuf,
    /// How often each job runs.
    pub runs: usize,
}

/// A job of this tool, or of a peer.
pub struct Job {
    /// Its name on the page.
    pub name: String,
    /// What it is compared with: the names of other jobs of the same size, of which the first one
    /// counts that was measured.
    pub peers: &'static [&'static str],
    command: Vec<String>,
    /// What has to be away before each run.
    fresh: Option<PathBuf>,
    /// Whether an older build can run it as well.
    is_old: bool,
}

impl Job {
    fn run(&self, command: &[String]) -> Result<Run, Box<dyn Error>> {
        if let Some(fresh) = self.fresh.as_ref().filter(|fresh| fresh.exists()) {
            fs::remove_dir_all(fresh)?;
        }
        run(command)
    }
}

/// What a job took.
pub struct Measured {
    /// Its name.
    pub name: String,
    /// The names of its peers.
    pub peers: &'static [&'static str],
    /// The medians; the memory is the largest.
    pub run: Run,
    /// What they took in the older build.
    pub baseline: Option<Run>,
}

/// All jobs on one dump.
pub struct Sized {
    /// The size of the dump in bytes.
    pub bytes: u64,
    /// What they took.
    pub jobs: Vec<Measured>,
}

/// Everything that was measured.
pub struct All {
    /// Against peers.
    pub compared: Vec<Sized>,
    /// The tool alone, on dumps that grow.
    pub growth: Vec<Sized>,
    /// In node and in Chromium, as they print it; none when the page is not built.
    pub browser: Option<String>,
}

impl Bench {
    /// Measures everything, one dump after the other; sizes are MiB.
    pub fn measure(&self, sizes: &[u64], growth: &[u64]) -> Result<All, Box<dyn Error>> {
        let mut compared = Vec::new();
        let mut browser = None;
        for size in sizes {
            let dump = dump(&self.place, *size)?;
            let service = self.serve(&dump);
            let mut jobs = self.jobs_with_peers(&dump, &service)?;
            if size == sizes.iter().min().unwrap_or(size) {
                jobs.extend(self.jq(&dump));
            }
            compared.push(self.rounds(&dump, jobs)?);
            drop(service);
            if browser.is_none() {
                browser = self.browser(&dump)?;
            }
            fs::remove_file(dump)?;
        }
        let mut grown = Vec::new();
        for size in growth {
            let dump = dump(&self.place, *size)?;
            grown.push(self.rounds(&dump, self.jobs(&dump))?);
            fs::remove_file(dump)?;
        }
        Ok(All { compared, growth: grown, browser })
    }

    /// Runs every job once a round.
    fn rounds(&self, dump: &Path, jobs: Vec<Job>) -> Result<Sized, Box<dyn Error>> {
        let bytes = fs::metadata(dump)?.len();
        let mut runs: Vec<(Vec<Run>, Vec<Run>)> = jobs.iter().map(|_| Default::default()).collect();
        // The first round only warms the page cache.
        for round in 0..=self.runs {
            eprintln!("{} MiB: round {round} of {}", bytes >> 20, self.runs);
            for (job, (runs, baselines)) in jobs.iter().zip(&mut runs) {
                let older = self.baseline.as_ref().filter(|_| job.is_old).map(|baseline| {
                    let mut command = job.command.clone();
                    command.splice(..1, [text(baseline)]);
                    command
                });
                let baseline = older.map(|command| job.run(&command)).transpose()?;
                let took = job.run(&job.command)?;
                if round > 0 {
                    runs.push(took);
                    baselines.extend(baseline);
                }
            }
        }
        let measured = jobs.into_iter().zip(runs).filter_map(|(job, (runs, baselines))| {
            Some(Measured {
                name: job.name,
                peers: job.peers,
                run: Run::median(&runs)?,
                baseline: Run::median(&baselines),
            })
        });
        Ok(Sized { bytes, jobs: measured.collect() })
    }

    /// The tool's own jobs.
    fn jobs(&self, dump: &Path) -> Vec<Job> {
        let (restored, out) = (self.path("restored"), self.path("out.db"));
        let dump = text(dump);
        vec![
            self.job("validate, one thread", &[TYPED], &["validate", "--threads", "1", &dump]),
            self.job("validate", &["validate, one thread"], &["validate", &dump]),
            self.job("rewrite, identity", &[CAT], &["rewrite", "--db", &dump, "--output", &out]),
            Job {
                is_old: false,
                ..self.job(
                    "rewrite to the end of the log",
                    &["rewrite, identity"],
                    &["rewrite", "--at", "end", "--db", &dump, "--output", &out],
                )
            },
            Job { is_old: false, ..self.job("objects", &["validate"], &["objects", &dump]) },
            // The one that the rewrite has written.
            self.job(
                "validate, with its manifest",
                &["validate, one thread"],
                &["validate", "--require-manifest", &out],
            ),
            self.job(
                "rewrite, new cluster",
                &[CAT],
                &[
                    "rewrite",
                    "--db",
                    &dump,
                    "--output",
                    &out,
                    "--id",
                    "7",
                    "--initial-cluster",
                    "7=localhost:29103",
                ],
            ),
            Job {
                fresh: Some(restored.clone().into()),
                ..self.job(
                    "import into a raft dir",
                    &["official import", TYPED],
                    &["import", "--raft-dir", &restored, "--db", &dump],
                )
            },
            self.job(
                "export of a raft dir",
                &["official export", TYPED],
                &["export", "--raft-dir", &restored, "--db", &out],
            ),
        ]
    }

    /// The embedded service with a dump.
    fn serve(&self, dump: &Path) -> Served {
        let mut serve = Command::new(&self.metactl);
        serve.args(["serve", "--grpc-api-address", "127.0.0.1:0", "--db"]).arg(dump);
        Served::run(serve)
    }

    /// The tool's jobs, those that need a service, and the peers.
    fn jobs_with_peers(&self, dump: &Path, service: &Served) -> Result<Vec<Job>, Box<dyn Error>> {
        let (path, copy) = (text(dump), self.path("copy.db"));
        let shell = |script: &str| ["sh".to_owned(), "-c".to_owned(), script.to_owned()];
        let copying = shell(&format!("cat '{path}' >'{copy}'"));
        let copying: Vec<&str> = copying.iter().map(String::as_str).collect();
        let syncing = shell(&format!("cat '{path}' >'{copy}' && sync '{copy}'"));
        let syncing: Vec<&str> = syncing.iter().map(String::as_str).collect();
        let own = text(&std::env::current_exe()?);
        let mut jobs = vec![
            peer("`wc -l`", &["wc", "-l", &path]),
            peer(CAT, &copying),
            peer("`cat`, then `sync`", &syncing),
        ];
        jobs.extend(self.jobs(dump));
        for version in ["V002", "V003"] {
            jobs.extend(self.older(version, &path));
        }
        jobs.push(self.job(
            "export over gRPC",
            &[],
            &["export", "--grpc-api-address", &service.address(), "--db", &self.path("online.db")],
        ));
        // What takes long comes last: memory that was idle meanwhile comes back slowly to a virtual
        // machine, and the next job would pay for it.
        jobs.push(peer(TYPED, &[&own, "typed", &path]));
        if let Some(official) = std::env::var_os("OFFICIAL_METACTL") {
            let official = text(Path::new(&official));
            let restored = self.path("official");
            jobs.push(Job {
                fresh: Some(restored.clone().into()),
                ..peer(
                    "official import",
                    &[&official, "import", "--raft-dir", &restored, "--db", &path],
                )
            });
            let out = self.path("official.db");
            jobs.push(peer(
                "official export",
                &[&official, "export", "--raft-dir", &restored, "--db", &out],
            ));
        }
        Ok(jobs)
    }

    /// A general tool, which takes minutes for what others take a second; none where it is not there.
    fn jq(&self, dump: &Path) -> Option<Job> {
        Command::new("jq").arg("--version").stdout(Stdio::null()).status().ok()?;
        Some(peer("`jq -c .`", &["jq", "-c", ".", &text(dump)]))
    }

    /// The way into a directory of an older version, and out of it.
    fn older(&self, version: &str, dump: &str) -> [Job; 2] {
        let (dir, out) = (self.path(version), self.path("out.db"));
        let mut import =
            vec!["import", "--raft-dir", &dir, "--db", dump, "--data-version", version];
        let losses = ["lost-proposal-time", "lost-expiry-milliseconds", "lost-log-entry"];
        import.extend(losses.iter().flat_map(|loss| ["--accept", loss]));
        let name = format!("export of a {version} directory");
        let export = self.job(&name, &[TYPED], &["export", "--raft-dir", &dir, "--db", &out]);
        let import = self.job(&format!("import as {version}"), &[TYPED], &import);
        [Job { fresh: Some(dir.into()), ..import }, export]
    }

    fn job(&self, name: &str, peers: &'static [&'static str], args: &[&str]) -> Job {
        let mut command = vec![text(&self.metactl), "--quiet".to_owned()];
        command.extend(args.iter().map(|arg| (*arg).to_owned()));
        Job { name: name.to_owned(), peers, command, fresh: None, is_old: true }
    }

    fn path(&self, name: &str) -> String {
        text(&self.place.join(name))
    }

    /// What node and Chromium take for the same dump.
    fn browser(&self, dump: &Path) -> Result<Option<String>, Box<dyn Error>> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        if !repository.join("web/dist/metadump-viewer.html").exists() {
            return Ok(None);
        }
        eprintln!("in node and in Chromium");
        let mut bench = Command::new("node");
        bench.arg(repository.join("tests/web/bench.mjs")).arg(dump).env("METACTL", &self.metactl);
        let output = bench.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err("the measurement in the browser failed".into());
        }
        Ok(Some(String::from_utf8(output.stdout)?))
    }
}

/// Makes a dump of so many MiB.
pub fn dump(place: &Path, mebibytes: u64) -> Result<PathBuf, Box<dyn Error>> {
    let path = place.join(format!("{mebibytes}.db"));
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&path)?);
    generate(&DumpSpec { bytes: mebibytes << 20, seed: 0, version: DumpVersion::V004 }, &mut out)?;
    out.flush()?;
    Ok(path)
}

/// A command that is not the tool's.
fn peer(name: &str, command: &[&str]) -> Job {
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    Job { name: name.to_owned(), peers: &[], command, fresh: None, is_old: false }
}

/// What every byte is at least read and written with.
pub const CAT: &str = "`cat`, file to file";

/// What the official tool does with every line.
pub const TYPED: &str = "serde_json, typed";

fn text(path: &Path) -> String {
    path.display().to_string()
}
