use super::*;
use crate::change::select::Choice;
use crate::look::tests::read;
use crate::state::moment::At;
use crate::value::{Decoded, MessageType};

fn kv(key: &str, data: &[u8]) -> String {
    let data: Vec<String> = data.iter().map(u8::to_string).collect();
    format!(
        r#"["state_machine/0",{{"GenericKV":{{"key":"{key}","value":{{"seq":1,"meta":null,"data":[{}]}}}}}}]"#,
        data.join(",")
    )
}

fn message(of: &str, json: &str) -> Vec<u8> {
    Decoded::from_json(MessageType::named(of).unwrap(), json).unwrap().write()
}

/// Databases of two tenants; the log puts another one of the first behind the snapshot.
fn dump(more: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = [
        r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#,
        r#"["raft_log",{"NodeId":1}]"#,
        r#"["raft_log",{"Vote":{"leader_id":{"term":1,"node_id":1},"committed":true}}]"#,
        r#"["raft_log",{"Committed":{"leader_id":{"term":1,"node_id":1},"index":6}}]"#,
        r#"["raft_log",{"Purged":{"leader_id":{"term":1,"node_id":1},"index":5}}]"#,
        r#"["raft_log",{"LogEntry":{"log_id":{"leader_id":{"term":1,"node_id":1},"index":6},"payload":{"Normal":{"time_ms":1700000000000,"cmd":{"UpsertKV":{"key":"__fd_database/a/new","seq":"Any","value":{"Update":[57]},"value_meta":null}}}}}}]"#,
        r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":9}}]"#,
        r#"["state_machine/0",{"StateMachineMeta":{"key":"LastApplied","value":{"LogId":{"leader_id":{"term":1,"node_id":1},"index":5}}}}]"#,
    ]
    .map(str::to_owned)
    .to_vec();
    lines.push(kv("__fd_database/a/old", b"7"));
    lines.push(kv("__fd_database/b/theirs", b"8"));
    lines.extend_from_slice(more);
    lines
}

fn filtered(lines: &[String], query: FilterQuery, at: At) -> Result<Filtered, FilterError> {
    let mut filtering = Filtering::new(Choice::try_from(query).unwrap(), at, 0);
    loop {
        read(lines, |line| filtering.line(line))?;
        if !filtering.end_reading()? {
            return filtering.finish();
        }
    }
}

