//! The admin API.

use std::time::Duration;

use metadump::record::NodeId;

use super::super::fake::{Nobody, talking};
use super::super::{Address, AdminApi, Features, LeaderTransfer};
use super::*;

fn api(address: &Address) -> AdminApi {
    let timeout = Duration::from_secs(10);
    AdminApi { address: address.clone(), connect_timeout: timeout, answer_timeout: timeout }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A server that answers so; the path of the request is to be this.
async fn check<T>(
    answer: &str,
    path: &str,
    ask: impl AsyncFnOnce(AdminApi) -> Result<T, Failure>,
) -> Result<T, String> {
    let (address, heard) = talking(answer).await;
    let answered = ask(api(&address))
        .await
        .map_err(|failure| message(failure).replace(&address.to_string(), "SERVER"));
    let expected = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    assert_eq!(heard.await.unwrap(), expected);
    answered
}

#[test]
fn requests_and_answers() {
    wait(async {
        let path = "/v1/ctrl/trigger_snapshot";
        let triggered = check(&ok(""), path, async |api| api.trigger_snapshot().await).await;
        assert_eq!(triggered, Ok(()));

        let body = r#"{"from":1,"to":2,"voter_ids":[1,2,3]}"#;
        let transfer = LeaderTransfer {
            from: NodeId(1),
            to: NodeId(2),
            voter_ids: [1, 2, 3].map(NodeId).into(),
        };
        let path = "/v1/ctrl/trigger_transfer_leader";
        let to = Some(NodeId(2));
        let asked = check(&ok(body), path, async |api| api.transfer_leader(None).await).await;
        assert_eq!(asked, Ok(transfer.clone()));
        let path = format!("{path}?to=2");
        let asked = check(&ok(body), &path, async |api| api.transfer_leader(to).await).await;
        assert_eq!(asked, Ok(transfer));

        let body = r#"{"features":["dummy","dummy_feature2"],"enabled":["dummy"]}"#;
        let features = Features {
            features: vec!["dummy".to_owned(), "dummy_feature2".to_owned()],
            enabled: vec!["dummy".to_owned()],
        };
        let asked = check(&ok(body), "/v1/features/list", async |api| api.features().await).await;
        assert_eq!(asked, Ok(features.clone()));
        let path = "/v1/features/set?feature=a_b%26c&enable=true";
        let asked = check(&ok(body), path, async |api| api.set_feature("a_b&c", true).await).await;
        assert_eq!(asked, Ok(features));

        let body = "# TYPE a gauge\na 1\n# EOF\n";
        let asked = check(&ok(body), "/v1/metrics", async |api| api.metrics().await).await;
        assert_eq!(asked.as_deref(), Ok(body));
    })
    .unwrap();
}

#[test]
fn refusals_are_told_with_what_to_do() {
    wait(async {
        let check = async |answer: &str, expected: &str| {
            let path = "/v1/features/list";
            let asked = check(answer, path, async |api| api.features().await).await;
            assert_eq!(asked, Err(expected.to_owned()));
        };
        let refused = |status: &str, body: &str| {
            format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        };
        let address = "check that this is the admin address of a meta service (port 28002 or 28101 \
                       by default)";
        check(
            &refused("404 Not Found", "not found\n"),
            &format!("SERVER answers 404: not found\nhelp: {address}"),
        )
        .await;
        check(
            &refused("404 Not Found", "This node is not leader, can not set feature;\nid=2"),
            "SERVER answers 404: This node is not leader, can not set feature;\\nid=2\nhelp: ask \
             the admin API of the leader, which `databend-metactl status` names",
        )
        .await;
        check(
            &refused("400 Bad Request", "no"),
            "SERVER answers 400: no\nhelp: the server understands this, and refuses it: see what \
             it says",
        )
        .await;
        let other = format!("SERVER does not answer with a list of features\nhelp: {address}");
        check(&ok("null"), &other).await;
    })
    .unwrap();
}

#[test]
fn who_does_not_answer_is_told() {
    wait(async {
        let nobody = Nobody::new();
        let address = &nobody.address;
        assert_eq!(
            api(address).trigger_snapshot().await.unwrap_err().to_string(),
            format!("cannot ask {address}: Connection refused (os error 111)")
        );
        let secure = "https://127.0.0.1:28002".parse().unwrap();
        assert_eq!(
            api(&secure).trigger_snapshot().await.unwrap_err().to_string(),
            "cannot ask https://127.0.0.1:28002: only plain HTTP is spoken to the admin API"
        );
    })
    .unwrap();
}
