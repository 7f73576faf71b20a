//! How a run went, in a file for Prometheus and by a command that notifies: for whoever has backups
//! made that nobody watches.
//!
//! All are gauges, so that the text is the same to a reader of Prometheus' format and of OpenMetrics.
//! A run that is killed leaves the file of the run before, whose times say that it is old.

use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Error, Result};
use metadump::Report;
use metadump::check::Severity;
use metadump::manifest::Manifest;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::args::{Command, Monitored};
use crate::command::metrics::sample;
use crate::dump_writer::now_ms;
use crate::failure::{self, Usage, WithHelp};
use crate::notify::{Ended, notify};
use crate::open_dir::parent_of;
use crate::printable::printable;
use crate::report::verdict;

/// What all names begin with.
const PREFIX: &str = "databend_metactl";

/// What says when a run last succeeded; it outlives runs that do not.
const LAST_SUCCESS: &str = "last_success_timestamp_seconds";

/// How much is read of the file of an earlier run: what is of the run comes first.
const MOST_BYTES: u64 = 1 << 20;

/// How a run goes; none where nobody is told.
#[derive(Debug, Default)]
pub struct RunMetrics(Option<Running>);

#[derive(Debug)]
struct Running {
    command: &'static str,
    started: Instant,
    file: Option<MetricsFile>,
    /// The command that notifies.
    notify: Option<String>,
    dumps: RefCell<Vec<DumpMetrics>>,
    /// A line per dump.
    words: RefCell<String>,
}

#[derive(Debug)]
struct MetricsFile {
    path: PathBuf,
    /// When a run last succeeded, in seconds since 1970.
    last_success: Option<i64>,
}

/// The numbers of a dump.
#[derive(Debug)]
struct DumpMetrics {
    name: String,
    numbers: Vec<(&'static str, &'static str, u64)>,
    findings: Vec<(Severity, u64)>,
}

