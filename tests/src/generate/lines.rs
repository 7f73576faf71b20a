//! The lines of a made-up dump, in the words and the order of each data version.

use std::io::{self, Write};

use metadump::value::{Decoded, MessageType};

use super::plan::{EXPIRY_GROUP, FILES, Plan};
use super::value::{self, Random};
use super::{DumpVersion, Written};

/// The nodes of the cluster; the first is the one that was exported.
const NODES: [u64; 3] = [1, 2, 3];

/// The leader whose entries are in the log, and the one before.
const LEADER: &str = r#"{"term":2,"node_id":2}"#;
const FORMER_LEADER: &str = r#"{"term":1,"node_id":1}"#;

const TENANT: &str = "acme";

/// Where lines go, and what they need to know.
pub(super) struct Lines<W> {
    version: DumpVersion,
    seed: u64,
    plan: Plan,
    out: W,
    written: Written,
}

/// One of the records that belong to a table, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TableRecord {
    /// The name, which leads to the id.
    Name,
    /// The id, which leads to the name.
    NameOfId,
    /// The table's metadata.
    Meta,
    /// Who owns it.
    Owner,
    /// A file that was loaded into it.
    File(u64),
}

impl TableRecord {
    const CREATED: [Self; 4] = [Self::Name, Self::NameOfId, Self::Meta, Self::Owner];

    /// Which of the table's log entries writes it.
    const fn entry(self) -> u64 {
        match self {
            Self::File(_) => 2,
            _ => 1,
        }
    }
}

impl<W: Write> Lines<W> {
    pub(super) const fn new(version: DumpVersion, seed: u64, plan: Plan, out: W) -> Self {
        let written = Written { bytes: 0, lines: 0 };
        Self { version, seed, plan, out, written }
    }

    pub(super) const fn written(&self) -> Written {
        self.written
    }

    /// Writes the whole dump.
    pub(super) fn all(&mut self) -> io::Result<()> {
        self.header_and_raft_state()?;
        self.log()?;
        self.state()
    }

