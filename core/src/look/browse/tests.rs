use super::*;
use crate::look::tests::read;
use crate::state::moment::At;

fn kv(key: &str, value: &str) -> String {
    let data: Vec<String> = value.bytes().map(|byte| byte.to_string()).collect();
    format!(
        r#"["state_machine/0",{{"GenericKV":{{"key":"{key}","value":{{"seq":1,"meta":null,"data":[{}]}}}}}}]"#,
        data.join(",")
    )
}

fn put(index: u64, key: &str, value: &str) -> String {
    let data: Vec<String> = value.bytes().map(|byte| byte.to_string()).collect();
    format!(
        r#"["raft_log",{{"LogEntry":{{"log_id":{{"leader_id":{{"term":1,"node_id":1}},"index":{index}}},"payload":{{"Normal":{{"time_ms":{}000,"cmd":{{"UpsertKV":{{"key":"{key}","seq":"Any","value":{{"Update":[{}]}},"value_meta":null}}}}}}}}}}}}]"#,
        1_700_000_000 + index,
        data.join(",")
    )
}

/// Line 7 is the first entry of the log, and the only one that the snapshot holds.
fn dump() -> Vec<String> {
    let mut lines: Vec<String> = [
        r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#,
        r#"["raft_log",{"NodeId":1}]"#,
        r#"["raft_log",{"Vote":{"leader_id":{"term":1,"node_id":1},"committed":true}}]"#,
        r#"["raft_log",{"Committed":{"leader_id":{"term":1,"node_id":1},"index":6}}]"#,
        r#"["raft_log",{"Purged":{"leader_id":{"term":1,"node_id":1},"index":4}}]"#,
        "no record",
    ]
    .map(str::to_owned)
    .to_vec();
    lines.push(put(5, "__fd_database/t/sales", "7"));
    lines.push(put(6, "__fd_table/7/new", "9"));
    lines.push(put(7, "__fd_table/7/later", "10"));
    lines.extend(
        [
            r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":1}}]"#,
            r#"["state_machine/0",{"StateMachineMeta":{"key":"LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":1},"index":5}}}}]"#,
        ]
        .map(str::to_owned),
    );
    lines.push(kv("__fd_database/t/sales", "7"));
    lines.push(kv("__fd_object_owners/t/table-by-id/8", ""));
    lines.push(kv("__fd_table/7/Orders", "8"));
    lines.push(kv("__fd_table_copied_files/8/a", "xy"));
    lines.push(kv("__fd_token/t/abc", "z"));
    lines.push(kv("other", "abc"));
    lines
}

fn gathered(lines: &[String], at: At) -> Result<Browser, GatherError> {
    let mut gathering = Gathering::new(at, 0);
    loop {
        read(lines, |line| gathering.line(line))?;
        if !gathering.end_reading()? {
            return gathering.finish();
        }
    }
}

fn logged(lines: &[String]) -> ObjectLog {
    let mut reading = LogReading::new(0);
    loop {
        read(lines, |line| reading.line(line)).unwrap();
        if !reading.end_reading().unwrap() {
            return reading.finish();
        }
    }
}

fn names(browser: &Browser, query: &ObjectQuery) -> Vec<String> {
    let rows = browser.list(query);
    browser.rows(&rows).into_iter().map(|row| row.full_name).collect()
}

#[test]
fn the_objects_are_those_of_the_moment() {
    let all = ObjectQuery::default();
    let end = gathered(&dump(), At::End).unwrap();
    assert_eq!(names(&end, &all), ["sales", "sales.Orders", "sales.new"]);
    let overview = end.overview();
    assert_eq!(
        overview.as_of,
        "as of T1-N1.6, 2023-11-14 22:13:26 UTC, 1 entry after the snapshot; 1 entry not known \
         to be committed, not applied"
    );
    assert_eq!((overview.index, overview.end, overview.left_out), (Some(6), Some(6), 1));
    let snapshot = gathered(&dump(), At::Snapshot).unwrap();
    assert_eq!(names(&snapshot, &all), ["sales", "sales.Orders"]);
    assert_eq!((snapshot.overview().index, snapshot.overview().end), (Some(5), Some(6)));
    let beyond = gathered(&dump(), At::Index(8)).unwrap_err();
    assert_eq!(beyond.to_string(), "there is no entry 8 in the log");
}

#[test]
fn what_stands_behind_keys_is_not_passed_over() {
    let mut lines = dump();
    let last = lines.iter().position(|line| line.contains("\"index\":6},\"payload\"")).unwrap();
    let last = lines.remove(last);
    lines.push(last);
    let late = gathered(&lines, At::Snapshot).unwrap_err();
    let said = "an entry of the log stands behind keys, where nobody looks for it";
    assert_eq!(late.to_string(), said);
}

