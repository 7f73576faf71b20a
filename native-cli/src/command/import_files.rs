//! The files that an import puts in place: a dump as a directory of the version that is asked for,
//! complete, read back, and with what should be known of it.

use anyhow::Result;
use metadump::Report;
use metadump::check::Summary;
use metadump::cluster::{InitialCluster, Leftovers};
use metadump::record::DataVersion;

use super::admission::{Admission, Incoming};
use super::restoring::{Restored, Restoring};
use crate::dump_writer::now_ms;
use crate::input::Source;
use crate::open_dir::OpenDir;
use crate::progress::Progress;
use crate::raft_dir::{DirContent, Holdings, OlderDir, OlderWriter, V004Reader};
use crate::report::{let_in_with, plural};

/// What an import writes, wherever it writes it.
pub struct ImportFiles<'a> {
    /// Which dumps are accepted.
    pub admission: &'a Admission<'a>,
    /// The dump.
    pub source: &'a Source,
    /// The dump's name for messages.
    pub name: &'a str,
    /// The new cluster, if any.
    pub cluster: Option<&'a InitialCluster>,
    /// The version of the directory.
    pub version: DataVersion,
    /// What was found in what the dump was made of, if it was.
    pub made_of: Option<&'a Report>,
}

/// What was written.
pub struct Imported {
    /// What was found in the dump.
    pub report: Report,
    /// How many lines are no records, and are not in the files.
    pub dropped: u64,
    /// What should be known of the import, a line each.
    pub remarks: Vec<String>,
    /// What the files hold.
    pub holdings: Holdings,
    /// What of the old cluster went, when there is a new one.
    pub leftovers: Leftovers,
}

impl Imported {
    /// `read 188 lines, 165,456 bytes; dropped 2 lines`
    pub fn read(&self) -> String {
        let Summary { lines, bytes, .. } = self.report.summary;
        let read = format!("read {}, {}", plural(lines, "line"), plural(bytes, "byte"));
        match self.dropped {
            0 => read,
            dropped => format!("{read}; dropped {}", plural(dropped, "line")),
        }
    }
}

impl ImportFiles<'_> {
    /// Writes the files into an empty directory, syncs each, and reads them back.
    ///
    /// # Errors
    ///
    /// When the dump is not let in, cannot be read, or the files cannot be written.
    pub fn write(&self, place: &OpenDir, progress: &Progress) -> Result<Imported> {
        let Self { admission, source, name, cluster, version, made_of } = *self;
        progress.phase("importing");
        let df_meta = place.create_dir("df_meta")?;
        // The dump is written as V004 first: that sorts it, fills its gaps and makes it a new
        // cluster.
        let is_v004 = version == DataVersion::V004;
        let v004 = if is_v004 { df_meta } else { place.create_dir(V004)? };
        let incoming = Incoming::Dump(source);
        let restoring =
            Restoring { admission, incoming, name, cluster, df_meta: &v004, scratch: place };
        let restored = restoring.write(progress)?;
        let mut remarks = restored.lost();
        let Restored { report, dropped, reader, mut holdings, leftovers, .. } = restored;
        if !is_v004 {
            let from = report.summary.version.unwrap_or(DataVersion::V004);
            let older = Older { admission, from, version, v004: &v004, place };
            let (written, lost) = older.write(&reader, progress)?;
            holdings = written;
            remarks.extend(lost);
        }
        remarks.extend(let_in_with(made_of.unwrap_or(&report)));
        Ok(Imported { report, dropped: dropped.count(), remarks, holdings, leftovers })
    }
}

/// Where the V004 form of an older version is, for as long as it is needed.
const V004: &str = "v004";

/// Writing a data version before V004.
struct Older<'a> {
    admission: &'a Admission<'a>,
    from: DataVersion,
    version: DataVersion,
    v004: &'a OpenDir,
    place: &'a OpenDir,
}

impl Older<'_> {
    /// Writes the older version beside its `df_meta`, and removes the V004 one. Gives what it
    /// holds, and what is lost.
    fn write(&self, reader: &V004Reader, progress: &Progress) -> Result<(Holdings, Vec<String>)> {
        let Self { admission, from, version, v004, place } = *self;
        progress.phase("converting");
        let OlderDir { content, losses } = OlderWriter {
            v004: reader,
            from,
            to: version,
            root: place,
            scratch: v004,
            now_ms: now_ms(),
        }
        .write()?;
        admission.refuse_losses(&losses, version)?;
        place.remove(V004)?;
        progress.phase("verifying");
        anyhow::ensure!(
            DirContent::of(place.path())? == content,
            "what was written cannot be read back; {}",
            admission.kept
        );
        let lost =
            losses.iter().map(|(loss, count)| format!("lost: {loss} ({})", plural(count, "time")));
        Ok((content.holdings, lost.collect()))
    }
}
