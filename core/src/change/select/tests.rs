use std::collections::BTreeSet;

use super::{Belonging, Choice, Fate, SelectError, Selection, Selector, Which};
use crate::dump::record::Bytes;
use crate::state::objects::ObjectRef;
use crate::value::{Decoded, MessageType};

fn message(of: &str, json: &str) -> Vec<u8> {
    Decoded::from_json(MessageType::named(of).unwrap(), json).unwrap().write()
}

/// Two tenants. What a has: a database 1 with the tables 2, which a policy guards, and 3, a view of
/// it, and the dropped 4 of the same name as 2; a user with a role; a tag on table 2. What b has: a
/// database 5 with the table 6.
fn state() -> Vec<(&'static str, Vec<u8>)> {
    let table = r#"{"column_mask_policy_columns_ids":{"1":{"policy_id":7}}}"#;
    let dropped = r#"{"drop_on":"2025-01-02 00:00:00 UTC"}"#;
    let user = r#"{"name":"u","grants":{"roles":{"r":true,"public":true}}}"#;
    vec![
        ("__fd_clusters_v6/a/online_nodes/n", b"{}".to_vec()),
        ("__fd_database/a/d", b"1".to_vec()),
        ("__fd_database/b/d", b"5".to_vec()),
        ("__fd_database_by_id/1", message("DatabaseMeta", "{}")),
        ("__fd_database_by_id/5", message("DatabaseMeta", "{}")),
        ("__fd_database_id_to_name/1", message("TIdent", r#"{"tenant":"a","name":"d"}"#)),
        ("__fd_datamask/a/m", b"7".to_vec()),
        ("__fd_datamask_by_id/7", message("DatamaskMeta", "{}")),
        ("__fd_datamask_id_list/a/m", message("MaskpolicyTableIdList", r#"{"ids":[2]}"#)),
        ("__fd_db_id_list/a/d", message("DbIdList", r#"{"ids":[1]}"#)),
        ("__fd_db_id_list/a/old", message("DbIdList", "{}")),
        ("__fd_id_gen/table_id", Vec::new()),
        ("__fd_mask_policy_apply_table_id/a/7/2", Vec::new()),
        ("__fd_materialized_view_by_source/a/2/3", message("MVSourceBinding", "{}")),
        ("__fd_materialized_view_definition/a/3", message("MVDefinition", "{}")),
        (
            "__fd_object_owners/a/database-by-catalog-id/hive/5",
            message("OwnershipInfo", r#"{"role":"r"}"#),
        ),
        ("__fd_object_owners/a/table-by-id/2", message("OwnershipInfo", r#"{"role":"r"}"#)),
        ("__fd_object_tag_ref/a/table/2/8", message("TagRefValue", "{}")),
        ("__fd_object_tag_ref/a/procedure/p//8", message("TagRefValue", "{}")),
        ("__fd_object_tag_ref/a/table/77/8", message("TagRefValue", "{}")),
        ("__fd_procedure/a/p/", b"9".to_vec()),
        ("__fd_procedure_by_id/9", message("ProcedureMeta", "{}")),
        ("__fd_queries_queue/queue/w/c/seq_generator", Vec::new()),
        ("__fd_quotas/a", b"{}".to_vec()),
        ("__fd_roles/a/r", message("RoleInfo", r#"{"name":"r"}"#)),
        ("__fd_share_by/db/5", message("ObjectSharedByShareIds", "{}")),
        ("__fd_table/1/t", b"2".to_vec()),
        ("__fd_table/1/v", b"3".to_vec()),
        ("__fd_table/5/t", b"6".to_vec()),
        ("__fd_table_by_id/2", message("TableMeta", table)),
        ("__fd_table_by_id/3", message("TableMeta", "{}")),
        ("__fd_table_by_id/4", message("TableMeta", dropped)),
        ("__fd_table_by_id/6", message("TableMeta", "{}")),
        ("__fd_table_copied_files/2/a/b", b"x".to_vec()),
        ("__fd_table_id_list/1/t", message("TableIdList", r#"{"ids":[4,2]}"#)),
        ("__fd_table_id_to_name/4", message("DbIdTableName", r#"{"db_id":1,"table_name":"t"}"#)),
        ("__fd_table_lock_v2_seq", b"9".to_vec()),
        ("__fd_tag/a/g", b"8".to_vec()),
        ("__fd_tag_by_id/a/8", message("TagMeta", "{}")),
        ("__fd_tag_object_ref/a/8/table/2", message("EmptyProto", "{}")),
        ("__fd_users/a/%27u%27%40%27%25%27", message("UserInfo", user)),
        ("_txn_id/00ff", Vec::new()),
        ("a/history_log_clean/l/lock/seq_generator", Vec::new()),
    ]
}

fn select(
    state: &[(&'static str, Vec<u8>)],
    choice: Choice,
) -> Result<(Selection, BTreeSet<&'static str>), SelectError> {
    let mut selector = Selector::new(choice.clone());
    let bytes = |value: &Vec<u8>| Bytes::Decoded(value.clone().into());
    for (key, value) in state {
        selector.add(key, false, Belonging::of(key, &bytes(value), &choice));
    }
    let selection = selector.finish()?;
    let stays = state.iter().filter(|(key, value)| selection.stays(key, &bytes(value)));
    let stays: BTreeSet<&'static str> = stays.map(|(key, _)| *key).collect();
    // The counts are those of the keys, and a key alone tells the same where it can.
    let count = |parts: &std::collections::BTreeMap<&str, super::Part>| -> u64 {
        parts.values().map(|part| part.keys).sum()
    };
    assert_eq!(count(&selection.counts().stays), stays.len() as u64, "{stays:?}");
    let gone: u64 = selection.gone().iter().map(|gone| gone.keys).sum();
    assert_eq!(count(&selection.counts().goes), (state.len() - stays.len()) as u64);
    assert_eq!(gone, (state.len() - stays.len()) as u64, "{:?}", selection.gone());
    for (key, _) in state {
        if let Some(by_key) = selection.stays_by_key(key) {
            assert_eq!(by_key, stays.contains(key), "{key}");
        }
    }
    Ok((selection, stays))
}

fn tenant(name: &str, which: Which) -> Choice {
    Choice { tenants: vec![name.to_owned()], which, ..Choice::default() }
}

fn objects(names: &[&str], which: Which) -> Choice {
    let objects = names.iter().map(|name| ObjectRef::parse(name).unwrap()).collect();
    Choice { objects, which, ..Choice::default() }
}

fn prefix(prefix: &str, which: Which) -> Choice {
    Choice { prefixes: vec![prefix.to_owned()], which, ..Choice::default() }
}

#[test]
fn a_key_that_is_chosen_stays() {
    let state = state();
    for (key, _) in &state {
        let (_, stays) = select(&state, prefix(key, Which::Chosen)).unwrap();
        assert!(stays.contains(key), "{key}");
    }
    // What stands at the other end of a link brings nothing that is in it.
    let (_, stays) = select(&state, prefix("__fd_tag_object_ref/", Which::Chosen)).unwrap();
    assert!(stays.contains("__fd_table_by_id/2") && !stays.contains("__fd_database/b/d"));
}

const SHARED: [&str; 2] = ["__fd_id_gen/table_id", "__fd_table_lock_v2_seq"];
const TRANSIENT: [&str; 2] = ["__fd_queries_queue/queue/w/c/seq_generator", "_txn_id/00ff"];
const OF_B: [&str; 5] = [
    "__fd_database/b/d",
    "__fd_database_by_id/5",
    "__fd_share_by/db/5",
    "__fd_table/5/t",
    "__fd_table_by_id/6",
];

#[test]
fn a_tenant_has_what_belongs_to_it_and_the_rest_has_all_else() {
    let state = state();
    let (_, of_b) = select(&state, tenant("b", Which::Chosen)).unwrap();
    let expected = OF_B.into_iter().chain(SHARED);
    assert_eq!(of_b, expected.collect());
    let (_, rest) = select(&state, tenant("a", Which::Rest)).unwrap();
    assert_eq!(rest, of_b.iter().copied().chain(TRANSIENT).collect());
    let (_, of_a) = select(&state, tenant("a", Which::Chosen)).unwrap();
    let all: BTreeSet<&str> = state.iter().map(|(key, _)| *key).collect();
    assert_eq!(of_a.union(&rest).copied().collect::<BTreeSet<_>>(), all);
}

#[test]
fn a_table_brings_what_it_needs() {
    let state = state();
    let (_, stays) = select(&state, objects(&["table:3"], Which::Chosen)).unwrap();
    // The view, its source with its policy, tag and the table that had its name, and the owner.
    let gone =
        ["__fd_clusters_v6/", "__fd_object_owners/a/database", "__fd_quotas/", "__fd_users/", "a/"];
    let gone_keys = [
        "__fd_db_id_list/a/old",
        "__fd_object_tag_ref/a/procedure/p//8",
        "__fd_procedure/a/p/",
        "__fd_procedure_by_id/9",
    ];
    let expected = state.iter().map(|(key, _)| *key).filter(|key| {
        !OF_B.contains(key)
            && !TRANSIENT.contains(key)
            && !gone_keys.contains(key)
            && !gone.iter().any(|prefix| key.starts_with(prefix))
    });
    assert_eq!(stays, expected.collect());
    let (_, stays) = select(&state, objects(&["b/d.t"], Which::Chosen)).unwrap();
    let expected = OF_B.into_iter().chain(SHARED);
    assert_eq!(stays, expected.collect());
}

#[test]
fn what_links_two_objects_goes_with_either() {
    let state = state();
    let (_, stays) = select(&state, objects(&["tag:g"], Which::Rest)).unwrap();
    let gone: Vec<&str> =
        state.iter().map(|(key, _)| *key).filter(|key| !stays.contains(key)).collect();
    let expected = [
        "__fd_object_tag_ref/a/table/2/8",
        "__fd_object_tag_ref/a/procedure/p//8",
        "__fd_object_tag_ref/a/table/77/8",
        "__fd_tag/a/g",
        "__fd_tag_by_id/a/8",
        "__fd_tag_object_ref/a/8/table/2",
    ];
    assert_eq!(gone, expected);
    let (_, stays) = select(&state, objects(&["procedure:p"], Which::Chosen)).unwrap();
    assert!(stays.contains("__fd_object_tag_ref/a/procedure/p//8"));
    assert!(!stays.contains("__fd_object_tag_ref/a/table/2/8"));
    let (_, stays) = select(&state, objects(&["masking_policy:m"], Which::Chosen)).unwrap();
    assert!(stays.contains("__fd_datamask_id_list/a/m"));
    assert!(!stays.contains("__fd_mask_policy_apply_table_id/a/7/2"));
}

#[test]
fn nothing_stays_without_what_it_needs() {
    let state = state();
    let needed = |names: &[&str]| match select(&state, objects(names, Which::Rest)).map(drop) {
        Err(SelectError::Needed(needed)) => needed.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(needed(&["masking_policy:m"]), "table d.t (id 2) needs masking policy m (id 7)");
    assert_eq!(needed(&["table:4"]), "table d.t (id 2) needs table d.t (id 4)");
    assert!(needed(&["role:r"]).contains("user 'u'@'%' needs role r"), "{}", needed(&["role:r"]));
    assert!(select(&state, objects(&["a/d"], Which::Rest)).is_ok());
}

#[test]
fn keys_that_are_no_names_go_by_themselves() {
    let state = state();
    let (_, stays) = select(&state, prefix("__fd_table_copied_files/", Which::Rest)).unwrap();
    assert_eq!(stays.len(), state.len() - 1);
    let (_, stays) = select(&state, prefix("__fd_table_copied_files/", Which::Chosen)).unwrap();
    assert!(stays.contains("__fd_table_by_id/2") && !stays.contains("__fd_table_by_id/6"));
    let (_, stays) = select(&state, prefix("_txn_id/", Which::Chosen)).unwrap();
    assert_eq!(stays, SHARED.into_iter().chain(["_txn_id/00ff"]).collect());
    let (_, stays) = select(&state, prefix("__fd_db_id_list/a/old", Which::Chosen)).unwrap();
    assert!(stays.contains("__fd_db_id_list/a/old"));
}

#[test]
fn what_cannot_be_judged_is_refused_kept_or_dropped() {
    let mut state = state();
    state.push(("__fd_new/a", Vec::new()));
    state.push(("__fd_table_by_id/99", message("TableMeta", "{}")));
    let keys = |error| match error {
        Err(SelectError::UnknownKeys(listed) | SelectError::Orphans(listed)) => listed.to_string(),
        other => panic!("{other:?}"),
    };
    let choice = tenant("a", Which::Chosen);
    assert_eq!(keys(select(&state, choice.clone()).map(drop)), "__fd_new/a");
    let choice = Choice { unknown: Fate::Drop, ..choice };
    assert_eq!(keys(select(&state, choice.clone()).map(drop)), "table 99");
    for (fate, is_kept) in [(Fate::Keep, true), (Fate::Drop, false)] {
        for which in [Which::Chosen, Which::Rest] {
            let choice = Choice { unknown: fate, orphans: fate, which, ..choice.clone() };
            let (_, stays) = select(&state, choice).unwrap();
            for key in ["__fd_new/a", "__fd_table_by_id/99"] {
                assert_eq!(stays.contains(key), is_kept, "{key} {fate:?} {which:?}");
            }
        }
    }
}

#[test]
fn what_is_not_there_is_an_error() {
    let state = state();
    let error = |choice| select(&state, choice).map(drop).unwrap_err();
    assert_eq!(error(Choice::default()), SelectError::NothingChosen);
    let near = vec!["a".to_owned(), "b".to_owned()];
    let asked = "zz".to_owned();
    assert_eq!(error(tenant("zz", Which::Chosen)), SelectError::NoTenant { asked, near });
    let ambiguous = SelectError::Ambiguous {
        asked: "database d".to_owned(),
        tenants: vec!["a".to_owned(), "b".to_owned()],
    };
    assert_eq!(error(objects(&["d"], Which::Chosen)), ambiguous);
    let error = error(objects(&["a/d.tt"], Which::Chosen)).to_string();
    assert_eq!(error, "there is no table d.tt of tenant a");
}

#[test]
fn the_official_command_takes_old_locks_for_those_of_a_tenant() {
    let mut state = state();
    state.push(("__fd_table_lock/2/1", message("EmptyProto", "{}")));
    let choice = tenant("a", Which::Chosen);
    assert!(select(&state, choice.clone()).unwrap().1.contains("__fd_table_lock/2/1"));
    let choice = Choice { is_official: true, ..choice };
    assert!(!select(&state, choice).unwrap().1.contains("__fd_table_lock/2/1"));
}