fn written(lines: &[String], filtered: &Filtered) -> String {
    let (mut writer, mut out) = (filtered.writer(), Vec::new());
    read(lines, |line| writer.line(line, &mut out).map(|()| true)).unwrap();
    writer.finish(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn of_tenant(name: &str) -> FilterQuery {
    FilterQuery { tenants: vec![name.to_owned()], ..FilterQuery::default() }
}

#[test]
fn a_tenant_stays_with_what_the_log_gave_it() {
    let lines = dump(&[]);
    let made = filtered(&lines, of_tenant("a"), At::End).unwrap();
    let KindParts { stays, goes } = made.preview(10).kinds["database"];
    assert_eq!((stays.objects, stays.keys, goes.objects, goes.keys), (2, 2, 1, 1));
    let text = written(&lines, &made);
    let has = |key: &str| text.contains(&format!(r#""key":"{key}""#));
    assert!(has("__fd_database/a/old") && has("__fd_database/a/new"), "{text}");
    assert!(!has("__fd_database/b/theirs") && !text.contains("LogEntry"), "{text}");
    // What stays of the dump stays as it stands there.
    assert!(text.contains(&lines[8]), "{text}");
}

#[test]
fn the_snapshot_lacks_what_the_log_did_and_says_so() {
    let lines = dump(&[]);
    let made = filtered(&lines, of_tenant("a"), At::Snapshot).unwrap();
    assert!(!written(&lines, &made).contains("__fd_database/a/new"));
    let preview = made.preview(0);
    assert_eq!((preview.gone_count, preview.gone.len()), (1, 0));
    let first = &preview.words[0];
    assert!(first.starts_with("as of T1-N1.5") && first.ends_with("1 entry later not applied"));
}

#[test]
fn what_cannot_be_chosen_is_said_with_what_there_is() {
    let said = |lines: &[String], query| {
        filtered(lines, query, At::End).map(drop).unwrap_err().to_string()
    };
    let near = said(&dump(&[]), of_tenant("aa"));
    assert!(near.starts_with("there is no tenant aa; there is: a"), "{near}");
    let broken = said(&dump(&["no record".to_owned()]), of_tenant("a"));
    assert!(broken.starts_with("line 11, byte "), "{broken}");
    let unknown = said(&dump(&[kv("other", b"x")]), of_tenant("a"));
    assert_eq!(unknown, "it is not known whose these keys are: other");
    let kept = FilterQuery { unknown: Unknown::Keep, ..of_tenant("a") };
    let lines = dump(&[kv("other", b"x")]);
    assert!(written(&lines, &filtered(&lines, kept, At::End).unwrap()).contains("other"));
}

#[test]
fn a_part_of_a_dump_without_a_header_has_one_purged_position() {
    let lines = [
        r#"["raft_state",{"RaftStateKV":{"key":"Id","value":{"NodeId":1}}}]"#,
        r#"["raft_log",{"LogMeta":{"key":"LastPurged","value":{"LogId":{"term":1,"index":3}}}}]"#,
        r#"["state_machine/0",{"StateMachineMeta":{"key":"LastApplied","value":{"LogId":{"term":1,"index":5}}}}]"#,
    ];
    let mut lines = lines.map(str::to_owned).to_vec();
    lines.push(kv("a", b"1"));
    let query = FilterQuery { prefixes: vec!["a".to_owned()], ..FilterQuery::default() };
    let text = written(&lines, &filtered(&lines, query, At::Snapshot).unwrap());
    assert_eq!(text.matches("LastPurged").count(), 1, "{text}");
}

fn surveyed(lines: &[String], most: usize) -> Surveyed {
    let mut surveying = Surveying::new(most, None);
    read(lines, |line| surveying.line(line).map(|()| true)).unwrap();
    surveying.finish()
}

fn proved(lines: &[String], surveyed: &Surveyed) -> (String, crate::redact::Copies) {
    let mut proving = surveyed.proving(surveyed.secrets());
    let mut out = Vec::new();
    read(lines, |line| {
        proving.line(line, |made| out.extend_from_slice(made));
        out.push(b'\n');
        Ok::<_, ()>(true)
    })
    .unwrap();
    (String::from_utf8(out).unwrap(), proving.finish())
}

/// A user whose password hash is a credential.
fn user(secret: &str) -> String {
    let json = format!(
        r#"{{"name":"u","auth_info":{{"password":{{"hash_value":"{}","hash_method":1}}}}}}"#,
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, secret)
    );
    kv("__fd_users/a/%27u%27%40%27%25%27", &message("UserInfo", &json))
}

#[test]
fn a_credential_is_named_replaced_and_looked_for() {
    let lines = dump(&[user("correct horse battery")]);
    let found = surveyed(&lines, 10);
    let (text, copies) = proved(&lines, &found);
    let preview = found.preview(&copies);
    assert_eq!((preview.tally.replaced, preview.tally.changed_lines), (1, 1));
    assert_eq!((preview.places.len(), preview.places[0].line), (1, 11));
    assert!(preview.places[0].path.ends_with("hash_value"), "{:?}", preview.places);
    assert!(copies.is_empty());
    assert_eq!(text.lines().count(), lines.len());
    assert_ne!(text.lines().last(), lines.last().map(String::as_str));
    // A copy elsewhere is found, and told.
    let lines = dump(&[user("correct horse battery"), kv("x", b"the correct horse battery")]);
    let found = surveyed(&lines, 0);
    let (_, copies) = proved(&lines, &found);
    assert_eq!((found.preview(&copies).places.len(), copies.lines), (0, 1));
    assert_eq!(copies.first[0].line, 12);
}

#[test]
fn a_share_of_the_credentials_is_collected_again() {
    let lines = dump(&[user("correct horse battery")]);
    let mut share = surveyed(&lines, 0).share(0);
    read(&lines, |line| {
        share.line(line);
        Ok::<_, ()>(true)
    })
    .unwrap();
    assert_eq!(share.finish().len(), 1);
}
