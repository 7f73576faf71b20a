//! Prints a dump as that of a new cluster:
//! `cargo run --example rewrite -- FILE 1 1=localhost:28103,2=localhost:28203 > NEW`.
//!
//! The dump is in memory here. It need not be: any source that can be read twice will do.

use std::error::Error;
use std::io::Write;

use metadump::cluster::{InitialCluster, parse_members};
use metadump::record::NodeId;
use metadump::rewrite::{Disposition, LinePlan, LineRewriter, Planner, Request, SpliceError};
use metadump::scan::{ScannedLine, scan_line};
use metadump::{Line, LineFramer};

/// Rewrites a dump: the plan comes first, from all lines, then each line is kept or replaced.
fn rewrite(dump: &[u8], cluster: InitialCluster) -> Result<Vec<u8>, SpliceError> {
    let mut planner = Planner::new(Request { cluster: Some(cluster), ..Request::default() });
    each_record(dump, |line, scanned| {
        planner.line(line, scanned);
        Ok(())
    })?;
    let plan = planner.finish()?;
    for change in plan.changes().describe() {
        eprintln!("{change}");
    }
    let mut rewriter = plan.rewriter();
    let mut out = Vec::new();
    each_record(dump, |line, scanned| {
        if rewriter.line(line, scanned, &mut out)? == Disposition::Keep {
            out.extend_from_slice(line.bytes);
            if line.terminated {
                out.push(b'\n');
            }
        }
        Ok(())
    })?;
    rewriter.finish(&mut out)?;
    Ok(out)
}

/// Stops at a line that is no record: what it holds would be lost.
fn each_record(
    dump: &[u8],
    mut each: impl FnMut(&Line<'_>, &ScannedLine<'_>) -> Result<(), SpliceError>,
) -> Result<(), SpliceError> {
    let mut framer = LineFramer::default();
    let mut take = |line: Line<'_>| {
        let scanned =
            scan_line(line.bytes).map_err(|error| SpliceError::not_a_record(&line, error))?;
        each(&line, &scanned)
    };
    framer.feed(dump, &mut take)?;
    framer.finish(take)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, own_id, members] = arguments.as_slice() else {
        return Err("usage: rewrite FILE ID MEMBERS".into());
    };
    let cluster = InitialCluster::new(NodeId(own_id.parse()?), parse_members(members)?)?;
    std::io::stdout().write_all(&rewrite(&std::fs::read(path)?, cluster)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &[u8] = include_bytes!("../../tests/fixtures/v004/v004-origin.export.ndjson");

    fn cluster() -> InitialCluster {
        let members = parse_members("1=localhost:28103,2=localhost:28203").unwrap();
        InitialCluster::new(NodeId(2), members).unwrap()
    }

    #[test]
    fn the_new_dump_is_sound_and_of_the_new_cluster() {
        let new = rewrite(DUMP, cluster()).unwrap();
        let report = metadump::check(&new);
        assert!(report.findings.counts().is_empty(), "{:?}", report.findings);
        let text = String::from_utf8(new).unwrap();
        assert!(text.contains(r#"["raft_log",{"NodeId":2}]"#), "{text}");
        assert!(text.contains("28203"), "{text}");
    }

    #[test]
    fn keys_stay_byte_for_byte() {
        let new = rewrite(DUMP, cluster()).unwrap();
        let keys = |dump: &[u8]| -> Vec<String> {
            let text = String::from_utf8(dump.to_vec()).unwrap();
            text.lines().filter(|line| line.contains("GenericKV")).map(str::to_owned).collect()
        };
        assert_eq!(keys(&new), keys(DUMP));
        assert_eq!(keys(DUMP).len(), 67);
    }

    #[test]
    fn a_line_that_is_no_record_stops_it() {
        let dump = [DUMP, b"nonsense\n"].concat();
        let error = rewrite(&dump, cluster()).unwrap_err();
        assert!(matches!(error, SpliceError::NotARecord { line: 189, .. }), "{error}");
    }
}
