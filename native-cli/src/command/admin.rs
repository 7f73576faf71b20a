//! What is asked of the admin API: `trigger-snapshot`, `transfer-leader`, `set-feature`,
//! `list-features`.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::Outcome;
use crate::args::{Admin, AskAdmin, Format, SetFeature, TransferLeader, TriggerSnapshot};
use crate::grpc::{AdminApi, Failure, Features, LeaderTransfer, wait};
use crate::printable::{json_line, printable_json};
use crate::stdout::stdout;

/// The admin API of the command line.
pub fn admin_api(args: &Admin) -> AdminApi {
    AdminApi {
        address: args.admin_api_address.clone(),
        connect_timeout: args.connect_timeout,
        answer_timeout: args.idle_timeout,
    }
}

/// Runs `trigger-snapshot`.
pub fn trigger_snapshot(args: &TriggerSnapshot) -> Result<Outcome> {
    let api = admin_api(&args.ask.admin);
    wait(api.trigger_snapshot())?.map_err(Failure::explained)?;
    let address = api.address.to_string();
    print(
        &args.ask,
        "triggered snapshot successfully.",
        &json!({ "admin_api_address": address, "triggered": true }),
    )
}

/// Runs `transfer-leader`.
pub fn transfer_leader(args: &TransferLeader) -> Result<Outcome> {
    let api = admin_api(&args.ask.admin);
    let transfer = wait(api.transfer_leader(args.to))?.map_err(Failure::explained)?;
    let LeaderTransfer { from, to, voter_ids } = &transfer;
    let voters: Vec<u64> = voter_ids.iter().map(|id| id.0).collect();
    let text = format!("triggered leader transfer from {from} to {to}.\nvoter ids: {voters:?}");
    print(&args.ask, &text, &json!(transfer))
}

/// Runs `set-feature`.
pub fn set_feature(args: &SetFeature) -> Result<Outcome> {
    let api = admin_api(&args.ask.admin);
    let features = wait(api.set_feature(&args.feature, args.enable))?;
    let features = features.map_err(Failure::explained)?;
    let text = format!("set-feature: Done; features:\n{}", pretty(&features)?);
    print(&args.ask, &text, &json!(features))
}

/// Runs `list-features`.
pub fn list_features(args: &AskAdmin) -> Result<Outcome> {
    let features = wait(admin_api(&args.admin).features())?.map_err(Failure::explained)?;
    print(args, &pretty(&features)?, &json!(features))
}

fn pretty(features: &Features) -> Result<String> {
    Ok(printable_json(serde_json::to_string_pretty(features)?))
}

fn print(args: &AskAdmin, text: &str, json: &serde_json::Value) -> Result<Outcome> {
    let mut out = stdout();
    match args.format {
        Format::Text => writeln!(out, "{text}")?,
        Format::Json => writeln!(out, "{}", json_line(json)?)?,
    }
    Ok(Outcome::Done)
}
