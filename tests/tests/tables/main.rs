//! `--to parquet`: tables that say what the commands print as JSON, read back by the library that other
//! engines read Parquet with.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod failing;
mod filing;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use metadump::moment::At;
use metadump_tests::fixtures::{content, fixture};
use metadump_tests::metactl::{Ran, command};
use metadump_tests::tree::names;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::printer::print_schema;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The day of the last write of the engine's dump.
const DAY: &str = "2026-11-28";

/// The time of that write.
const LAST_WRITE_MS: u64 = 1_795_879_643_754;

/// A row, its moments as milliseconds.
type Row = BTreeMap<String, Value>;

/// A folder with the dump of an engine, `e895.db`.
fn place() -> TempDir {
    let place = TempDir::new().unwrap();
    let dump = content(&fixture("engine/e895.server-export.ndjson.gz")).unwrap();
    fs::write(place.path().join("e895.db"), dump).unwrap();
    place
}

fn run_in(place: &Path, line: &str) -> Ran {
    command(line.split_whitespace()).current_dir(place).output().unwrap().into()
}

/// Runs a command line that is to end with a code; gives what it said on stderr.
#[track_caller]
fn said(place: &Path, line: &str, code: i32) -> String {
    let ran = run_in(place, line);
    assert_eq!(ran.code, Some(code), "{line}: {}", ran.stderr);
    assert!(ran.stdout.is_empty(), "{line}");
    ran.stderr
}

/// The objects that a command line prints, one a line.
#[track_caller]
fn objects(place: &Path, line: &str) -> Vec<Value> {
    let ran = run_in(place, &format!("{line} --format json"));
    assert!(matches!(ran.code, Some(0 | 1)), "{line}: {}", ran.stderr);
    let stdout = String::from_utf8(ran.stdout).unwrap();
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn file(place: &Path, table: &str, cluster: &str, day: &str, dump: &str) -> PathBuf {
    let dir = place.join(format!("lake/{table}/cluster={cluster}/day={day}"));
    let is_of_dump = |name: &str| {
        let time = name.strip_prefix(dump).and_then(|rest| rest.strip_suffix(".parquet"));
        time.is_some_and(|time| time.len() == ".20261128T152723Z".len())
    };
    let found = if dir.exists() { names(&dir) } else { Vec::new() };
    let found = found.into_iter().find(|name| is_of_dump(name));
    dir.join(found.unwrap_or_else(|| format!("{dump}.20261128T152723Z.parquet")))
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => json!(flag),
        Field::ULong(number) => json!(number),
        Field::TimestampMillis(ms) => json!(ms),
        Field::Str(text) => json!(text),
        other => panic!("{other:?}"),
    }
}

fn rows(path: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    let row = |row: parquet::record::Row| {
        row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
    };
    rows.map(|found| row(found.unwrap())).collect()
}

/// The rows of a table of `e895.db`, of the cluster `prod`, without the first column.
fn table(place: &Path, name: &str) -> Vec<Row> {
    table_of(LAST_WRITE_MS, place, name)
}

/// The same of a state that was taken at a time.
fn table_of(taken_at_ms: u64, place: &Path, name: &str) -> Vec<Row> {
    let mut rows = rows(&file(place, name, "prod", DAY, "e895.db"));
    for row in &mut rows {
        assert_eq!(row.remove("taken_at"), Some(json!(taken_at_ms)));
    }
    rows
}

