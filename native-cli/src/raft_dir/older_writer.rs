//! Writes what a V004 directory holds as a directory of V001, V002 or V003.
//!
//! | | raft state and log | state machine |
//! |---|---|---|
//! | V001 | sled | sled |
//! | V002 | sled | a file of lines |
//! | V003 | sled | a table |
//!
//! What has no place in the older version is counted, and told by who asked for it.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use metadump::dump_line;
use metadump::record::{
    DataHeader, DataVersion, Fact, Keyed, LogId, Record, StateMachineKey, StateMachineValue,
};
use metadump::rotbl::{RotblReader, SnapshotId, SysData, TableEntry};
use metadump::scan::scan_line;
use metadump::sled_writer::TreeNumber;
use metadump::stored::{Loss, Losses, Older, TooNew, put_line};
use metadump::wal::WalState;

use super::file_bytes::FileBytes;
use super::fingerprint::Fingerprint;
use super::holdings::Holdings;
use super::layout::{DF_META, RaftDir};
use super::reader::{Access, DirReader};
use super::sled_output::SledOutput;
use super::state_lines::StateLines;
use super::table_file::{Finished, KeyCounts, TableFile};
use super::v004_reader::V004Reader;
use crate::failure::WithHelp;
use crate::open_dir::OpenDir;

/// The snapshot of V002 until it is complete.
const UNFINISHED: &str = "unfinished";

/// What a directory holds, told by the lines that it is exported as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DirContent {
    /// All lines but those of keys and their expiry.
    lines: Fingerprint,
    /// Keys and their expiry.
    entries: Fingerprint,
    /// The extent of log and snapshot.
    pub holdings: Holdings,
}

impl DirContent {
    /// What a directory of any version holds.
    pub fn of(dir: &Path) -> Result<Self> {
        let mut content = Self::default();
        let reader = DirReader::open(&RaftDir::new(dir), Access::Stopped)?;
        reader.for_each_line(|line| {
            match scan_line(line.trim_ascii_end())?.record {
                Record::Expire(Keyed { key, value }) => {
                    content.entries.add_entry(&TableEntry::Expire(key, value));
                }
                Record::GenericKV(Keyed { key, value }) => {
                    content.entries.add_entry(&TableEntry::GenericKV(key, value));
                    content.holdings.keys += 1;
                }
                record => content.add_line(line, &record),
            }
            Ok(())
        })?;
        Ok(content)
    }

    fn add(&mut self, tree: &str, record: &Record<'_>) -> Result<()> {
        let mut line = Vec::new();
        dump_line::put(&mut line, tree, record)?;
        line.push(b'\n');
        self.add_line(&line, record);
        Ok(())
    }

    fn add_line(&mut self, line: &[u8], record: &Record<'_>) {
        self.lines.add_bytes(line);
        match record.fact() {
            Fact::Entry(entry) => self.holdings.add_entry(entry.log_id),
            Fact::LastApplied(id) => self.holdings.last_applied = Some(id),
            _ => {}
        }
    }
}

/// A directory of an older version that was written.
#[derive(Debug)]
pub struct OlderDir {
    /// What it is to hold.
    pub content: DirContent,
    /// What it could not take over.
    pub losses: Losses,
}

/// Writes a directory.
#[derive(Debug)]
pub struct OlderWriter<'a> {
    /// Where the records come from.
    pub v004: &'a V004Reader,
    /// The version of the dump that they came from before.
    pub from: DataVersion,
    /// The version to write.
    pub to: DataVersion,
    /// The directory, which has an empty `df_meta` and no database.
    pub root: &'a OpenDir,
    /// A directory for what is only needed meanwhile.
    pub scratch: &'a OpenDir,
    /// The time that the snapshot's name tells, milliseconds since 1970.
    pub now_ms: u64,
}

