//! `--accept`: the codes of the findings that keep a dump out.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use metadump::check::{Code, Severity};

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