type Labels = Vec<(&'static str, String)>;

impl RunMetrics {
    /// Those of a command that begins.
    ///
    /// # Errors
    ///
    /// When the file is something else, or that of something else, or its directory is not there.
    pub fn begin(command: &Command) -> Result<Self> {
        let Some(Monitored { command, monitoring, others, raft_dir }) = command.monitored() else {
            return Ok(Self(None));
        };
        let file = match &monitoring.metrics_file {
            None => None,
            Some(given) => Some(MetricsFile::at(given, &others, raft_dir)?),
        };
        let notify = monitoring.notify_command.clone();
        if file.is_none() && notify.is_none() {
            return Ok(Self(None));
        }
        let (started, dumps, words) = (Instant::now(), RefCell::default(), RefCell::default());
        Ok(Self(Some(Running { command, started, file, notify, dumps, words })))
    }

    /// Takes the numbers of a dump.
    pub fn dump(&self, name: String, report: &Report) {
        let Some(running) = &self.0 else { return };
        let words = format!("{}: {}\n", printable(&name), verdict(report));
        running.words.borrow_mut().push_str(&words);
        running.dumps.borrow_mut().push(DumpMetrics::of(name, report));
    }

    /// Takes that one of several dumps cannot be read.
    pub fn unread(&self, error: &Error) {
        let Some(running) = &self.0 else { return };
        running.words.borrow_mut().push_str(&failure::in_words(error));
    }

    /// Writes the file, if there is to be one.
    ///
    /// # Errors
    ///
    /// When it cannot be written; that of an earlier run stays then.
    pub fn write(&self, exit_code: u8) -> Result<()> {
        let Some((running, file)) = self.0.as_ref().and_then(|run| Some((run, run.file.as_ref()?)))
        else {
            return Ok(());
        };
        let text = running.text(file, exit_code, now_ms() / 1000)?;
        // Whatever came there meanwhile stays.
        last_success(&file.path)?;
        write(&file.path, text.as_bytes())
            .with_context(|| format!("cannot write {}", file.path.display()))
            .help("what else the run had to do is done; the file of an earlier run stays")
    }

    /// Notifies of the end of the run, if anybody is to be; of what `failed`, if that ended it.
    ///
    /// # Errors
    ///
    /// As [`notify`].
    pub fn notify(&self, exit_code: u8, failed: Option<&str>) -> Result<()> {
        let Some((running, line)) =
            self.0.as_ref().and_then(|run| Some((run, run.notify.as_ref()?)))
        else {
            return Ok(());
        };
        let mut words = running.words.borrow_mut();
        words.insert_str(0, failed.unwrap_or_default());
        notify(line, &Ended { command: running.command, exit_code, message: &words })
    }
}

impl MetricsFile {
    fn at(given: &Path, others: &[&Path], raft_dir: Option<&Path>) -> Result<Self> {
        if fs::symlink_metadata(given).is_ok_and(|meta| meta.is_symlink()) && !given.exists() {
            return Err(Usage::error(
                format!("--metrics-file {} is a link that leads nowhere", given.display()),
                "name the file itself",
            ));
        }
        let path = resolved(given);
        if let Some(dir) = raft_dir.map(resolved).filter(|dir| path.starts_with(dir)) {
            return Err(Usage::error(
                format!("--metrics-file {} is in {}", given.display(), dir.display()),
                "give it another directory: nothing is written to the data of a node",
            ));
        }
        let is_taken =
            |other: &&Path| [resolved(other), Manifest::path_of(&resolved(other))].contains(&path);
        let is_manifest = path.as_os_str().as_encoded_bytes().ends_with(b".manifest.json");
        if given == Path::new("-") || is_manifest || others.iter().any(is_taken) {
            return Err(Usage::error(
                format!("--metrics-file {} is the name of something else", given.display()),
                "give it a name of its own, such as nightly.prom",
            ));
        }
        Ok(Self { last_success: last_success(&path)?, path })
    }
}

impl DumpMetrics {
    fn of(name: String, report: &Report) -> Self {
        let summary = &report.summary;
        let mut numbers = vec![
            ("dump_bytes", "Bytes of the dump, unpacked", summary.bytes),
            ("dump_lines", "Lines of the dump", summary.lines),
        ];
        // An increment has no snapshot.
        if summary.keys > 0 || summary.last_applied.is_some() {
            numbers.push(("dump_keys", "Keys in the snapshot of the dump", summary.keys));
        }
        numbers.push(("dump_log_entries", "Log entries in the dump", summary.log.entries));
        let optional = [
            (
                "dump_last_log_index",
                "The index of the last log entry that the dump holds",
                summary.last_log_id().map(|id| id.index),
            ),
            (
                "dump_last_applied_index",
                "The index of the last log entry that the snapshot holds",
                summary.last_applied.map(|id| id.index),
            ),
            (
                "dump_last_write_timestamp_seconds",
                "When the last write that the dump holds was made",
                summary.last_write_ms.map(|ms| ms / 1000),
            ),
        ];
        numbers.extend(
            optional.into_iter().filter_map(|(name, help, value)| Some((name, help, value?))),
        );
        let severities = [Severity::Error, Severity::Warning, Severity::Note];
        let findings =
            severities.map(|severity| (severity, report.findings.count_of(severity))).into();
        Self { name, numbers, findings }
    }
}

impl Running {
    fn text(&self, file: &MetricsFile, exit_code: u8, now: u64) -> Result<String> {
        let now = signed(now);
        let stem = file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let labels: Labels = vec![("command", self.command.to_owned()), ("name", stem)];
        let mut all = Registry::with_prefix(PREFIX);
        let last_success = if exit_code == 0 { Some(now) } else { file.last_success };
        for (name, help, value) in [
            ("run_exit_code", "The exit code of the last run", Some(i64::from(exit_code))),
            ("run_end_timestamp_seconds", "When the last run ended", Some(now)),
            (LAST_SUCCESS, "When a run last ended with exit code 0", last_success),
        ] {
            let Some(value) = value else { continue };
            let family = Family::<Labels, Gauge>::default();
            family.get_or_create(&labels).set(value);
            all.register(name, help, family);
        }
        let seconds = Family::<Labels, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
        seconds.get_or_create(&labels).set(self.started.elapsed().as_secs_f64());
        all.register("run_duration_seconds", "How long the last run took", seconds);
        self.register_dumps(&mut all, &labels);
        let mut text = String::new();
        encode(&mut text, &all)?;
        Ok(text)
    }

    fn register_dumps(&self, all: &mut Registry, labels: &Labels) {
        let dumps = self.dumps.borrow();
        let of = |dump: &DumpMetrics, more: Labels| {
            let mut labels = labels.clone();
            labels.push(("dump", dump.name.clone()));
            labels.extend(more);
            labels
        };
        let mut families: Vec<(&str, &str, Family<Labels, Gauge>)> = Vec::new();
        let mut set = |name, help, labels: Labels, value| {
            let known = families.iter().position(|(known, ..)| *known == name);
            let at = known.unwrap_or_else(|| {
                families.push((name, help, Family::default()));
                families.len() - 1
            });
            if let Some((_, _, family)) = families.get(at) {
                family.get_or_create(&labels).set(signed(value));
            }
        };
        for dump in dumps.iter() {
            for (name, help, value) in &dump.numbers {
                set(*name, *help, of(dump, Vec::new()), *value);
            }
            for (severity, count) in &dump.findings {
                let labels = of(dump, vec![("severity", severity.to_string())]);
                set("dump_findings", "What was found in the dump", labels, *count);
            }
        }
        for (name, help, family) in families {
            all.register(name, help, family);
        }
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// When a run last succeeded, by the file that it left; what is no such file is not replaced.
fn last_success(path: &Path) -> Result<Option<i64>> {
    let shown = path.display();
    let help = "name a file for --metrics-file that is not there yet, or that an earlier run has \
                written";
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => {
            return Err(Usage::error(format!("{shown} is not a file"), help));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = parent_of(path);
            if !parent.is_dir() {
                let what = format!("{shown}: there is no directory {}", parent.display());
                return Err(Usage::error(what, "create the directory first"));
            }
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
    }
    let mut text = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text))
        .with_context(|| format!("cannot read {shown}"))?;
    let text = String::from_utf8_lossy(&text);
    let samples: Vec<_> = text.lines().filter_map(sample).collect();
    let is_ours = |name: Option<&str>| name.is_some_and(|name| name.starts_with(PREFIX));
    if samples.is_empty() || !samples.iter().all(|sample| is_ours(sample["name"].as_str())) {
        return Err(Usage::error(format!("{shown} holds something else than metrics"), help));
    }
    let name = format!("{PREFIX}_{LAST_SUCCESS}");
    let found = samples.iter().find(|sample| sample["name"] == *name);
    Ok(found.and_then(|sample| sample["value"].as_i64()))
}

/// A path without links, but for a file that is not there yet.
fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| {
        let parent = fs::canonicalize(parent_of(path));
        parent
            .ok()
            .zip(path.file_name())
            .map_or_else(|| path.to_owned(), |(dir, name)| dir.join(name))
    })
}

/// Puts a file, which others may read, in the place of an older one in one step.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".databend-metactl-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(parent_of(path))?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