    fn header_and_raft_state(&mut self) -> io::Result<()> {
        let header = self.header();
        self.line(&format!(r#"["header",{header}]"#))?;
        let committed = log_id(LEADER, self.plan.last_index());
        let vote = format!(r#"{{"leader_id":{LEADER},"committed":true}}"#);
        let [id, ..] = NODES;
        if self.version < DumpVersion::V004 {
            let mut state = |key: &str, value: String| {
                self.line(&format!(
                    r#"["raft_state",{{"RaftStateKV":{{"key":"{key}","value":{value}}}}}]"#
                ))
            };
            state("Id", format!(r#"{{"NodeId":{id}}}"#))?;
            state("HardState", format!(r#"{{"HardState":{vote}}}"#))?;
            return state("Committed", format!(r#"{{"Committed":{committed}}}"#));
        }
        let mut state =
            |kind: &str, value: &str| self.line(&format!(r#"["raft_log",{{"{kind}":{value}}}]"#));
        state("NodeId", &id.to_string())?;
        state("Vote", &vote)?;
        state("Committed", &committed)?;
        self.purged()
    }

    fn log(&mut self) -> io::Result<()> {
        self.entry(self.plan.first_index(), r#""Blank""#)?;
        for table in self.plan.log_tables() {
            let index = self.plan.entry_index(table, 0);
            let command = r#"{"UpsertKV":{"key":"__fd_id_gen/table_id","seq":{"GE":0},"value":{"Update":[]},"value_meta":null}}"#;
            self.command(index, command)?;
            self.transaction(table, &TableRecord::CREATED)?;
            let files: Vec<TableRecord> = (0..FILES).map(TableRecord::File).collect();
            self.transaction(table, &files)?;
        }
        if self.version < DumpVersion::V004 { self.purged() } else { Ok(()) }
    }

    fn state(&mut self) -> io::Result<()> {
        if self.version == DumpVersion::V002 {
            let header = self.header();
            self.state_line(&header)?;
            self.applied()?;
            self.sequences()?;
            self.nodes()?;
            self.keys()?;
            return self.expiry();
        }
        self.sequences()?;
        self.applied()?;
        self.nodes()?;
        self.expiry()?;
        self.keys()
    }

    fn header(&self) -> String {
        let version = self.version;
        let upgrading = if version < DumpVersion::V004 { r#","upgrading":null"# } else { "" };
        format!(
            r#"{{"DataHeader":{{"key":"header","value":{{"version":"{version}"{upgrading}}}}}}}"#
        )
    }

    fn purged(&mut self) -> io::Result<()> {
        let purged = log_id(FORMER_LEADER, self.plan.first_index() - 1);
        self.line(&if self.version < DumpVersion::V004 {
            format!(
                r#"["raft_log",{{"LogMeta":{{"key":"LastPurged","value":{{"LogId":{purged}}}}}}}]"#
            )
        } else {
            format!(r#"["raft_log",{{"Purged":{purged}}}]"#)
        })
    }

    fn sequences(&mut self) -> io::Result<()> {
        let last = self.plan.sequence();
        self.state_line(&format!(r#"{{"Sequences":{{"key":"generic-kv","value":{last}}}}}"#))
    }

    fn applied(&mut self) -> io::Result<()> {
        let applied = log_id(LEADER, self.plan.last_applied_index());
        self.state_line(&format!(
            r#"{{"StateMachineMeta":{{"key":"LastApplied","value":{{"LogId":{applied}}}}}}}"#
        ))?;
        let ids = NODES.map(|id| id.to_string()).join(",");
        let nodes = NODES.map(|id| format!(r#""{id}":{{}}"#)).join(",");
        let since = log_id(FORMER_LEADER, 8);
        self.state_line(&format!(
            r#"{{"StateMachineMeta":{{"key":"LastMembership","value":{{"Membership":{{"log_id":{since},"membership":{{"configs":[[{ids}]],"nodes":{{{nodes}}}}}}}}}}}}}"#
        ))
    }

    fn nodes(&mut self) -> io::Result<()> {
        for id in NODES {
            self.state_line(&format!(
                r#"{{"Nodes":{{"key":{id},"value":{{"name":"{id}","endpoint":{{"addr":"meta-{id}.example.com","port":28103}},"grpc_api_advertise_address":"meta-{id}.example.com:9191"}}}}}}"#
            ))?;
        }
        Ok(())
    }

    /// The expiry index, in the order of time and sequence number.
    fn expiry(&mut self) -> io::Result<()> {
        for first in (0..self.plan.expiring()).step_by(EXPIRY_GROUP as usize) {
            let ranks = first..(first + EXPIRY_GROUP).min(self.plan.expiring());
            let mut group: Vec<(u64, u64)> =
                ranks.map(|rank| self.plan.expiring_file(rank)).collect();
            group.sort_unstable();
            for (table, file) in group {
                let Some(time_ms) = self.plan.expiry_ms(table, file) else {
                    continue;
                };
                let record = TableRecord::File(file);
                let seq = self.seq(table, record);
                let own_seq = match self.version {
                    DumpVersion::V002 => String::new(),
                    DumpVersion::V003 | DumpVersion::V004 => format!(r#""seq":{seq},"#),
                };
                let key = self.key(table, record);
                self.state_line(&format!(
                    r#"{{"Expire":{{"key":{{"time_ms":{time_ms},"seq":{seq}}},"value":{{{own_seq}"key":"{key}"}}}}}}"#
                ))?;
            }
        }
        Ok(())
    }

    /// The keys, in the order of their bytes.
    fn keys(&mut self) -> io::Result<()> {
        self.databases()?;
        let last_database = self.plan.database_id(self.plan.databases - 1);
        self.early_key("__fd_id_gen/database_id", last_database, "[]")?;
        let last_table = self.plan.table_id(self.plan.tables - 1);
        let created = self.plan.entry_index(self.plan.tables - 1, 0);
        self.key_line("__fd_id_gen/table_id", last_table, created, None, "[]")?;
        let tables = 0..self.plan.tables;
        for table in tables.clone() {
            self.table_key(table, TableRecord::Owner)?;
        }
        for table in tables.clone() {
            self.table_key(table, TableRecord::Name)?;
        }
        for table in tables.clone() {
            self.table_key(table, TableRecord::Meta)?;
        }
        for table in tables.clone() {
            for file in 0..FILES {
                self.table_key(table, TableRecord::File(file))?;
            }
        }
        for table in tables {
            self.table_key(table, TableRecord::NameOfId)?;
        }
        for user in 0..self.plan.users {
            let key = format!("__fd_users/{TENANT}/%27u{user:010}%27%40%27%25%27");
            let seq = self.plan.user_seq(user);
            let data = array(&value::user(&mut self.random(seq), &format!("u{user:010}")));
            self.early_key(&key, seq, &data)?;
        }
        Ok(())
    }

    fn databases(&mut self) -> io::Result<()> {
        let all = 0..self.plan.databases;
        for database in all.clone() {
            let id = self.plan.database_id(database);
            let key = format!("__fd_database/{TENANT}/db{database:08}");
            self.early_key(&key, id + 1, &text(&id.to_string()))?;
        }
        for database in all.clone() {
            let id = self.plan.database_id(database);
            let data = array(&value::database_meta(&mut self.random(id + 2)));
            self.early_key(&format!("__fd_database_by_id/{id}"), id + 2, &data)?;
        }
        for database in all {
            let id = self.plan.database_id(database);
            let name = format!(r#"{{"tenant":"{TENANT}","name":"db{database:08}"}}"#);
            let data = message("TIdent", &name);
            self.early_key(&format!("__fd_database_id_to_name/{id}"), id + 3, &data)?;
        }
        Ok(())
    }

    /// A key that was written before any table.
    fn early_key(&mut self, key: &str, seq: u64, data: &str) -> io::Result<()> {
        self.key_line(key, seq, 0, None, data)
    }

    fn table_key(&mut self, table: u64, record: TableRecord) -> io::Result<()> {
        let key = self.key(table, record);
        let expiry_ms = self.expiry_ms(table, record);
        let index = self.plan.entry_index(table, record.entry());
        let data = self.data(table, record);
        self.key_line(&key, self.seq(table, record), index, expiry_ms, &data)
    }

    fn key_line(
        &mut self,
        key: &str,
        seq: u64,
        index: u64,
        expiry_ms: Option<u64>,
        data: &str,
    ) -> io::Result<()> {
        let meta = if self.version < DumpVersion::V004 {
            let seconds = expiry_ms.map_or("null".to_owned(), |ms| (ms / 1000).to_string());
            format!(r#""expire_at":{seconds}"#)
        } else {
            let expiry = expiry_ms.map(|ms| format!(r#""expire_at":{ms},"#)).unwrap_or_default();
            format!(r#"{expiry}"proposed_at_ms":{}"#, self.plan.clock_ms(index))
        };
        let head = format!(
            r#"["state_machine/0",{{"GenericKV":{{"key":"{key}","value":{{"seq":{seq},"meta":{{{meta}}},"data":"#
        );
        self.parts(&[head.as_bytes(), data.as_bytes(), b"}}}]"])
    }

    /// One transaction that creates records of a table.
    fn transaction(&mut self, table: u64, records: &[TableRecord]) -> io::Result<()> {
        let Some(first) = records.first() else {
            return Ok(());
        };
        let index = self.plan.entry_index(table, first.entry());
        let clock_ms = self.plan.clock_ms(index);
        let guarded = self.key(table, *first);
        let mut command = format!(
            r#"{{"Transaction":{{"condition":[{{"key":"{guarded}","expected":0,"target":{{"Seq":0}}}}],"if_then":["#
        );
        for (at, record) in records.iter().enumerate() {
            if at > 0 {
                command.push(',');
            }
            let key = self.key(table, *record);
            let data = self.data(table, *record);
            let expiry = match (self.version, self.expiry_ms(table, *record)) {
                (_, None) => r#""expire_at":null"#.to_owned(),
                (DumpVersion::V004, Some(ms)) if table.is_multiple_of(2) => {
                    format!(r#""expire_at":null,"ttl_ms":{}"#, ms - clock_ms)
                }
                (DumpVersion::V004, Some(ms)) => format!(r#""expire_at":{ms}"#),
                (_, Some(ms)) => format!(r#""expire_at":{}"#, ms / 1000),
            };
            let match_seq =
                if self.version < DumpVersion::V004 { "" } else { r#","match_seq":null"# };
            command.push_str(&format!(
                r#"{{"request":{{"Put":{{"key":"{key}","value":{data},"prev_value":true,{expiry}{match_seq}}}}}}}"#
            ));
        }
        command.push_str(r#"],"else_then":[]}}"#);
        self.command(index, &command)
    }

    fn command(&mut self, index: u64, command: &str) -> io::Result<()> {
        let txid = if self.version < DumpVersion::V004 { r#""txid":null,"# } else { "" };
        let clock_ms = self.plan.clock_ms(index);
        self.entry(
            index,
            &format!(r#"{{"Normal":{{{txid}"time_ms":{clock_ms},"cmd":{command}}}}}"#),
        )
    }

    fn entry(&mut self, index: u64, payload: &str) -> io::Result<()> {
        let id = log_id(LEADER, index);
        if self.version < DumpVersion::V004 {
            let head = format!(
                r#"["raft_log",{{"Logs":{{"key":{index},"value":{{"log_id":{id},"payload":"#
            );
            return self.parts(&[head.as_bytes(), payload.as_bytes(), b"}}}]"]);
        }
        let head = format!(r#"["raft_log",{{"LogEntry":{{"log_id":{id},"payload":"#);
        self.parts(&[head.as_bytes(), payload.as_bytes(), b"}}]"])
    }

    const fn seq(&self, table: u64, record: TableRecord) -> u64 {
        let id = self.plan.table_id(table);
        match record {
            TableRecord::Name => id + 1,
            TableRecord::NameOfId => id + 2,
            TableRecord::Meta => id + 3,
            TableRecord::Owner => id + 4,
            TableRecord::File(file) => self.plan.file_seq(table, file),
        }
    }

    /// A record's key. Whatever is random in it comes after a number of fixed width, so that
    /// keys sort as their positions do.
    fn key(&self, table: u64, record: TableRecord) -> String {
        let id = self.plan.table_id(table);
        match record {
            TableRecord::Name => {
                let database = self.plan.database_id(self.plan.database_of(table));
                format!("__fd_table/{database}/t{table:010}")
            }
            TableRecord::NameOfId => format!("__fd_table_id_to_name/{id}"),
            TableRecord::Meta => format!("__fd_table_by_id/{id}"),
            TableRecord::Owner => format!("__fd_object_owners/{TENANT}/table-by-id/{id}"),
            TableRecord::File(file) => {
                let mut random = Random::new(!self.seed, self.seq(table, record));
                let (high, low) = (random.next(), random.next());
                format!(
                    "__fd_table_copied_files/{id}/sales%2f2026%2f06%2fpart%2d{file:05}%2d{high:016x}{low:016x}%2dc000%2esnappy%2eparquet"
                )
            }
        }
    }

    fn data(&self, table: u64, record: TableRecord) -> String {
        let seq = self.seq(table, record);
        match record {
            TableRecord::Name => text(&self.plan.table_id(table).to_string()),
            TableRecord::NameOfId => {
                let database = self.plan.database_id(self.plan.database_of(table));
                let name = format!(r#"{{"db_id":{database},"table_name":"t{table:010}"}}"#);
                message("DbIdTableName", &name)
            }
            TableRecord::Meta => array(&value::table_meta(&mut self.random(seq))),
            TableRecord::Owner => message("OwnershipInfo", r#"{"role":"account_admin"}"#),
            TableRecord::File(_) => array(&value::copied_file(&mut self.random(seq))),
        }
    }

    fn random(&self, seq: u64) -> Random {
        Random::new(self.seed, seq)
    }

    fn expiry_ms(&self, table: u64, record: TableRecord) -> Option<u64> {
        match record {
            TableRecord::File(file) => self.plan.expiry_ms(table, file),
            _ => None,
        }
    }

    fn state_line(&mut self, entry: &str) -> io::Result<()> {
        self.parts(&[br#"["state_machine/0","#, entry.as_bytes(), b"]"])
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        self.parts(&[line.as_bytes()])
    }

    fn parts(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        for part in parts {
            self.out.write_all(part)?;
            self.written.bytes += part.len() as u64;
        }
        self.out.write_all(b"\n")?;
        self.written.bytes += 1;
        self.written.lines += 1;
        Ok(())
    }
}

fn log_id(leader: &str, index: u64) -> String {
    format!(r#"{{"leader_id":{leader},"index":{index}}}"#)
}

fn text(text: &str) -> String {
    array(text.as_bytes())
}

/// A message of a type, from its JSON.
fn message(of: &str, json: &str) -> String {
    let of = MessageType::named(of).map(|of| Decoded::from_json(of, json));
    let bytes = of.and_then(Result::ok).map(|message| message.write());
    array(&bytes.unwrap_or_default())
}

fn array(bytes: &[u8]) -> String {
    let mut data = String::new();
    value::array(&mut data, bytes);
    data
}