impl OlderWriter<'_> {
    /// Writes everything and syncs each file.
    ///
    /// # Errors
    ///
    /// When a log entry holds what servers of that version cannot read, and the state does not
    /// hold its effect.
    pub fn write(&self) -> Result<OlderDir> {
        let mut older = Older::new(self.from, self.to);
        let mut losses = Losses::default();
        let readable_after = readable_after(self.v004, self.from, self.to, &mut losses)?;
        let mut sled = SledOutput::create(self.root)?;
        let mut content = DirContent::default();
        content.add("header", &dump_line::v004_header())?;
        let header = sled.tree("header");
        let value = DataHeader::new(self.to);
        sled.put(header, &Record::DataHeader(Keyed { key: "header".into(), value }))?;
        self.write_raft(&mut sled, &mut older, readable_after, &mut content)?;
        self.write_machine(&mut sled, &mut older, &mut content)?;
        sled.finish()?;
        losses.add_all(older.losses());
        Ok(OlderDir { content, losses })
    }

    fn write_raft(
        &self,
        sled: &mut SledOutput,
        older: &mut Older,
        readable_after: Option<LogId>,
        content: &mut DirContent,
    ) -> Result<()> {
        let (raft_state, raft_log) = (sled.tree("raft_state"), sled.tree("raft_log"));
        let WalState { vote, committed, purged, user_data, .. } = *self.v004.log_state();
        let node_id = user_data.and_then(|data| data.node_id);
        let committed = committed.filter(|_| self.to >= DataVersion::V002);
        let purged = purged.max(readable_after);
        for record in [Record::NodeId(node_id), Record::Vote(vote), Record::Committed(committed)] {
            content.add("raft_log", &record)?;
            if let Some((_, record)) = older.record(record)? {
                sled.put(raft_state, &record)?;
            }
        }
        content.add("raft_log", &Record::Purged(purged))?;
        self.v004.for_each_entry(|line| {
            let record = scan_line(line.trim_ascii_end())?.record;
            if let Record::LogEntry(entry) = &record
                && Some(entry.log_id) <= readable_after
            {
                return Ok(());
            }
            if let Some((_, record)) = older.record(record)? {
                sled.put(raft_log, &record)?;
                if let Record::Logs(Keyed { value, .. }) = record {
                    content.add("raft_log", &Record::LogEntry(value))?;
                }
            }
            Ok(())
        })?;
        // Its key is greater than that of any entry.
        if let Some((_, record)) = older.record(Record::Purged(purged))? {
            sled.put(raft_log, &record)?;
        }
        Ok(())
    }

    fn write_machine(
        &self,
        sled: &mut SledOutput,
        older: &mut Older,
        content: &mut DirContent,
    ) -> Result<()> {
        let Some(known) = self.v004.sys_data() else { return Ok(()) };
        let mut sys_data = SysData {
            last_applied: known.last_applied,
            last_membership: known.last_membership.clone(),
            sequence: known.sequence,
            ..SysData::default()
        };
        for (id, node) in &known.nodes {
            let node = Record::Nodes(Keyed { key: *id, value: node.clone() });
            if let Some((_, Record::Nodes(Keyed { key, value }))) = older.record(node)? {
                sys_data.nodes.insert(key, value);
            }
        }
        let mut add = |line: &[u8]| {
            content.lines.add_bytes(line);
            Ok(())
        };
        StateLines::new(&mut add).put_sys_data(&sys_data)?;

        let id = SnapshotId::new(sys_data.last_applied, self.now_ms);
        let snapshots = self.snapshots()?;
        let is_table = self.to == DataVersion::V003;
        let table_dir = if is_table { &snapshots } else { self.scratch };
        let mut table = TableFile::create(table_dir.again()?, self.scratch.again()?)?;
        self.v004.for_each_table_entry(|entry| {
            let record = match entry {
                TableEntry::Expire(key, value) => Record::Expire(Keyed { key, value }),
                TableEntry::GenericKV(key, value) => Record::GenericKV(Keyed { key, value }),
            };
            match older.record(record)? {
                Some((_, Record::Expire(Keyed { key, value }))) => {
                    table.add(&TableEntry::Expire(key, value))
                }
                Some((_, Record::GenericKV(Keyed { key, value }))) => {
                    table.add(&TableEntry::GenericKV(key, value))
                }
                _ => Ok(()),
            }
        })?;
        let Finished { fingerprint, keys, .. } =
            table.finish(sys_data.clone(), KeyCounts::Omitted, &id)?;
        content.entries = fingerprint;
        content.holdings.keys = keys;
        content.holdings.last_applied = sys_data.last_applied;
        let table = || -> Result<FileBytes> {
            let file = table_dir.open_file(id.file_name())?.context("the table is gone")?;
            Ok(FileBytes::of(file)?)
        };
        match self.to {
            DataVersion::V0 | DataVersion::V001 => {
                let tree = sled.tree("state_machine/0");
                TreeMachine { sled, tree }.write(&sys_data, table()?)
            }
            DataVersion::V002 => write_lines(&snapshots, &id, &sys_data, table()?),
            DataVersion::V003 | DataVersion::V004 => Ok(()),
        }
    }

    /// Where the snapshots of the version are. V001 has none: what is written instead is only
    /// needed meanwhile.
    fn snapshots(&self) -> Result<OpenDir> {
        if self.to < DataVersion::V002 {
            return self.scratch.again();
        }
        let df_meta = self.root.subdir(DF_META)?.context("df_meta is gone")?;
        df_meta.create_dir(self.to.to_string())?.create_dir("snapshot")
    }
}

