use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use super::*;
use crate::dump::record::{Bytes, KVMeta, SeqV};
use crate::state::apply::{ExpiryRule, SharedRecord};
use crate::state::objects::ObjectRef;
use crate::value::{Decoded, MessageType, ObjectKind};

type State = Vec<(&'static str, Vec<u8>)>;

const CLOCK: Clock = Clock { now_ms: 1_000_000_000_000, expiry: ExpiryRule::ByMagnitude };

fn message(of: &str, json: &str) -> Vec<u8> {
    Decoded::from_json(MessageType::named(of).unwrap(), json).unwrap().write()
}

const TABLE: &str =
    r#"{"options":{"database_id":"7"},"engine":"FUSE","created_on":"2025-01-01 00:00:00 UTC"}"#;
const DROPPED: &str = r#"{"options":{"database_id":"7"},"engine":"FUSE","created_on":"2025-01-01 00:00:00 UTC","drop_on":"2025-02-01 00:00:00 UTC"}"#;

fn database() -> State {
    vec![
        ("__fd_database/t/shop", b"7".to_vec()),
        (
            "__fd_database_by_id/7",
            message("DatabaseMeta", r#"{"created_on":"2025-01-01 00:00:00 UTC"}"#),
        ),
        ("__fd_database_id_to_name/7", message("TIdent", r#"{"tenant":"t","name":"shop"}"#)),
        ("__fd_db_id_list/t/shop", message("DbIdList", r#"{"ids":[7]}"#)),
    ]
}

fn records_of_table(table: &str) -> State {
    vec![
        ("__fd_table_by_id/8", message("TableMeta", table)),
        ("__fd_table_id_list/7/a", message("TableIdList", r#"{"ids":[8],"ver":9}"#)),
        ("__fd_table_id_to_name/8", message("DbIdTableName", r#"{"db_id":7,"table_name":"a"}"#)),
    ]
}

fn source() -> State {
    let owner = r#"{"role":"r","object":{"table":{"catalog":"default","db":7,"table":8}}}"#;
    let more = vec![
        ("__fd_table/7/a", b"8".to_vec()),
        ("__fd_object_owners/t/table-by-id/8", message("OwnershipInfo", owner)),
        ("__fd_table_copied_files/8/f", message("TableCopiedFileInfo", r#"{"etag":"e"}"#)),
        ("__fd_table_lock/t/8/1", message("LockMeta", "{}")),
        ("__fd_roles/t/r", message("RoleInfo", r#"{"name":"r"}"#)),
    ];
    [database(), records_of_table(TABLE), more].concat()
}

fn record(value: &[u8]) -> SeqV<'static> {
    SeqV { seq: 5, meta: None, data: Bytes::Decoded(value.to_vec().into()) }
}

fn plan(
    source: &State,
    cluster: &State,
    object: &str,
    new_name: Option<&str>,
) -> Result<CarryPlan, CarryError> {
    let parse = |text: &str| ObjectRef::parse(text).unwrap();
    let asked = Asked { object: parse(object), new_name: new_name.map(parse) };
    let mut carrier = Carrier::new(vec![asked])?;
    for (key, value) in source {
        carrier.add(key, &record(value));
    }
    let mut there = Cluster::default();
    for (key, value) in cluster {
        there.add(key, &Bytes::Decoded(value.as_slice().into()));
    }
    carrier.plan(there)
}

fn compose(
    plan: &CarryPlan,
    source: &State,
    given: &[(usize, u64)],
) -> Result<Composed, CarryError> {
    let records = source.iter().map(|(key, value)| {
        let record: SharedRecord = Arc::new(record(value));
        Ok::<_, Infallible>((Cow::Borrowed(*key), record))
    });
    let Ok(composed) = plan.compose(records, &given.iter().copied().collect(), CLOCK);
    composed
}

/// What has to be written of each object.
fn settled(plan: &CarryPlan, composed: &Composed, cluster: &State) -> Vec<Settled> {
    let found: HashMap<String, SeqV<'static>> =
        cluster.iter().map(|(key, value)| ((*key).to_owned(), record(value))).collect();
    let each = composed.steps.iter();
    each.map(|step| step.settle(&plan.items()[step.item], &found, CLOCK.expiry)).collect()
}

fn fates(plan: &CarryPlan) -> Vec<(&'static str, Fate)> {
    plan.items().iter().map(|item| (item.object.kind.name(), item.fate)).collect()
}

fn keys(settled: &Settled) -> Vec<(&str, u64)> {
    settled.puts.iter().map(|put| (put.key.as_str(), put.found_seq)).collect()
}

const MADE: Fate = Fate::Made { has_remains: false };

#[test]
fn what_is_not_there_keeps_its_ids() {
    let source = source();
    let plan = plan(&source, &vec![], "shop.a", None).unwrap();
    assert_eq!(fates(&plan), [("database", MADE), ("table", MADE), ("role", Fate::Lacking)]);
    let composed = compose(&plan, &source, &[]).unwrap();
    assert_eq!((composed.locks, composed.largest_id), (1, Some((ObjectKind::Table, 8))));
    assert_eq!(composed.outside, []);
    assert_eq!(Vec::from_iter(plan.new_tenants()), ["t"]);
    let [database, table] = settled(&plan, &composed, &vec![]).try_into().unwrap();
    assert_eq!(database.puts.len(), 4);
    let expected = [
        "__fd_table_id_list/7/a",
        "__fd_table_id_to_name/8",
        "__fd_object_owners/t/table-by-id/8",
        "__fd_table_copied_files/8/f",
        "__fd_table_by_id/8",
        "__fd_table/7/a",
    ];
    assert_eq!(keys(&table), expected.map(|key| (key, 0)));
    assert!(
        table
            .puts
            .iter()
            .all(|put| source.iter().any(|(key, value)| *key == put.key && *value == put.value))
    );
    let condition = ("__fd_database/t/shop".to_owned(), b"7".to_vec());
    assert_eq!(composed.steps[1].conditions, [condition]);
}

#[test]
fn a_drop_is_undone_where_the_record_is_kept() {
    let source = source();
    let cluster = [database(), records_of_table(DROPPED)].concat();
    let plan = plan(&source, &cluster, "shop.a", None).unwrap();
    assert_eq!(
        fates(&plan)[..2],
        [("database", Fate::There { id: Some(7) }), ("table", Fate::Undropped)]
    );
    let composed = compose(&plan, &source, &[]).unwrap();
    assert_eq!(composed.largest_id, None);
    assert!(plan.new_tenants().is_empty());
    let [table] = settled(&plan, &composed, &cluster).try_into().unwrap();
    let expected = [
        ("__fd_object_owners/t/table-by-id/8", 0),
        ("__fd_table_copied_files/8/f", 0),
        ("__fd_table_by_id/8", 5),
        ("__fd_table/7/a", 0),
    ];
    assert_eq!(keys(&table), expected);
    assert_eq!(table.puts[2].value, message("TableMeta", TABLE));
    assert!(!table.is_newer);

    // The record of the cluster is the newer one.
    let mut cluster = cluster;
    let changed = DROPPED.replace(r#""engine""#, r#""comment":"new","engine""#);
    cluster[4].1 = message("TableMeta", &changed);
    let [table] = settled(&plan, &composed, &cluster).try_into().unwrap();
    assert!(table.is_newer);
    assert_eq!((table.puts.len(), table.left), (3, 1), "files of before are left out");
    let kept = changed.replace(r#","drop_on":"2025-02-01 00:00:00 UTC""#, "");
    assert_eq!(table.puts[1].value, message("TableMeta", &kept));
}

#[test]
fn a_database_that_is_purged_is_not_undropped() {
    let source = source();
    let mut cluster = database();
    cluster.remove(0);
    cluster[0].1 = message(
        "DatabaseMeta",
        r#"{"created_on":"2025-01-01 00:00:00 UTC","drop_on":"2025-02-01 00:00:00 UTC","gc_in_progress":true}"#,
    );
    let plan = plan(&source, &cluster, "shop", None).unwrap();
    assert_eq!(fates(&plan)[0], ("database", Fate::Undropped));
    let composed = compose(&plan, &source, &[]).unwrap();
    assert_eq!(settled(&plan, &composed, &cluster)[0].clashes, ["__fd_database_by_id/7"]);
}

#[test]
fn an_id_in_use_becomes_a_new_one_everywhere() {
    let source = source();
    let mut cluster = source.clone();
    cluster.push(("__fd_table_id_list/7/b", message("TableIdList", r#"{"ids":[3],"ver":9}"#)));
    let plan = plan(&source, &cluster, "shop.a", Some("b")).unwrap();
    assert_eq!(fates(&plan)[1], ("table", Fate::Renumbered));
    assert_eq!(Vec::from_iter(plan.without_ids()), [(1, ObjectKind::Table)]);
    let composed = compose(&plan, &source, &[(1, 90)]).unwrap();
    let [table] = settled(&plan, &composed, &cluster).try_into().unwrap();
    let value = |key: &str| table.puts.iter().find(|put| put.key == key).unwrap().value.clone();
    assert_eq!(value("__fd_table/7/b"), b"90");
    assert_eq!(value("__fd_table_by_id/90"), message("TableMeta", TABLE));
    assert_eq!(
        value("__fd_table_id_list/7/b"),
        message("TableIdList", r#"{"ids":[3,90],"ver":9}"#)
    );
    let name = message("DbIdTableName", r#"{"db_id":7,"table_name":"b"}"#);
    assert_eq!(value("__fd_table_id_to_name/90"), name);
    let owner = r#"{"role":"r","object":{"table":{"catalog":"default","db":7,"table":90}}}"#;
    assert_eq!(value("__fd_object_owners/t/table-by-id/90"), message("OwnershipInfo", owner));
    assert_eq!(table.puts.len(), 6);
    assert_eq!(table.clashes, [""; 0]);
}

#[test]
fn what_is_there_as_in_the_dump_is_left_alone() {
    let source = source();
    let plan = plan(&source, &source, "shop", None).unwrap();
    let taken = |id| Fate::Taken { id: Some(id), is_same_object: true };
    assert_eq!(fates(&plan)[..2], [("database", taken(7)), ("table", taken(8))]);
    let composed = compose(&plan, &source, &[]).unwrap();
    for settled in settled(&plan, &composed, &source) {
        assert_eq!((settled.puts.len(), settled.clashes.len()), (0, 0));
    }
    let mut cluster = source.clone();
    cluster[4].1 = message("TableMeta", r#"{"created_on":"2025-01-01 00:00:00 UTC"}"#);
    assert_eq!(settled(&plan, &composed, &cluster)[1].clashes, ["__fd_table_by_id/8"]);
}

#[test]
fn remains_of_an_id_are_written_over() {
    let source = source();
    let cluster = [database(), vec![("__fd_table_copied_files/8/f", Vec::new())]].concat();
    let plan = plan(&source, &cluster, "shop.a", None).unwrap();
    assert_eq!(fates(&plan)[1], ("table", Fate::Made { has_remains: true }));
    let composed = compose(&plan, &source, &[]).unwrap();
    let [table] = settled(&plan, &composed, &cluster).try_into().unwrap();
    assert!(keys(&table).contains(&("__fd_table_copied_files/8/f", 5)));
}

#[test]
fn references_lead_to_the_namesake_or_to_nothing_but_not_to_another() {
    let grant = r#"{"name":"g","grants":{"entries":[{"object":{"tablebyid":{"catalog":"default","db":7,"table":8}}}]}}"#;
    let mut source = source();
    source.push(("__fd_roles/t/g", message("RoleInfo", grant)));
    let outside = |cluster: &State| {
        let plan = plan(&source, cluster, "role:g", None).unwrap();
        let composed = compose(&plan, &source, &[]).unwrap();
        let becomes = composed.outside.iter().map(|of| (of.kind.name(), of.becomes));
        (becomes.collect::<Vec<_>>(), composed.largest_id.map(|(_, id)| id))
    };
    let nothing = [("database", Becomes::Nothing), ("table", Becomes::Nothing)];
    assert_eq!(outside(&vec![]), (nothing.to_vec(), Some(8)));
    let renamed: State =
        vec![("__fd_database/t/shop", b"70".to_vec()), ("__fd_table/70/a", b"80".to_vec())];
    let namesake = [("database", Becomes::Namesake(70)), ("table", Becomes::Namesake(80))];
    assert_eq!(outside(&renamed), (namesake.to_vec(), None));
    let other: State =
        vec![("__fd_database/t/x", b"7".to_vec()), ("__fd_table/7/y", b"8".to_vec())];
    let another = [("database", Becomes::Another), ("table", Becomes::Another)];
    assert_eq!(outside(&other), (another.to_vec(), None));
}

#[test]
fn an_index_of_a_copy_is_left_out_where_its_name_is_taken() {
    let mut source = source();
    source.push(("__fd_index/t/i", b"9".to_vec()));
    source.push(("__fd_index_by_id/9", message("IndexMeta", r#"{"table_id":8}"#)));
    source.push(("__fd_index_id_to_name/9", message("TIdent", r#"{"tenant":"t","name":"i"}"#)));
    let copied = plan(&source, &source, "shop.a", Some("b")).unwrap();
    assert!(fates(&copied).contains(&("index", Fate::LeftOut)), "{:?}", fates(&copied));
    let anew = plan(&source, &vec![], "shop.a", Some("b")).unwrap();
    assert!(fates(&anew).contains(&("index", MADE)), "{:?}", fates(&anew));
}

#[test]
fn old_values_in_json_stay_where_no_id_changes() {
    let mut source = source();
    source[8].1 = br#"{"role":"r"}"#.to_vec();
    let same = plan(&source, &vec![], "shop.a", None).unwrap();
    assert!(compose(&same, &source, &[]).is_ok());
    let copy = plan(&source, &source, "shop.a", Some("b")).unwrap();
    let refused = compose(&copy, &source, &[]).unwrap_err();
    assert!(matches!(refused, CarryError::Unread { .. }), "{refused}");
}

#[test]
fn what_cannot_be_brought_is_refused() {
    let mut source = source();
    let refused =
        |source: &State, object: &str, name| plan(source, &database(), object, name).unwrap_err();
    assert!(matches!(refused(&source, "shop.x", None), CarryError::Select(_)));
    assert!(matches!(refused(&source, "__fd_table/7/a", None), CarryError::Key(_)));
    assert!(matches!(refused(&source, "role:r", Some("s")), CarryError::NotRenamed { .. }));
    assert!(matches!(refused(&source, "shop", Some("a.b")), CarryError::NewName { .. }));
    assert!(matches!(refused(&source, "shop.a", Some("u/shop.b")), CarryError::OtherTenant { .. }));
    let no_database =
        CarryError::NoDatabase { asked: "shp".to_owned(), near: vec!["shop".to_owned()] };
    assert_eq!(refused(&source, "shop.a", Some("shp.b")), no_database);
    source[4].1 = message("TableMeta", DROPPED);
    assert!(matches!(refused(&source, "shop.a", None), CarryError::Dropped { .. }));
}

#[test]
fn what_has_expired_is_left_out() {
    let source = source();
    let plan = plan(&source, &vec![], "shop.a", None).unwrap();
    let records = source.iter().map(|(key, value)| {
        let meta = Some(KVMeta { expire_at: Some(999_999_999), proposed_at_ms: None });
        let is_file = key.starts_with("__fd_table_copied_files/");
        let record = SeqV { meta: meta.filter(|_| is_file), ..record(value) };
        Ok::<_, Infallible>((Cow::Borrowed(*key), Arc::new(record)))
    });
    let Ok(composed) = plan.compose(records, &HashMap::new(), CLOCK);
    assert_eq!(composed.unwrap().expired, 1);
}
