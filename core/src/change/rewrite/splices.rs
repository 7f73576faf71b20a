//! A rewrite as splices: which bytes of the dump are replaced by what. Everything else is copied.

use serde::Serialize;

use super::lines::{Disposition, LinePlan, LineRewriter};
use super::{Plan, RewriteError, Rewriter};
use crate::dump::frame::Line;
use crate::dump::scan::{LineError, envelope, scan_line};

/// A stretch of the dump that is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Splice {
    /// The line in front of which the text goes, or the first that is left out.
    pub line: u64,
    /// How many lines are left out.
    pub lines_dropped: u64,
    /// The first byte that is left out.
    pub from_bytes: u64,
    /// The byte behind the last one that is left out; `from_bytes` when none is.
    pub to_bytes: u64,
    /// What is written instead.
    pub text: String,
}

/// A line that cannot be rewritten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpliceError {
    /// The line is no record: what it holds would be lost or misplaced.
    #[error("line {line}, byte {offset_bytes}: {error}")]
    NotARecord {
        /// The line, counted from 1.
        line: u64,
        /// The byte of the dump that is wrong, counted from 0.
        offset_bytes: u64,
        /// What it is instead.
        error: LineError,
    },
    /// The plan cannot be applied.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
}

impl SpliceError {
    /// A line that is no record, and why.
    pub const fn not_a_record(line: &Line<'_>, error: LineError) -> Self {
        let offset_bytes = line.offset_bytes.saturating_add(error.column());
        Self::NotARecord { line: line.number, offset_bytes, error }
    }
}

/// Applies a plan line by line and collects the splices.
#[derive(Debug)]
pub struct Splicer<'p> {
    rewriter: Rewriter<'p>,
    splices: Vec<Splice>,
    before: Vec<u8>,
    end: (u64, u64),
}

impl<'p> Splicer<'p> {
    /// Starts the second reading.
    pub fn new(plan: &'p Plan) -> Self {
        Self { rewriter: plan.rewriter(), splices: Vec::new(), before: Vec::new(), end: (1, 0) }
    }

    /// Takes the next line.
    ///
    /// # Errors
    ///
    /// When the line is no record, or a record cannot be written.
    pub fn line(&mut self, line: &Line<'_>) -> Result<(), SpliceError> {
        let to = line.offset_bytes + line.len_bytes();
        self.end = (line.number + 1, to);
        if envelope(line.bytes).is_some_and(|seen| self.rewriter.passes(line, &seen)) {
            self.rewriter.pass(line);
            return Ok(());
        }
        let scanned =
            scan_line(line.bytes).map_err(|error| SpliceError::not_a_record(line, error))?;
        self.before.clear();
        let disposition = self.rewriter.line(line, &scanned, &mut self.before)?;
        let (to, lines_dropped) = match disposition {
            Disposition::Drop => (to, 1),
            Disposition::Keep => (line.offset_bytes, 0),
        };
        let text = String::from_utf8_lossy(&self.before).into_owned();
        self.splice(Splice {
            line: line.number,
            lines_dropped,
            from_bytes: line.offset_bytes,
            to_bytes: to,
            text,
        });
        Ok(())
    }

    /// Ends the second reading; gives the splices in the order of the dump.
    ///
    /// # Errors
    ///
    /// When a record cannot be written.
    pub fn finish(mut self) -> Result<Vec<Splice>, SpliceError> {
        let (line, at) = self.end;
        let mut tail = Vec::new();
        let rewriter = self.rewriter;
        rewriter.finish(&mut tail)?;
        let text = String::from_utf8_lossy(&tail).into_owned();
        let last = Splice { line, lines_dropped: 0, from_bytes: at, to_bytes: at, text };
        add(&mut self.splices, last);
        Ok(self.splices)
    }

    fn splice(&mut self, splice: Splice) {
        add(&mut self.splices, splice);
    }
}

