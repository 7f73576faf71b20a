//! What the service counts, in the text format of Prometheus, under the names of the real server.

use std::fmt;
use std::time::Duration;

use metadump_proto::meta::ClusterStatus;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::auth::Logins;

/// The upper bounds in which times are counted, in milliseconds, as the real server has them.
const DELAYS_MS: [f64; 15] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 30000.0,
    60000.0,
];

/// What is counted of the calls of clients. Clones count together.
#[derive(Debug, Clone)]
pub struct Calls {
    /// Bytes of answers.
    pub sent_bytes: Counter,
    /// Bytes of requests.
    pub recv_bytes: Counter,
    in_flight: Gauge,
    succeeded: Counter,
    failed: Counter,
    delay_ms: Histogram,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            sent_bytes: Counter::default(),
            recv_bytes: Counter::default(),
            in_flight: Gauge::default(),
            succeeded: Counter::default(),
            failed: Counter::default(),
            delay_ms: Histogram::new(DELAYS_MS),
        }
    }
}

impl Calls {
    /// A call begins; it is under way until the answer is dropped.
    pub fn begin(&self) -> UnderWay {
        self.in_flight.inc();
        UnderWay(self.in_flight.clone())
    }

    /// A call is answered, or its answer begins.
    pub fn answered(&self, succeeded: bool, delay: Duration) {
        if succeeded { &self.succeeded } else { &self.failed }.inc();
        self.delay_ms.observe(delay.as_secs_f64() * 1000.0);
    }
}

/// A call that is under way.
#[derive(Debug)]
pub struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The state, the handshakes and the calls as metrics.
pub fn metrics(
    status: &ClusterStatus,
    logins: &Logins,
    calls: &Calls,
) -> Result<String, fmt::Error> {
    let mut all = Registry::with_prefix("metasrv");
    let server = all.sub_registry_with_prefix("server");
    for (name, help, value) in [
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
    ] {
        server.register(name, help, ConstGauge::new(value));
    }
    let network = all.sub_registry_with_prefix("meta_network");
    network.register(
        "rpc_delay_ms",
        "Milliseconds until a call was answered",
        calls.delay_ms.clone(),
    );
    for (name, help, counter) in [
        ("sent_bytes", "Bytes of answers", &calls.sent_bytes),
        ("recv_bytes", "Bytes of requests", &calls.recv_bytes),
        ("req_success", "Calls that were answered", &calls.succeeded),
        ("req_failed", "Calls that were answered with an error", &calls.failed),
    ] {
        network.register(name, help, counter.clone());
    }
    network.register("req_inflights", "Calls that are under way", calls.in_flight.clone());
    network.register(
        "authenticated",
        "Handshakes with the password of a user",
        by_label("username", logins.accepted.iter().map(|(user, count)| (user.as_str(), *count))),
    );
    network.register(
        "unauthenticated_passed",
        "Handshakes without the password of a known user, let in as [grpc_auth] is not strict",
        by_label("reason", [("missing", logins.missing), ("incorrect", logins.incorrect)]),
    );
    let mut text = String::new();
    encode(&mut text, &all)?;
    Ok(text)
}

/// A counter with one label. What never happened is absent, as in the real server.
fn by_label<'a>(
    label: &'static str,
    counts: impl IntoIterator<Item = (&'a str, u64)>,
) -> Family<[(&'static str, String); 1], Counter> {
    let family = Family::<_, Counter>::default();
    for (value, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        family.get_or_create(&[(label, value.to_owned())]).inc_by(count);
    }
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_prometheus() {
        let status = ClusterStatus { id: 4, last_seq: 97, ..ClusterStatus::default() };
        let logins =
            Logins { accepted: [("a\"b".to_owned(), 2)].into(), incorrect: 1, ..Logins::default() };
        let calls = Calls::default();
        let under_way = calls.begin();
        calls.answered(true, Duration::from_micros(1500));
        calls.answered(false, Duration::from_secs(100));
        let text = metrics(&status, &logins, &calls).unwrap();
        assert!(text.starts_with(
            "# HELP metasrv_server_current_leader_id The id of the node that leads.\n\
             # TYPE metasrv_server_current_leader_id gauge\n\
             metasrv_server_current_leader_id 4\n"
        ));
        for lines in [
            "metasrv_server_last_seq 97\n",
            "# TYPE metasrv_meta_network_rpc_delay_ms histogram\n",
            "metasrv_meta_network_rpc_delay_ms_count 2\n",
            "metasrv_meta_network_rpc_delay_ms_bucket{le=\"1.0\"} 0\n\
             metasrv_meta_network_rpc_delay_ms_bucket{le=\"2.0\"} 1\n",
            "metasrv_meta_network_rpc_delay_ms_bucket{le=\"60000.0\"} 1\n\
             metasrv_meta_network_rpc_delay_ms_bucket{le=\"+Inf\"} 2\n",
            "metasrv_meta_network_req_success_total 1\n",
            "metasrv_meta_network_req_failed_total 1\n",
            "metasrv_meta_network_req_inflights 1\n",
            "# TYPE metasrv_meta_network_authenticated counter\n\
             metasrv_meta_network_authenticated_total{username=\"a\\\"b\"} 2\n",
            "# TYPE metasrv_meta_network_unauthenticated_passed counter\n\
             metasrv_meta_network_unauthenticated_passed_total{reason=\"incorrect\"} 1\n\
             # EOF\n",
        ] {
            assert!(text.contains(&format!("\n{lines}")), "{lines}: {text}");
        }
        drop(under_way);
        let text = metrics(&status, &logins, &calls).unwrap();
        assert!(text.contains("\nmetasrv_meta_network_req_inflights 0\n"), "{text}");
    }
}
