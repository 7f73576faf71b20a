//! `--accept`: the codes of the findings that keep a dump out.

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use metadump::check::{Code, Severity};

/// What is let through on the way to another data version.
#[derive(Debug, Args)]
pub struct AcceptLosses {
    /// With --data-version, go on despite error findings of this code, or despite a loss of this
    /// code; may be repeated.
    #[arg(
        long,
        value_name = "CODE",
        requires = "data_version",
        value_parser = code_parser(),
        hide_possible_values = true,
        long_help = accept_help("With --data-version, go on despite error findings of this code, \
            or despite a loss of this code; may be repeated.")
    )]
    pub accept: Vec<Code>,
}

/// Reads a code; completions offer those that keep a dump out.
pub(super) fn code_parser() -> impl TypedValueParser<Value = Code> {
    let values = Code::ALL.iter().map(|code| {
        let value = PossibleValue::new(code.name()).help(code.title());
        value.hide(code.severity() != Severity::Error)
    });
    PossibleValuesParser::new(values).try_map(|name| name.parse::<Code>())
}

pub(super) fn accept_help(what: &str) -> String {
    let codes = Vec::from_iter(acceptable().map(Code::name));
    format!("{what}\n\nCodes: {}. docs/findings.md says what each means.", codes.join(", "))
}

/// The codes that keep a dump out.
fn acceptable() -> impl Iterator<Item = Code> {
    Code::ALL.iter().copied().filter(|code| code.severity() == Severity::Error)
}
