use super::*;
use crate::dump::frame::LineFramer;
use crate::value::Secrets;

const HEAD: &str =
    "[\"header\",{\"DataHeader\":{\"key\":\"header\",\"value\":{\"version\":\"V004\"}}}]\n";

fn entry(index: u64, put: Option<(&str, u8)>) -> String {
    let payload = match put {
        None => "\"Blank\"".to_owned(),
        Some((key, data)) => format!(
            "{{\"Normal\":{{\"time_ms\":1700000000000,\"cmd\":{{\"UpsertKV\":{{\"key\":\"{key}\",\
             \"seq\":\"Any\",\"value\":{{\"Update\":[{data}]}},\"value_meta\":null}}}}}}}}"
        ),
    };
    format!(
        "[\"raft_log\",{{\"LogEntry\":{{\"log_id\":{{\"leader_id\":{{\"term\":1,\"node_id\":1}},\
         \"index\":{index}}},\"payload\":{payload}}}}}]\n"
    )
}

fn committed(index: u64) -> String {
    format!(
        "[\"raft_log\",{{\"Committed\":{{\"leader_id\":{{\"term\":1,\"node_id\":1}},\
         \"index\":{index}}}}}]\n"
    )
}

fn applied(index: u64, sequence: u64) -> String {
    format!(
        "[\"state_machine/0\",{{\"Sequences\":{{\"key\":\"generic-kv\",\"value\":{sequence}}}}}]\n\
         [\"state_machine/0\",{{\"StateMachineMeta\":{{\"key\":\"LastApplied\",\"value\":{{\
         \"LogId\":{{\"leader_id\":{{\"term\":1,\"node_id\":1}},\"index\":{index}}}}}}}}}]\n"
    )
}

fn kv((key, seq, data): (&str, u64, u8)) -> String {
    format!(
        "[\"state_machine/0\",{{\"GenericKV\":{{\"key\":\"{key}\",\"value\":{{\"seq\":{seq},\
         \"meta\":null,\"data\":[{data}]}}}}}}]\n"
    )
}

fn state(keys: &[(&str, u64, u8)]) -> String {
    let keys: String = keys.iter().map(|key| kv(*key)).collect();
    format!("{HEAD}{}{}{}{keys}", committed(1), entry(1, None), applied(1, 9))
}

/// Hands both dumps over as they are asked for.
fn compared(left: (&str, At), right: (&str, At)) -> Result<Compared, GatherError> {
    let texts = [left.0, right.0];
    let mut comparison =
        Comparison::new(("a".to_owned(), left.1), ("b".to_owned(), right.1), 1_800_000_000_000);
    while let Some(side) = comparison.wants() {
        let mut framer = LineFramer::default();
        let mut read = |line: Line<'_>| match comparison.line(side, &line) {
            Ok(true) => Ok(()),
            Ok(false) => Err(None),
            Err(error) => Err(Some(error)),
        };
        let text = texts[usize::from(side == Side::Right)];
        let fed = framer.feed(text.as_bytes(), &mut read);
        match fed.and_then(|()| framer.finish(&mut read)) {
            Ok(()) | Err(None) => comparison.end_reading(side)?,
            Err(Some(error)) => return Err(error),
        }
    }
    Ok(comparison.finish())
}

fn rows(compared: &mut Compared, text: &str, change: Option<&str>) -> Vec<String> {
    let query = DifferenceQuery { text: text.to_owned(), change: change.map(str::to_owned) };
    let total = compared.list(&query);
    let shown = compared.rows(0, total).into_iter().map(|row| match row {
        DifferenceRow::Object(DifferingObject { sign, words, .. }) => format!("{sign} {words}"),
        DifferenceRow::Key(DifferingKey { change, key, .. }) => format!("{} {key}", change.name()),
    });
    shown.collect()
}