#[test]
fn objects_are_filtered_in_whichever_case_and_sorted() {
    let browser = gathered(&dump(), At::End).unwrap();
    let text = |text: &str| ObjectQuery { text: text.to_owned(), ..ObjectQuery::default() };
    assert_eq!(names(&browser, &text("ORD")), ["sales.Orders"]);
    assert_eq!(names(&browser, &text("9")), ["sales.new"]);
    assert_eq!(names(&browser, &text("nothing")), [""; 0]);
    assert_eq!(names(&browser, &text("Table:9")), ["sales.new"]);
    assert_eq!(names(&browser, &text("database:9")), [""; 0]);
    let tables = ObjectQuery { kind: Some("table".to_owned()), ..ObjectQuery::default() };
    assert_eq!(names(&browser, &tables), ["sales.Orders", "sales.new"]);
    let [sales] = browser.list(&text("7"))[..] else { panic!("sales is the only 7") };
    let in_sales = ObjectQuery { parent: Some(sales), ..ObjectQuery::default() };
    assert_eq!(names(&browser, &in_sales), ["sales.Orders", "sales.new"]);
    let by_bytes = ObjectQuery { sort: SortBy::Bytes, ..in_sales };
    assert_eq!(names(&browser, &by_bytes), ["sales.Orders", "sales.new"]);
    let elsewhere = ObjectQuery { tenants: vec![Some("u".to_owned()), None], ..text("") };
    assert_eq!(names(&browser, &elsewhere), [""; 0]);
}

#[test]
fn an_object_has_its_keys_and_what_it_belongs_with() {
    let lines = dump();
    let browser = gathered(&lines, At::End).unwrap();
    let of_line = |number: usize| browser.of_line(number as u64, lines[number - 1].as_bytes());
    let orders = browser.detail(of_line(14).unwrap()).unwrap();
    assert_eq!(orders.row.full_name, "sales.Orders");
    let key = |line| ObjectKey { line, written: None };
    assert_eq!(orders.keys, [key(13), key(14), key(15)]);
    assert_eq!(
        (orders.refers_to[0].how, orders.refers_to[0].rows[0].full_name.as_str()),
        ("database", "sales")
    );
    let sales = browser.detail(of_line(12).unwrap()).unwrap();
    assert_eq!((sales.referred_by[0].how, sales.referred_by[0].count), ("in it", 2));
    // What the log made is found by its entry, and has the line that a dump of the moment has.
    let new = browser.detail(of_line(8).unwrap()).unwrap();
    assert_eq!((new.row.full_name.as_str(), new.row.line), ("sales.new", Some(8)));
    assert_eq!(new.keys, [ObjectKey { line: 8, written: Some(0) }]);
    let written = std::str::from_utf8(browser.written(0).unwrap()).unwrap();
    assert!(written.contains(r#""key":"__fd_table/7/new","value":{"seq":2,"#), "{written}");
    assert_eq!((of_line(1), of_line(6), of_line(16), of_line(17)), (None, None, None, None));
}

#[test]
fn of_an_object_it_is_known_what_the_log_did_to_it() {
    let lines = dump();
    let browser = gathered(&lines, At::End).unwrap();
    let log = logged(&lines);
    let history = |name: &str| {
        let query = ObjectQuery { text: name.to_owned(), ..ObjectQuery::default() };
        let object = browser.object(browser.list(&query)[0]).unwrap();
        log.of(object, 10)
            .entries
            .iter()
            .map(|entry| (entry.line, entry.change.is_committed))
            .collect::<Vec<_>>()
    };
    assert_eq!(history("sales.new"), [(8, true)]);
    assert_eq!(history("sales.Orders"), []);
    assert_eq!(history("7"), [(7, true)]);
}

#[test]
fn a_step_to_a_moment_is_what_a_reading_of_it_is() {
    let mut lines = dump();
    // What the snapshot has, changed, removed and made again behind it; entry 8 is not committed.
    lines.insert(9, put(8, "__fd_table/7/Orders", "11"));
    lines[3] = lines[3].replace("\"index\":6", "\"index\":7");
    let mut browser = gathered(&lines, At::End).unwrap();
    let all = ObjectQuery::default();
    let shown = |browser: &Browser| {
        let list = browser.list(&all);
        let details: Vec<_> = (0..list.len()).map(|at| browser.detail(at)).collect();
        serde_json::to_string(&(browser.overview(), browser.rows(&list), details)).unwrap()
    };
    for at in ["6", "snapshot", "7", "end", "5", "T1-N1.6", "end"] {
        let at = At::parse(at).unwrap();
        assert_eq!(browser.step(at, 0), Ok(true), "{at:?}");
        assert_eq!(shown(&browser), shown(&gathered(&lines, at).unwrap()), "{at:?}");
    }
    // What is behind the entries that were applied at first, or is a time, takes a reading.
    for at in ["8", "2023-11-14T22:13:26Z"] {
        assert_eq!(browser.step(At::parse(at).unwrap(), 0), Ok(false), "{at}");
    }
    assert_eq!(browser.step(At::Index(70), 0), Ok(false));
    let mut snapshot = gathered(&lines, At::Snapshot).unwrap();
    assert_eq!(snapshot.step(At::End, 0), Ok(false));
}
