//! What the service counts, in the text format of Prometheus, under the names of the real server.

use std::fmt::Write as _;

use metadump_proto::meta::ClusterStatus;

use super::auth::Logins;

/// The state and the handshakes as metrics.
pub fn metrics(status: &ClusterStatus, logins: &Logins) -> String {
    let mut text = String::new();
    let gauges = [
        ("current_leader_id", "The id of the node that leads", status.id),
        ("is_leader", "Whether this node leads", u64::from(status.is_leader)),
        ("node_is_health", "Whether this node takes calls", 1),
        ("current_term", "The term of the leader", status.current_term),
        ("last_log_index", "The index of the last entry of the log", status.last_log_index),
        ("proposals_applied", "The index of the last entry that is applied", status.last_log_index),
        ("proposals_pending", "Entries that are not applied yet", 0),
        ("last_seq", "The last sequence number that was given out", status.last_seq),
        ("snapshot_key_count", "Keys in the last snapshot", status.snapshot_key_count),
        ("raft_log_size", "Bytes of the log that was loaded", status.raft_log_size),
    ];
    for (name, help, value) in gauges {
        let name = format!("metasrv_server_{name}");
        let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} gauge\n{name} {value}");
    }
    let by_user = logins.accepted.iter().map(|(user, count)| (user.as_str(), *count));
    counter(
        &mut text,
        "authenticated",
        "Handshakes with the password of a user",
        "username",
        by_user,
    );
    let passed = [("missing", logins.missing), ("incorrect", logins.incorrect)];
    counter(
        &mut text,
        "unauthenticated_passed",
        "Handshakes without the password of a known user, let in as [grpc_auth] is not strict",
        "reason",
        passed.into_iter().filter(|(_, count)| *count > 0),
    );
    text.push_str("# EOF\n");
    text
}

/// A counter with one label. What never happened is absent, as in the real server.
fn counter<'a>(
    text: &mut String,
    name: &str,
    help: &str,
    label: &str,
    counts: impl Iterator<Item = (&'a str, u64)>,
) {
    let name = format!("metasrv_meta_network_{name}");
    let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} counter");
    for (value, count) in counts {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = writeln!(text, "{name}_total{{{label}=\"{value}\"}} {count}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_prometheus() {
        let status = ClusterStatus { id: 4, last_seq: 97, ..ClusterStatus::default() };
        let logins =
            Logins { accepted: [("a\"b".to_owned(), 2)].into(), incorrect: 1, ..Logins::default() };
        let text = metrics(&status, &logins);
        assert!(text.starts_with(
            "# HELP metasrv_server_current_leader_id The id of the node that leads.\n\
             # TYPE metasrv_server_current_leader_id gauge\n\
             metasrv_server_current_leader_id 4\n"
        ));
        assert!(text.contains("\nmetasrv_server_last_seq 97\n"), "{text}");
        let expected = "# TYPE metasrv_meta_network_authenticated counter\n\
                        metasrv_meta_network_authenticated_total{username=\"a\\\"b\"} 2\n";
        assert!(text.contains(expected), "{text}");
        let expected = "# TYPE metasrv_meta_network_unauthenticated_passed counter\n\
                        metasrv_meta_network_unauthenticated_passed_total{reason=\"incorrect\"} 1\n\
                        # EOF\n";
        assert!(text.ends_with(expected), "{text}");
    }
}