#[test]
fn every_sort_of_difference() {
    let left = state(&[("a/1", 1, 1), ("a/2", 2, 2), ("b/1", 3, 3), ("b/2", 4, 4)]);
    let right = state(&[("a/1", 1, 1), ("a/3", 5, 1), ("b/1", 6, 9), ("b/2", 7, 4)]);
    let mut found = compared((&left, At::End), (&right, At::End)).unwrap();
    let counts = Counts { added: 1, removed: 1, changed: 1, touched: 1, same: 1 };
    assert_eq!(found.states().keys, counts);
    let head = "~ keys of no known form: 1 key added, 1 removed, 1 changed, 1 only written again";
    let all = [head, "removed a/2", "added a/3", "changed b/1"];
    assert_eq!(rows(&mut found, "", None), all);
    assert_eq!(rows(&mut found, "", Some("touched")), [head, "touched b/2"]);
    assert_eq!(rows(&mut found, "B/1", None), [head, "changed b/1"]);
    assert_eq!(rows(&mut found, "KNOWN", None), all);
    assert_eq!(rows(&mut found, "nothing", None), Vec::<String>::new());
    assert_eq!(found.states().unsorted, []);
    let [before, after] = [("b/1", 3, 3), ("b/1", 6, 9)].map(kv);
    let lines = [Some(before.trim().as_bytes()), Some(after.trim().as_bytes())];
    let view = key_view(lines, Secrets::Masked).unwrap();
    assert_eq!((view.change, view.key.as_str()), (Change::Changed, "b/1"));
    assert_eq!((view.before.unwrap().seq, view.after.unwrap().seq), (3, 6));
    assert_eq!(view.fields.len(), 1);
}

#[test]
fn a_state_does_not_differ_from_itself() {
    let one = state(&[("a/1", 1, 1)]);
    let found = compared((&one, At::End), (&one, At::Snapshot)).unwrap();
    let States { system, keys, words, .. } = found.states();
    assert_eq!((system, keys.same, keys.differing()), (Vec::new(), 1, 0));
    assert_eq!(words, "no key differs; 1 is the same");
}

#[test]
fn two_moments_of_one_dump() {
    let log =
        committed(3) + &entry(1, None) + &entry(2, Some(("c", 7))) + &entry(3, Some(("a", 8)));
    let dump = format!("{HEAD}{log}{}{}{}", applied(1, 4), kv(("a", 1, 1)), kv(("b", 2, 2)));
    let mut found = compared((&dump, At::Snapshot), (&dump, At::End)).unwrap();
    let head = "~ keys of no known form: 1 key added, 1 changed";
    assert_eq!(rows(&mut found, "", None), [head, "changed a", "added c"]);
    let keys = found.keys_of(0, 10);
    assert_eq!(keys[0].before, Some(KeyPlace { line: Some(8), written: None }));
    let KeyPlace { line: None, written: Some(at) } = keys[0].after.unwrap() else { panic!() };
    assert_eq!(
        found.written(at).unwrap(),
        kv(("a", 6, 8)).trim_end().replace("null", "{\"proposed_at_ms\":1700000000000}").as_bytes()
    );
    assert_eq!(found.states().system[0], ["last applied", "T1-N1.1", "T1-N1.3"]);
    let mut back = compared((&dump, At::End), (&dump, At::Index(2))).unwrap();
    assert_eq!(rows(&mut back, "", None), ["~ keys of no known form: 1 key changed", "changed a"]);
    let none = compared((&dump, At::End), (&dump, At::Index(9))).unwrap_err();
    assert_eq!(none.to_string(), "there is no entry 9 in the log");
}

#[test]
fn a_credential_in_a_key_that_differs_is_masked() {
    let [left, right] =
        ["abc", "abd"].map(|token| state(&[(&format!("__fd_token/t/{token}"), 1, 1)]));
    let mut found = compared((&left, At::End), (&right, At::End)).unwrap();
    let keys = rows(&mut found, "", None).split_off(1);
    assert_eq!(keys, ["removed __fd_token/t/***", "added __fd_token/t/***"]);
}

#[test]
fn unsorted_keys_are_reported() {
    let right = state(&[("b", 1, 1), ("a", 2, 2)]);
    let found = compared((&state(&[]), At::End), (&right, At::End)).unwrap();
    assert_eq!(found.states().unsorted, [OutOfOrder { side: Side::Right, line: 7 }]);
}
