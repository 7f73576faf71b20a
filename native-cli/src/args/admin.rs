//! What is asked of the admin API of a server: `trigger-snapshot`, `transfer-leader`,
//! `set-feature`, `list-features`, `metrics`.

use std::time::Duration;

use clap::{ArgAction, Args};
use metadump::record::NodeId;

use super::service::{RUNNING_SERVICE, parse_seconds};
use super::values::whole;
use super::{Access, Format};
use crate::grpc::Address;

/// `list-features`, `metrics`
#[derive(Debug, Args)]
pub struct AskAdmin {
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// The server.
    #[command(flatten)]
    pub admin: Admin,
}

/// `trigger-snapshot`
#[derive(Debug, Args)]
#[command(mut_arg("admin_api_address", |arg| arg.default_value("127.0.0.1:28101")))]
pub struct TriggerSnapshot {
    /// What is asked.
    #[command(flatten)]
    pub ask: AskAdmin,
}

/// `transfer-leader`
#[derive(Debug, Args)]
#[command(mut_arg("admin_api_address", |arg| arg.help(OF_THE_LEADER)))]
pub struct TransferLeader {
    /// The node that is to lead; without it, the next one that votes.
    #[arg(long, value_name = "ID", value_parser = |text: &str| whole(text, "below 2^64").map(NodeId))]
    pub to: Option<NodeId>,

    /// What is asked.
    #[command(flatten)]
    pub ask: AskAdmin,
}

/// `set-feature`
#[derive(Debug, Args)]
#[command(mut_arg("admin_api_address", |arg| arg.help(OF_THE_LEADER)))]
pub struct SetFeature {
    /// The feature, one of those that `list-features` shows.
    #[arg(long, value_name = "NAME")]
    pub feature: String,

    /// `true` enables it, `false` disables it.
    #[arg(long, action = ArgAction::Set, value_name = "BOOL", hide_possible_values = true)]
    pub enable: bool,

    /// What is asked.
    #[command(flatten)]
    pub ask: AskAdmin,
}

/// What the address is to commands that only the leader carries out.
const OF_THE_LEADER: &str = "The admin HTTP address of the server that leads";

/// How to reach the admin API of a server.
#[derive(Debug, Args)]
#[command(
    mut_arg("username", |arg| arg.hide(true)),
    mut_arg("password_file", |arg| arg.hide(true)),
    mut_arg("grpc_tls_ca_cert", |arg| arg.hide(true)),
    mut_arg("grpc_tls_domain_name", |arg| arg.hide(true)),
)]
pub struct Admin {
    /// The admin HTTP address of the server.
    #[arg(long, help_heading = RUNNING_SERVICE, value_name = "HOST:PORT", default_value = "127.0.0.1:28002")]
    pub admin_api_address: Address,

    /// How long to try to connect.
    #[arg(long, help_heading = RUNNING_SERVICE, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub connect_timeout: Duration,

    /// How long to wait for the answer.
    #[arg(long, help_heading = RUNNING_SERVICE, value_name = "SECONDS", default_value = "60", value_parser = parse_seconds)]
    pub idle_timeout: Duration,

    /// Accepted as by the official tool, and without effect: the admin API knows no users.
    #[command(flatten)]
    pub access: Access,
}