fn parsed(json: &Value) -> Value {
    json.as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

/// A time as servers write it, in milliseconds.
fn ms(text: &Value) -> Value {
    let Some(text) = text.as_str() else { return Value::Null };
    assert!(text.contains('.'), "{text}");
    let Ok(At::Time { first_ms, .. }) = At::parse(text) else { panic!("{text}") };
    json!(first_ms)
}

/// The flags of `objects` that list those of every kind that a dump has.
fn kinds(place: &Path) -> String {
    let tenants = objects(place, "objects e895.db");
    let kinds = tenants.iter().flat_map(|tenant| tenant["kinds"].as_object().unwrap().keys());
    let kinds = BTreeSet::from_iter(kinds.filter(|kind| *kind != "unknown"));
    Vec::from_iter(kinds.iter().map(|kind| format!("--kind {kind}"))).join(" ")
}

#[test]
fn tables_say_what_the_commands_print() {
    let place = place();
    let place = place.path();
    said(place, "rewrite e895.db --to parquet --output lake --cluster prod", 0);

    let printed = objects(place, "keys e895.db");
    let keys = table(place, "keys");
    assert_eq!(keys.len(), printed.len());
    for (row, printed) in keys.iter().zip(&printed) {
        let of_row = json!({
            "key": row["key"],
            "seq": row["seq"],
            "expire_at_ms": row["expire_at"],
            "bytes": row["bytes"],
            "form": row["form"],
            "error": row["error"],
            "value": parsed(&row["value"]),
        });
        assert_eq!(&of_row, printed);
    }

    let printed = objects(place, "log e895.db");
    let log = table(place, "log");
    assert_eq!(log.len(), printed.len());
    for (row, printed) in log.iter().zip(&printed) {
        let of_row = json!({
            "log_id": {
                "leader_id": { "term": row["term"], "node_id": row["node_id"] },
                "index": row["log_index"],
            },
            "time_ms": row["proposed_at"],
            "command": row["command"],
            "is_committed": row["is_committed"],
            "outcome": row["outcome"],
            "effects": parsed(&row["effects"]),
        });
        assert_eq!(&of_row, printed);
    }
    let text = String::from_utf8(run_in(place, "log e895.db").stdout).unwrap();
    for (row, line) in log.iter().zip(text.lines()) {
        assert!(line.ends_with(row["did"].as_str().unwrap()), "{line}");
    }

    let known = objects(place, &format!("objects e895.db {}", kinds(place)));
    let found = table(place, "objects");
    assert_eq!(found.len(), known.len());
    for (row, printed) in found.iter().zip(&known) {
        let mut printed = printed.as_object().unwrap().clone();
        for time in ["created_on", "updated_on", "dropped_on"] {
            printed[time] = ms(&printed[time]);
        }
        assert_eq!(row, &Row::from_iter(printed));
    }
    // What a key belongs to is an object of the table, or none that has a table of its own.
    let named =
        |row: &Row| ["tenant", "kind", "id", "database", "name"].map(|name| row[name].clone());
    let of_objects = Vec::from_iter(found.iter().map(named));
    let owned = keys.iter().filter(|row| of_objects.contains(&named(row))).count() as u64;
    assert_eq!(owned, found.iter().map(|row| row["keys"].as_u64().unwrap()).sum::<u64>());

    let [validated] = <[Value; 1]>::try_from(objects(place, "validate e895.db")).unwrap();
    let findings = table(place, "findings");
    let listed = validated["findings"].as_array().unwrap();
    assert_eq!(findings.len(), listed.len());
    for (row, listed) in findings.iter().zip(listed) {
        for member in ["code", "severity", "line", "offset_bytes", "message", "help"] {
            assert_eq!(row[member], listed[member], "{member}");
        }
        assert_eq!(row["times"], 1);
    }
}

#[test]
fn types_are_those_that_engines_read() {
    let place = place();
    said(place.path(), "rewrite e895.db --to parquet --output lake --cluster prod", 0);
    for (table, expected) in [
        (
            "keys",
            "message table {
  REQUIRED INT64 taken_at (TIMESTAMP(MILLIS,true));
  OPTIONAL BYTE_ARRAY tenant (STRING);
  OPTIONAL BYTE_ARRAY kind (STRING);
  OPTIONAL INT64 id (INTEGER(64,false));
  OPTIONAL BYTE_ARRAY database (STRING);
  OPTIONAL BYTE_ARRAY name (STRING);
  REQUIRED BYTE_ARRAY key (STRING);
  REQUIRED INT64 seq (INTEGER(64,false));
  OPTIONAL INT64 expire_at (TIMESTAMP(MILLIS,true));
  REQUIRED INT64 bytes (INTEGER(64,false));
  REQUIRED BYTE_ARRAY form (STRING);
  OPTIONAL BYTE_ARRAY error (STRING);
  OPTIONAL BYTE_ARRAY value (JSON);
}
",
        ),
        (
            "log",
            "message table {
  REQUIRED INT64 taken_at (TIMESTAMP(MILLIS,true));
  REQUIRED INT64 log_index (INTEGER(64,false));
  REQUIRED INT64 term (INTEGER(64,false));
  REQUIRED INT64 node_id (INTEGER(64,false));
  OPTIONAL INT64 proposed_at (TIMESTAMP(MILLIS,true));
  REQUIRED BYTE_ARRAY command (STRING);
  REQUIRED BOOLEAN is_committed;
  REQUIRED BYTE_ARRAY outcome (STRING);
  REQUIRED BYTE_ARRAY did (STRING);
  REQUIRED BYTE_ARRAY effects (JSON);
}
",
        ),
        (
            "objects",
            "message table {
  REQUIRED INT64 taken_at (TIMESTAMP(MILLIS,true));
  OPTIONAL BYTE_ARRAY tenant (STRING);
  REQUIRED BYTE_ARRAY kind (STRING);
  OPTIONAL INT64 id (INTEGER(64,false));
  OPTIONAL BYTE_ARRAY database (STRING);
  OPTIONAL INT64 parent_id (INTEGER(64,false));
  OPTIONAL BYTE_ARRAY name (STRING);
  REQUIRED INT64 keys (INTEGER(64,false));
  REQUIRED INT64 bytes (INTEGER(64,false));
  OPTIONAL INT64 created_on (TIMESTAMP(MILLIS,true));
  OPTIONAL INT64 updated_on (TIMESTAMP(MILLIS,true));
  OPTIONAL INT64 dropped_on (TIMESTAMP(MILLIS,true));
  OPTIONAL BYTE_ARRAY engine (STRING);
  OPTIONAL BYTE_ARRAY owner (STRING);
}
",
        ),
        (
            "findings",
            "message table {
  REQUIRED INT64 taken_at (TIMESTAMP(MILLIS,true));
  REQUIRED BYTE_ARRAY code (STRING);
  REQUIRED BYTE_ARRAY severity (STRING);
  OPTIONAL INT64 line (INTEGER(64,false));
  OPTIONAL INT64 offset_bytes (INTEGER(64,false));
  REQUIRED BYTE_ARRAY message (STRING);
  REQUIRED BYTE_ARRAY help (STRING);
  REQUIRED INT64 times (INTEGER(64,false));
}
",
        ),
    ] {
        let path = file(place.path(), table, "prod", DAY, "e895.db");
        let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        let mut schema = Vec::new();
        print_schema(&mut schema, reader.metadata().file_metadata().schema());
        assert_eq!(String::from_utf8(schema).unwrap(), expected, "{table}");
    }
}

