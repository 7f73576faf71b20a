//! Each relation: what it reports, and what it does not.

use crate::Line;
use crate::check::{Checker, Code};
use crate::value::{Decoded, MessageType, put_varint};

/// A key and its value.
type Record = (&'static str, Vec<u8>);

/// A message from its JSON.
fn message(of: &str, json: &str) -> Vec<u8> {
    Decoded::from_json(MessageType::named(of).unwrap(), json).unwrap().write()
}

fn table() -> Vec<u8> {
    message(
        "TableMeta",
        r#"{"created_on":"2026-01-02 03:04:05 UTC","ver":182,"min_reader_ver":24}"#,
    )
}

fn dropped_table() -> Vec<u8> {
    message("TableMeta", r#"{"drop_on":"2026-01-02 03:04:05 UTC","ver":182,"min_reader_ver":24}"#)
}

fn database() -> Vec<u8> {
    message("DatabaseMeta", r#"{"ver":182,"min_reader_ver":24}"#)
}

fn role(roles: &[&str]) -> Vec<u8> {
    let roles: Vec<String> = roles.iter().map(|role| format!(r#""{role}":true"#)).collect();
    message("RoleInfo", &format!(r#"{{"name":"r","grants":{{"roles":{{{}}}}}}}"#, roles.join(",")))
}

/// What is said of records in this order.
fn said(records: &[Record]) -> Vec<String> {
    let mut checker = Checker::default();
    let header = br#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#;
    checker.line(&Line::new(1, 0, header, true));
    for (at, (key, value)) in records.iter().enumerate() {
        let value = serde_json::json!({"seq": at + 1, "meta": null, "data": value});
        let record = serde_json::json!({"GenericKV": {"key": key, "value": value}});
        let line = serde_json::json!(["state_machine/0", record]).to_string();
        checker.line(&Line::new(at as u64 + 2, 0, line.as_bytes(), true));
    }
    let report = checker.finish();
    let of_values =
        [Code::ValueMisfit, Code::ValueOfNewerServer, Code::ReferencesUnchecked].as_slice();
    let findings = report.findings.kept().iter();
    findings
        .filter(|finding| finding.code.is_of_missing_object() || of_values.contains(&finding.code))
        .map(|finding| format!("{}: {}", finding.code, finding.message))
        .collect()
}

#[track_caller]
fn check(records: &[Record], expected: &[&str]) {
    assert_eq!(said(records), expected);
    let mut back = records.to_vec();
    back.reverse();
    let mut reversed = said(&back);
    reversed.sort();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(reversed, expected, "from the last to the first");
}

#[test]
fn a_name_needs_the_record_that_it_leads_to() {
    let name = ("__fd_table/1/orders", b"7".to_vec());
    let database_record = ("__fd_database_by_id/1", database());
    let database_name = ("__fd_database/t/sales", b"1".to_vec());
    let whole = [database_name, database_record];
    let [a, b] = whole.clone();
    check(&whole, &[]);
    check(
        &[a.clone(), b.clone(), name.clone()],
        &["object-without-record: a name leads to table 7, which has no record"],
    );
    check(&[a.clone(), b.clone(), name.clone(), ("__fd_table_by_id/7", table())], &[]);
    check(&[a, b, name, ("__fd_table_by_id/7", dropped_table())], &[]);
}

#[test]
fn names_of_every_kind_lead_to_records() {
    let kinds = [
        ("__fd_database/t/n", "__fd_database_by_id/7", "database 7"),
        ("__fd_catalog/t/n", "__fd_catalog_by_id/7", "catalog 7"),
        ("__fd_index/t/n", "__fd_index_by_id/7", "index 7"),
        ("__fd_tag/t/n", "__fd_tag_by_id/t/7", "tag 7"),
        ("__fd_datamask/t/n", "__fd_datamask_by_id/7", "masking policy 7"),
        ("__fd_row_access_policy/t/n", "__fd_row_access_policy_by_id/t/7", "row access policy 7"),
        ("__fd_procedure/t/n/", "__fd_procedure_by_id/7", "procedure 7"),
    ];
    for (name, record, object) in kinds {
        let name = (name, b"7".to_vec());
        let record = (record, Vec::new());
        let lacks = format!("object-without-record: a name leads to {object}, which has no record");
        check(std::slice::from_ref(&name), &[&lacks]);
        let unnamed =
            format!("object-without-name: {object} is not dropped, and no name leads to it");
        check(std::slice::from_ref(&record), &[&unnamed]);
        check(&[name, record], &[]);
    }
}

#[test]
fn a_record_needs_a_name_unless_it_is_dropped() {
    check(
        &[("__fd_table_by_id/7", table())],
        &["object-without-name: table 7 is not dropped, and no name leads to it"],
    );
    check(&[("__fd_table_by_id/7", dropped_table())], &[]);
}

#[test]
fn what_is_in_a_database_that_is_gone_is_left_over() {
    let id_to_name = message("DbIdTableName", r#"{"db_id":3,"table_name":"a"}"#);
    let records = [
        ("__fd_table/3/a", b"7".to_vec()),
        ("__fd_table/3/b", b"8".to_vec()),
        ("__fd_table_by_id/7", table()),
        ("__fd_table_id_list/3/a", message("TableIdList", r#"{"ids":[7]}"#)),
        ("__fd_table_id_to_name/7", id_to_name),
    ];
    check(
        &records,
        &[
            "orphaned-record: names in database 3, which has no record",
            "orphaned-record: id lists in database 3, which has no record",
            "orphaned-record: id_to_name keys for database 3, which has no record",
        ],
    );
    let mut whole = records.to_vec();
    whole.push(("__fd_database/t/d", b"3".to_vec()));
    whole.push(("__fd_database_by_id/3", database()));
    whole.push(("__fd_table_by_id/8", table()));
    check(&whole, &[]);
}

#[test]
fn what_belongs_to_a_table_needs_its_record() {
    let lock = || message("LockMeta", r#"{"user":"u"}"#);
    let list = || message("TableIdList", r#"{"ids":[7]}"#);
    let name = || message("DbIdTableName", r#"{"table_name":"a"}"#);
    let time = || message("LeastVisibleTime", "{}");
    let owner = || message("OwnershipInfo", r#"{"role":"public"}"#);
    let of_tables = [
        ("__fd_object_owners/t/table-by-id/7", owner(), "owners of"),
        ("__fd_table_copied_files/7/a.csv", Vec::new(), "copied files of"),
        ("__fd_table_id_to_name/7", name(), "id_to_name keys of"),
        ("__fd_table_lock/t/7/1", lock(), "locks of"),
        ("__fd_table_lock_v2/t/7/000_000_000_000_000_000_001", lock(), "locks of"),
        ("__fd_table_lvt/7", time(), "least visible times of"),
        ("__fd_db_id_list/t/d", message("DbIdList", r#"{"ids":[7]}"#), "id lists with"),
        ("__fd_table_id_list/0/a", list(), "id lists with"),
    ];
    for (key, value, what) in of_tables {
        let (kind, record) = match key {
            "__fd_db_id_list/t/d" => ("database", "__fd_database_by_id/7"),
            _ => ("table", "__fd_table_by_id/7"),
        };
        let dropped = match kind {
            "database" => message("DatabaseMeta", r#"{"drop_on":"2026-01-02 03:04:05 UTC"}"#),
            _ => dropped_table(),
        };
        let mut records = vec![(key, value)];
        if key.starts_with("__fd_table_id_list") {
            records.push(("__fd_database/t/d", b"0".to_vec()));
            records.push(("__fd_database_by_id/0", database()));
        }
        let lacks = format!("orphaned-record: {what} {kind} 7, which has no record");
        check(&records, &[&lacks]);
        records.push((record, dropped));
        check(&records, &[]);
    }
}

#[test]
fn what_is_left_of_many_objects_is_one_finding() {
    let records = [
        ("__fd_table_copied_files/7/a", Vec::new()),
        ("__fd_table_copied_files/7/b", Vec::new()),
        ("__fd_table_copied_files/8/a", Vec::new()),
        ("__fd_table_copied_files/7/c", Vec::new()),
    ];
    let expected =
        "orphaned-record: copied files of 2 tables that have no record, the first is table 7";
    check(&records, &[expected]);
}

#[test]
fn owned_objects_and_their_owners() {
    let owner = message("OwnershipInfo", r#"{"role":"r"}"#);
    let owned = [
        ("__fd_object_owners/t/database-by-id/7", "__fd_database_by_id/7", "database 7"),
        (
            "__fd_object_owners/t/stage-by-name/s",
            "__fd_stages/t/s",
            r#"stage "s" of the tenant "t""#,
        ),
        ("__fd_object_owners/t/udf-by-name/s", "__fd_udfs/t/s", r#"udf "s" of the tenant "t""#),
        (
            "__fd_object_owners/t/connection-by-name/s",
            "__fd_connection/t/s",
            r#"connection "s" of the tenant "t""#,
        ),
        (
            "__fd_object_owners/t/sequence-by-name/s",
            "__fd_sequence/t/s",
            r#"sequence "s" of the tenant "t""#,
        ),
    ];
    let role_record = ("__fd_roles/t/r", role(&[]));
    for (key, record, object) in owned {
        let ownership = (key, owner.clone());
        let lacks = format!("orphaned-record: owners of {object}, which has no record");
        check(&[ownership.clone(), role_record.clone()], &[&lacks]);
        let dropped = message("DatabaseMeta", r#"{"drop_on":"2026-01-02 03:04:05 UTC"}"#);
        let value = if record.contains("database") { dropped } else { Vec::new() };
        let record = (record, value);
        let no_role = r#"role-missing: something is owned by role "r" of the tenant "t", which has no record"#;
        check(&[ownership.clone(), record.clone()], &[no_role]);
        check(&[ownership, record, role_record.clone()], &[]);
    }
    // Those are elsewhere, or come and go.
    let elsewhere = [
        ("__fd_object_owners/t/table-by-catalog-id/hive/7", owner.clone()),
        ("__fd_object_owners/t/warehouse-by-id/w", owner.clone()),
        ("__fd_object_owners/t/table-by-id/4611686018427387905", owner),
        role_record,
    ];
    check(&elsewhere, &[]);
}

#[test]
fn users_and_roles_need_their_roles_and_policies() {
    let grants = r#"{"roles":{"r":true,"public":true,"account_admin":true}}"#;
    let option = r#"{"network_policy":"n","password_policy":"p"}"#;
    let user =
        message("UserInfo", &format!(r#"{{"name":"u","grants":{grants},"option":{option}}}"#));
    let user = ("__fd_users/t/%27u%27%40%27%25%27", user);
    let lacks = |code: &str, who: &str, what: &str| {
        format!("{code}: {who} has {what} of the tenant \"t\", which has no record")
    };
    let expected = [
        lacks("role-missing", "a user", "role \"r\""),
        lacks("policy-missing", "a user", "network policy \"n\""),
        lacks("policy-missing", "a user", "password policy \"p\""),
    ];
    let mut found = said(std::slice::from_ref(&user));
    found.sort();
    let mut sorted = expected.to_vec();
    sorted.sort();
    assert_eq!(found, sorted);
    let there = [
        ("__fd_network_policies/t/n", message("NetworkPolicy", r#"{"name":"n"}"#)),
        ("__fd_password_policies/t/p", message("PasswordPolicy", r#"{"name":"p"}"#)),
        ("__fd_roles/t/r", role(&["q"])),
        user,
    ];
    check(&there, &[&lacks("role-missing", "a role", "role \"q\"")]);
    let mut whole = there.to_vec();
    whole.push(("__fd_roles/t/q", role(&["public"])));
    check(&whole, &[]);
    // Those of another tenant are others.
    let other = [("__fd_roles/t/r", role(&["q"])), ("__fd_roles/u/q", role(&[]))];
    check(&other, &[&lacks("role-missing", "a role", "role \"q\"")]);
}

#[test]
fn values_that_are_not_what_their_keys_say() {
    let misfit = |key: &'static str, value: &[u8]| said(&[(key, value.to_vec())]);
    assert_eq!(
        misfit("__fd_table/1/a", b"x"),
        [r#"value-misfit: "__fd_table/1/a": not a decimal number"#]
    );
    // A key that is known to nobody may hold anything.
    assert_eq!(misfit("__fd_of_tomorrow/1", b"\xff"), [""; 0]);
    let cut = misfit("__fd_table_by_id/7", &[0x0a, 5, b'x']);
    assert_eq!(
        cut,
        [
            r#"value-misfit: "__fd_table_by_id/7": not a protobuf message: the bytes end within a field"#
        ]
    );
    // What cannot be read is there all the same.
    let records = [("__fd_table/0/a", b"7".to_vec()), ("__fd_table_by_id/7", vec![0x0a])];
    assert!(said(&records).iter().all(|said| !said.contains("without")), "{:?}", said(&records));
}

#[test]
fn values_for_newer_readers() {
    let version_of = |version: u64| {
        let meta = format!(r#"{{"drop_on":"2026-01-02 03:04:05 UTC","min_reader_ver":{version}}}"#);
        message("TableMeta", &meta)
    };
    let version = |version: u64| said(&[("__fd_table_by_id/7", version_of(version))]);
    assert_eq!(version(182), [""; 0]);
    assert_eq!(
        version(183),
        ["value-newer: TableMeta for readers of version 183; this release knows 182"]
    );
    // What is written in another way is no misfit then: here the schema, which is no message.
    let of_tomorrow = [&[0x08, 1], version_of(183).as_slice()].concat();
    assert_eq!(
        said(&[("__fd_table_by_id/7", of_tomorrow)])[..1],
        ["value-newer: TableMeta for readers of version 183; this release knows 182"]
    );
    let of_today = [&[0x08, 1], version_of(182).as_slice()].concat();
    assert!(said(&[("__fd_table_by_id/7", of_today)])[0].starts_with("value-misfit"));
}

#[test]
fn what_is_not_checked_is_said() {
    let names = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("q{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        said(&[("__fd_roles/t/r", role(&names))])
    };
    let unchecked = |said: &[String]| -> Vec<String> {
        said.iter().filter(|said| said.starts_with("references")).cloned().collect()
    };
    assert_eq!(unchecked(&names(1000)), [""; 0]);
    assert_eq!(
        unchecked(&names(1002)),
        ["references-unchecked: 2 references from here on are not checked"]
    );
}

#[test]
fn a_list_of_many_ids_takes_little() {
    let mut ids = Vec::new();
    (0..100_000_u64).for_each(|id| put_varint(&mut ids, id * 1_000_003));
    let mut value = vec![0x0a];
    put_varint(&mut value, ids.len() as u64);
    value.extend_from_slice(&ids);
    let records = [
        ("__fd_database/t/d", b"0".to_vec()),
        ("__fd_database_by_id/0", database()),
        ("__fd_table_id_list/0/a", value),
    ];
    check(
        &records,
        &["orphaned-record: id lists with 100000 tables that have no record, the first is table 0"],
    );
}
