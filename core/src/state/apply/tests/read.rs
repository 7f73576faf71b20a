//! Reads with the reader's clock, and the range that a watch begins with.

use super::*;

fn server() -> Server {
    let mut server = Server::new(ApplyRules::CURRENT);
    for (key, meta) in [
        ("a/1", "null"),
        ("a/2", r#"{"expire_at":10}"#),
        ("a/3", "null"),
        ("b", "null"),
        ("é", "null"),
        ("\u{ffff}", "null"),
        ("\u{1f600}", "null"),
    ] {
        server.set(1, key, meta);
    }
    server
}

fn keys(server: &Server, prefix: &str, limit: Option<u64>, clock_ms: u64) -> String {
    let listed = server.machine.list(prefix, limit, clock_ms);
    listed.map(|read| read.unwrap().0.into_owned()).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_has_expired_by_the_readers_clock_is_hidden() {
    let server = server();
    let get = |key, clock_ms| shown(server.machine.get(key, clock_ms).unwrap().as_ref());
    assert_eq!(get("a/2", 10_000), "2 {e:10,p:1} v");
    assert_eq!(get("a/2", 10_001), "-");
    assert_eq!(get("a/1", u64::MAX), "1 {p:1} v");
    assert_eq!(get("none", 0), "-");
    let many = server.machine.mget(["b", "a/2", "none", "b"], 10_001);
    let many: Vec<String> = many.map(|read| shown(read.unwrap().as_ref())).collect();
    assert_eq!(many, ["4 {p:1} v", "-", "-", "4 {p:1} v"]);
    // Reading removes nothing.
    assert_eq!(server.machine.store().len(), 7);
}

#[test]
fn lists_are_in_byte_order_and_count_what_is_visible() {
    let server = server();
    assert_eq!(keys(&server, "", None, 0), "a/1 a/2 a/3 b é \u{ffff} \u{1f600}");
    assert_eq!(keys(&server, "a/", None, 10_001), "a/1 a/3");
    assert_eq!(keys(&server, "a/", Some(2), 10_001), "a/1 a/3");
    assert_eq!(keys(&server, "a/", Some(2), 10_000), "a/1 a/2");
    assert_eq!(keys(&server, "a/", Some(0), 0), "");
    assert_eq!(keys(&server, "a/", Some(u64::MAX), 0), "a/1 a/2 a/3");
    assert_eq!(keys(&server, "c", None, 0), "");
    assert_eq!(keys(&server, "é", None, 0), "é");
}

#[test]
fn lists_have_the_prefixes_of_the_rules() {
    for (rules, listed) in
        [(ApplyRules::CURRENT, "\u{d7ff} \u{e000}"), (ApplyRules::V1_2_771, "\u{d7ff}")]
    {
        let mut server = Server::new(rules);
        for key in ["a", "\u{d7ff}", "\u{e000}"] {
            server.set(1, key, "null");
        }
        assert_eq!(keys(&server, "\u{d7ff}", None, 0), listed);
    }
}

#[test]
fn a_watch_begins_with_what_is_there_expired_or_not() {
    let server = server();
    let present = |key: &str, end: Option<&str>| {
        let records = server.machine.present(KeyRange::watched(key, end));
        records.map(|read| read.unwrap().0.into_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(present("a/2", None), "a/2");
    assert_eq!(present("a/", None), "");
    assert_eq!(present("a/2", Some("b")), "a/2 a/3");
    assert_eq!(present("b", Some("a")), "");
    assert_eq!(present("b", Some("b")), "");
    assert_eq!(present("", Some("a/2")), "a/1");
}

#[test]
fn ranges_contain_what_they_list() {
    assert!(KeyRange::all().contains("") && KeyRange::all().contains("\u{10ffff}"));
    assert!(KeyRange::one("a").contains("a"));
    assert!(!KeyRange::one("a").contains("a\0") && !KeyRange::one("a").contains(""));
    assert_eq!(KeyRange::with_prefix("a").before.as_deref(), Some("b"));
    assert_eq!(KeyRange::with_prefix("a\u{7f}").before.as_deref(), Some("a\u{80}"));
    assert_eq!(KeyRange::with_prefix("a\u{10ffff}\u{10ffff}").before.as_deref(), Some("b"));
    for endless in ["", "\u{10ffff}", "x\u{d7ff}", "x\u{d7ff}\u{10ffff}"] {
        assert_eq!(KeyRange::with_prefix(endless).before, None, "{endless}");
    }
}

#[test]
fn keys_are_counted_per_directory() {
    let mut lines = Vec::new();
    let put = |found: crate::state::keys_layout::KeysCount<'_>| {
        lines.push(format!("{} {}", found.prefix, found.count));
    };
    server().machine.keys_layout(Some(1), put).unwrap();
    assert_eq!(lines, ["a 3", " 7"]);
}