#[test]
fn a_moment_is_that_of_keys_and_objects_and_the_end_of_the_log() {
    let place = place();
    let place = place.path();
    said(place, "rewrite e895.db --to parquet --output lake --cluster prod --at 1100", 0);
    // The last write before it.
    let table = |name| table_of(1_795_879_626_410, place, name);
    let names = |rows: &[Row], of: &str| Vec::from_iter(rows.iter().map(|row| row[of].clone()));
    let printed = |line: &str, of: &str| {
        let objects = objects(place, line);
        Vec::from_iter(objects.iter().map(|object| object[of].clone()))
    };
    assert_eq!(names(&table("keys"), "key"), printed("keys e895.db --at 1100", "key"));
    let line = format!("objects e895.db --at 1100 {}", kinds(place));
    assert_eq!(names(&table("objects"), "keys"), printed(&line, "keys"));
    let log = names(&table("log"), "log_index");
    assert_eq!((log.len(), log.last()), (1077, Some(&json!(1100))));
    let refused = said(place, "rewrite e895.db --to parquet --output lake --cluster p --at 9", 2);
    assert!(refused.contains("e895.db: the snapshot is of a later moment"), "{refused}");
    assert!(!place.join("lake/keys/cluster=p").exists());
}

#[test]
fn a_damaged_dump_gives_what_can_be_read() {
    let place = place();
    let place = place.path();
    let whole = fs::read_to_string(place.join("e895.db")).unwrap();
    let mut key = 0;
    let damaged: String = whole
        .lines()
        .map(|line| {
            key += u64::from(line.contains("GenericKV"));
            // Thirty keys, and an entry of the log.
            let is_cut = line.contains("GenericKV") && (200..230).contains(&key);
            let is_entry = line.contains(r#""index":1400}"#) && line.contains("LogEntry");
            if is_cut || is_entry {
                format!("{}\n", &line[..line.len() / 2])
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    fs::write(place.join("e895.db"), damaged).unwrap();
    let [report] = <[Value; 1]>::try_from(objects(place, "validate e895.db")).unwrap();
    let warned = said(place, "rewrite e895.db --to parquet --output lake --cluster prod", 1);
    for words in [
        "warning: e895.db: the log cannot be applied: entry T1-N0.1401 does not follow T1-N0.1399",
        "; the state is that of the snapshot\n",
        "warning: the dump has 32 errors, 1 note",
    ] {
        assert!(warned.contains(words), "{warned}");
    }

    let findings = table(place, "findings");
    let times = |code: &str| -> u64 {
        let of_code = findings.iter().filter(|row| row["code"] == code);
        of_code.map(|row| row["times"].as_u64().unwrap()).sum()
    };
    for (code, number) in report["counts"].as_object().unwrap() {
        assert_eq!(json!(times(code)), *number, "{code}");
    }
    assert_eq!(findings.len(), report["findings"].as_array().unwrap().len());
    assert_eq!(table(place, "log").len(), whole.matches("LogEntry").count() - 1);
    assert_eq!(table(place, "keys").len(), whole.matches("GenericKV").count() - 30);
}

#[test]
fn what_is_no_dump_is_a_finding() {
    let place = TempDir::new().unwrap();
    fs::write(place.path().join("meta.db"), "<html>502 Bad Gateway</html>\n").unwrap();
    let [done] = <[Value; 1]>::try_from(objects(
        place.path(),
        "rewrite meta.db --to parquet --output lake --cluster c",
    ))
    .unwrap();
    assert_eq!(done["taken_at_of"], "now");
    let day = done["day"].as_str().unwrap();
    let rows_of = |table| rows(&file(place.path(), table, "c", day, "meta.db"));
    assert!(["keys", "log", "objects"].into_iter().all(|table| rows_of(table).is_empty()));
    assert!(rows_of("findings").iter().any(|row| row["code"] == "foreign-file"));
}