/// Adds a splice; one that starts where the last ends and has no text joins it.
fn add(splices: &mut Vec<Splice>, splice: Splice) {
    if splice.text.is_empty() && splice.from_bytes == splice.to_bytes {
        return;
    }
    match splices.last_mut() {
        Some(last) if last.to_bytes == splice.from_bytes && splice.text.is_empty() => {
            last.to_bytes = splice.to_bytes;
            last.lines_dropped += splice.lines_dropped;
        }
        _ => splices.push(splice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LineFramer;
    use crate::change::cluster::{InitialCluster, parse_member};
    use crate::change::rewrite::{ExpireIndex, Planner, Request};
    use crate::dump::record::NodeId;

    const DUMP: &str = concat!(
        r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#,
        "\n",
        r#"["raft_log",{"NodeId":1}]"#,
        "\n",
        r#"["raft_log",{"Purged":null}]"#,
        "\n",
        r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":0,"node_id":0},"index":0},"#,
        r#""payload":{"Membership":{"configs":[[1]],"nodes":{"1":{}}}}}}]"#,
        "\n",
        r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":9}}]"#,
        "\n",
        r#"["state_machine/0",{"StateMachineMeta":{"key":"LastApplied","value":{"LogId":"#,
        r#"{"leader_id":{"term":0,"node_id":0},"index":0}}}}]"#,
        "\n",
        r#"["state_machine/0",{"Expire":{"key":{"time_ms":5,"seq":5},"value":{"seq":1,"key":"k"}}}]"#,
        "\n",
        r#"["state_machine/0",{"GenericKV":{"key":"a","value":{"seq":2,"meta":{"expire_at":9},"#,
        r#""data":[1]}}}]"#,
    );

    fn each(dump: &str, mut each: impl FnMut(Line<'_>)) {
        let mut framer = LineFramer::default();
        let mut each = |line: Line<'_>| -> Result<(), ()> {
            each(line);
            Ok(())
        };
        framer.feed(dump.as_bytes(), &mut each).unwrap();
        framer.finish(&mut each).unwrap();
    }

    fn plan(request: Request) -> Plan {
        let mut planner = Planner::new(request);
        each(DUMP, |line| planner.line(&line, &scan_line(line.bytes).unwrap()));
        let mut plan = planner.finish().unwrap();
        each(DUMP, |line| plan.learn(&scan_line(line.bytes).unwrap()));
        plan
    }

    fn rewritten(plan: &Plan) -> Vec<u8> {
        let (mut rewriter, mut out) = (plan.rewriter(), Vec::new());
        each(DUMP, |line| {
            let scanned = scan_line(line.bytes).unwrap();
            if rewriter.line(&line, &scanned, &mut out).unwrap() == Disposition::Keep {
                out.extend_from_slice(line.bytes);
                out.extend(line.terminated.then_some(b'\n'));
            }
        });
        rewriter.finish(&mut out).unwrap();
        out
    }

    fn spliced(plan: &Plan) -> (Vec<u8>, usize) {
        let mut splicer = Splicer::new(plan);
        each(DUMP, |line| splicer.line(&line).unwrap());
        let splices = splicer.finish().unwrap();
        let (mut out, mut at) = (Vec::new(), 0);
        for splice in &splices {
            out.extend_from_slice(&DUMP.as_bytes()[at..splice.from_bytes as usize]);
            out.extend_from_slice(splice.text.as_bytes());
            at = splice.to_bytes as usize;
        }
        out.extend_from_slice(&DUMP.as_bytes()[at..]);
        (out, splices.len())
    }

    #[test]
    fn splices_give_the_bytes_of_the_rewriter() {
        let members = ["4=a:1", "5=b:2"].map(|text| parse_member(text).unwrap());
        let cluster = InitialCluster::new(NodeId(4), members).unwrap();
        for expire in [ExpireIndex::Keep, ExpireIndex::Repair] {
            for cluster in [None, Some(cluster.clone())] {
                let plan = plan(Request { cluster, expire, ..Request::default() });
                let (bytes, _) = spliced(&plan);
                assert_eq!(String::from_utf8(bytes), String::from_utf8(rewritten(&plan)));
            }
        }
    }

    #[test]
    fn nothing_is_spliced_when_nothing_changes() {
        let plan = plan(Request::default());
        assert_eq!(spliced(&plan), (DUMP.as_bytes().to_vec(), 0));
    }

    #[test]
    fn a_line_that_is_no_record_stops_the_rewrite() {
        let plan = plan(Request { expire: ExpireIndex::Repair, ..Request::default() });
        let mut splicer = Splicer::new(&plan);
        let line = Line::new(7, 70, b"[1", true);
        let error = splicer.line(&line).unwrap_err().to_string();
        assert_eq!(error.split_inclusive(':').next(), Some("line 7, byte 72:"), "{error}");
    }
}
