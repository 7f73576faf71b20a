//! `metrics`: what a server counts.

use std::io::{self, BufWriter, IsTerminal, Write};

use anyhow::Result;
use serde_json::{Map, Number, Value, json};

use super::Outcome;
use super::admin::admin_api;
use crate::args::{AskAdmin, Format};
use crate::grpc::{Failure, wait};
use crate::printable::{json_line, printable_lines};
use crate::stdout::stdout;

/// Runs the command.
pub fn run(args: &AskAdmin) -> Result<Outcome> {
    let text = wait(admin_api(&args.admin).metrics())?.map_err(Failure::explained)?;
    let mut out = BufWriter::new(stdout());
    match args.format {
        // Behind the text, which ends with a line end, the official tool prints another one.
        Format::Text if io::stdout().is_terminal() => writeln!(out, "{}", printable_lines(&text))?,
        Format::Text => writeln!(out, "{text}")?,
        Format::Json => {
            for sample in text.lines().filter_map(sample) {
                writeln!(out, "{}", json_line(&sample)?)?;
            }
        }
    }
    out.flush()?;
    Ok(Outcome::Done)
}

/// One line of the text format of Prometheus: `name{label="value",…} 1`; none of comments and
/// blank lines.
pub fn sample(line: &str) -> Option<Value> {
    // What may stand behind it is an example of what was counted.
    let line = line.split(" # ").next().unwrap_or_default().trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (name, labels, rest) = match line.split_once('{') {
        Some((name, rest)) => {
            let (labels, rest) = labels(rest)?;
            (name, labels, rest)
        }
        None => {
            let (name, rest) = line.split_once(char::is_whitespace)?;
            (name, Map::new(), rest)
        }
    };
    // A time may follow.
    let value = rest.split_whitespace().next()?;
    let number = value.parse::<u64>().map(Number::from).ok();
    let number = number.or_else(|| Number::from_f64(value.parse().ok()?));
    // JSON has neither NaN nor infinity.
    let value = number.map_or_else(|| Value::from(value), Value::Number);
    Some(json!({ "name": name.trim_end(), "labels": labels, "value": value }))
}

/// The labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(Map<String, Value>, &str)> {
    let mut labels = Map::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (mut value, mut chars) = (String::new(), quoted.chars());
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => match chars.next()? {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                other => value.push(other),
            }
        }
        labels.insert(name.to_owned(), Value::from(value));
        rest = chars.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let found = sample(line).map_or("none".to_owned(), |sample| sample.to_string());
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn samples() {
        check("# HELP a b", "none");
        check("", "none");
        check("a 1", r#"{"labels":{},"name":"a","value":1}"#);
        check("a 1.5 1700000000", r#"{"labels":{},"name":"a","value":1.5}"#);
        check("a\t7", r#"{"labels":{},"name":"a","value":7}"#);
        check("a_total 5 # {t=\"x\"} 0.5", r#"{"labels":{},"name":"a_total","value":5}"#);
        check("a NaN", r#"{"labels":{},"name":"a","value":"NaN"}"#);
        check("a +Inf", r#"{"labels":{},"name":"a","value":"+Inf"}"#);
        check(
            r#"a_total{b="c, d\"}\n",e="f"} 2"#,
            r#"{"labels":{"b":"c, d\"}\n","e":"f"},"name":"a_total","value":2}"#,
        );
        check(r#"a{b="c"#, "none");
        check("a", "none");
    }
}
