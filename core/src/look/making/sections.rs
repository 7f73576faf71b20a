//! The new dump where its keys are in another order than those of the old one: lines as they come, and
//! keys in runs that are to be merged.

use crate::change::redact::Run;
use crate::dump::record::Record;
use crate::dump::scan::scan_line;

/// How much memory a run takes.
const RUN_BYTES: usize = 16 << 20;

/// What comes next in the new dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Section {
    /// Lines. Empty ones stand between the runs of two state machines.
    Lines(Vec<u8>),
    /// Keys, packed for a [`Merge`](crate::redact::Merge) with the runs beside it.
    Run(Vec<u8>),
}

/// Puts lines into sections.
#[derive(Debug, Default)]
pub struct Sections {
    run: Run,
    /// The tree of the keys that are sorted.
    tree: String,
    has_runs: bool,
    lines: Vec<u8>,
    ready: Vec<Section>,
}

impl Sections {
    /// Takes the next line of the new dump, without its line end.
    pub fn line(&mut self, line: &[u8], terminated: bool) {
        if let Ok(scanned) = scan_line(line)
            && let Record::GenericKV(kv) = &scanned.record
        {
            if *self.tree != *scanned.tree_name {
                self.end_keys();
                self.tree = scanned.tree_name.as_str().to_owned();
            }
            self.end_lines();
            self.run.add(&kv.key, line);
            if self.run.bytes() >= RUN_BYTES {
                self.end_run();
            }
            return;
        }
        self.end_keys();
        self.lines.extend_from_slice(line);
        self.lines.extend(terminated.then_some(b'\n'));
    }

    /// Gives the sections that are ready.
    pub fn take(&mut self) -> Vec<Section> {
        self.end_lines();
        std::mem::take(&mut self.ready)
    }

    /// Gives the last sections.
    pub fn finish(&mut self) -> Vec<Section> {
        self.end_run();
        self.take()
    }

    fn end_lines(&mut self) {
        if !self.lines.is_empty() {
            self.ready.push(Section::Lines(std::mem::take(&mut self.lines)));
        }
    }

    fn end_run(&mut self) {
        if !self.run.is_empty() {
            self.ready.push(Section::Run(self.run.take_packed()));
            self.has_runs = true;
        }
    }

    fn end_keys(&mut self) {
        self.end_run();
        if std::mem::take(&mut self.has_runs) {
            self.ready.push(Section::Lines(Vec::new()));
        }
    }
}
