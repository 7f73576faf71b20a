//! `member-list`: the gRPC addresses of the members of a running cluster.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::Outcome;
use super::service::with_session;
use crate::args::{Format, Query};
use crate::grpc::member_list;
use crate::progress::Progress;
use crate::report::{json_line, printable};
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &Query, progress: &Progress) -> Result<Outcome> {
    let members = with_session(&args.service, progress, member_list)?;
    let mut out = stdout();
    match args.format {
        Format::Text => {
            for member in members {
                writeln!(out, "{}", printable(&member))?;
            }
        }
        Format::Json => {
            for member in members {
                writeln!(out, "{}", json_line(&json!({ "grpc_api_address": member }))?)?;
            }
        }
    }
    Ok(Outcome::Done)
}