/// The last entry that servers of an older version cannot read: the log has to begin after it.
///
/// # Errors
///
/// When the state does not hold what the entry did.
pub(super) fn readable_after(
    v004: &V004Reader,
    from: DataVersion,
    to: DataVersion,
    losses: &mut Losses,
) -> Result<Option<LogId>> {
    let applied = v004.sys_data().and_then(|data| data.last_applied);
    let mut last = None;
    let (mut entries, mut left_out) = (0, 0);
    let mut refused = None;
    let mut older = Older::new(from, to);
    v004.for_each_entry(|line| {
        entries += 1;
        match older.record(scan_line(line.trim_ascii_end())?.record) {
            Err(TooNew { log_id, .. }) if Some(log_id) <= applied => {
                last = Some(log_id);
                // The log begins behind it, so those before it are left out, too.
                left_out = entries;
            }
            Err(too_new) => refused = refused.take().or(Some(too_new)),
            Ok(_) => {}
        }
        Ok(())
    })?;
    if let Some(too_new) = refused {
        return Err(too_new).help(
            "the snapshot does not hold yet what the entry did: `serve` the dump with \
             --admin-api-address, export it from there with --trigger-snapshot and the same \
             --admin-api-address, and take that dump",
        );
    }
    losses.add_times(Loss::Command, left_out);
    Ok(last)
}

/// The state machine as a tree.
struct TreeMachine<'a> {
    sled: &'a mut SledOutput,
    tree: TreeNumber,
}

impl TreeMachine<'_> {
    /// Writes everything in the order of the keys: nodes, what was applied, expiry, keys, and the
    /// sequence.
    fn write(mut self, sys_data: &SysData, table: FileBytes) -> Result<()> {
        for (id, node) in &sys_data.nodes {
            self.put(&Record::Nodes(Keyed { key: *id, value: node.clone() }))?;
        }
        for record in machine_meta(sys_data) {
            self.put(&record)?;
        }
        for_each_of(table, |record| self.put(record))?;
        self.put(&sequence(sys_data))
    }

    fn put(&mut self, record: &Record<'_>) -> Result<()> {
        self.sled.put(self.tree, record)
    }
}

/// Writes the snapshot of V002 in the order of a server's, but the expiry before the keys, as
/// later importers need it.
fn write_lines(dir: &OpenDir, id: &SnapshotId, sys_data: &SysData, table: FileBytes) -> Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, dir.create_file(UNFINISHED)?);
    let mut line = Vec::new();
    let mut put = |record: &Record<'_>| -> Result<()> {
        line.clear();
        put_line(record, &mut line)?;
        file.write_all(&line).context("cannot write the snapshot")
    };
    let value = DataHeader::new(DataVersion::V002);
    put(&Record::DataHeader(Keyed { key: "header".into(), value }))?;
    for record in machine_meta(sys_data) {
        put(&record)?;
    }
    put(&sequence(sys_data))?;
    for (id, node) in &sys_data.nodes {
        put(&Record::Nodes(Keyed { key: *id, value: node.clone() }))?;
    }
    for_each_of(table, &mut put)?;
    let file = file.into_inner().context("cannot write the snapshot")?;
    file.sync_all().context("cannot sync the snapshot")?;
    dir.rename(UNFINISHED, dir, id.file_name())
}

pub(super) fn machine_meta(sys_data: &SysData) -> impl Iterator<Item = Record<'static>> {
    let applied = sys_data
        .last_applied
        .map(|id| Keyed { key: StateMachineKey::LastApplied, value: StateMachineValue::LogId(id) });
    let membership = Keyed {
        key: StateMachineKey::LastMembership,
        value: StateMachineValue::Membership(sys_data.last_membership.clone()),
    };
    applied.into_iter().chain([membership]).map(Record::StateMachineMeta)
}

pub(super) fn sequence(sys_data: &SysData) -> Record<'static> {
    Record::Sequences(Keyed { key: "generic-kv".into(), value: sys_data.sequence })
}

/// Calls `each` with every key and expiry of a table, the expiry first.
fn for_each_of(table: FileBytes, mut each: impl FnMut(&Record<'_>) -> Result<()>) -> Result<()> {
    let table = RotblReader::open(table)?;
    table.for_each(|entry| -> Result<()> {
        each(&match entry {
            TableEntry::Expire(key, value) => Record::Expire(Keyed { key, value }),
            TableEntry::GenericKV(key, value) => Record::GenericKV(Keyed { key, value }),
        })
    })?;
    Ok(())
}
