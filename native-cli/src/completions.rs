//! Completions for shells.

use clap::{Arg, ValueHint};
use clap_complete::Shell;

use crate::manual;

/// The script for a shell.
pub fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut manual::command(), manual::PROGRAM, &mut script);
    match shell {
        Shell::Bash => offering_files(&in_one_spelling(&script)).into_bytes(),
        Shell::Fish => [script, without_files().into_bytes()].concat(),
        _ => script,
    }
}

/// What clap_complete's script for fish lacks: it offers files for the words of commands that take
/// none, and not the values that they take.
fn without_files() -> String {
    let command = manual::command();
    let of = |name: &str, values: &str| {
        format!(
            "complete -c {} -n \"__fish_databend_metactl_using_subcommand {name}\" -f{values}\n",
            manual::PROGRAM
        )
    };
    let mut lines = of("help", "");
    for sub in command.get_subcommands() {
        let words: Vec<&Arg> = sub.get_positionals().collect();
        if words.iter().any(|word| word.get_value_hint() == ValueHint::FilePath) {
            continue;
        }
        let values = words.iter().flat_map(|word| word.get_possible_values());
        let values: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        let offered =
            if values.is_empty() { String::new() } else { format!(" -a \"{}\"", values.join(" ")) };
        lines.push_str(&of(sub.get_name(), &offered));
    }
    lines
}

/// clap_complete spells the hyphen of the program's name in two ways in a script for bash, which
/// then completes nothing behind a subcommand.
fn in_one_spelling(script: &[u8]) -> String {
    let script = String::from_utf8_lossy(script).into_owned();
    script.replace("databend__subcmd__metactl", "databend__metactl")
}

/// The condition on which clap_complete's script for bash offers the options.
const OFFERS_OPTIONS: &str = "if [[ ${cur} == -* || ${COMP_CWORD} -eq ";

/// What it offers a command's words in the end.
const OFFERS_OPTIONS_LAST: &str =
    "            COMPREPLY=( $(compgen -W \"${opts}\" -- \"${cur}\") )";

/// Has the words of commands that take files be files: clap_complete offers the options for a word
/// of which nothing is typed. Without an answer bash offers files.
fn offering_files(script: &str) -> String {
    let takes_files = |label: &str| {
        let name = label.trim().strip_suffix(')')?.strip_prefix("databend__metactl__subcmd__")?;
        let command = manual::command();
        let command = command.find_subcommand(name.replace("__subcmd__", "-"))?;
        let mut words = command.get_positionals();
        Some(words.any(|word| word.get_value_hint() == ValueHint::FilePath))
    };
    let mut is_of_files = false;
    let mut lines = Vec::new();
    for line in script.lines() {
        // A label begins what belongs to one command.
        if line.trim_start().starts_with("databend__metactl") && line.ends_with(')') {
            is_of_files = takes_files(line).unwrap_or(false);
        }
        match line.split_once(OFFERS_OPTIONS) {
            Some((indent, _)) if is_of_files => {
                lines.push(format!("{indent}if [[ ${{cur}} == -* ]] ; then"));
            }
            None if is_of_files && line == OFFERS_OPTIONS_LAST => {}
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n") + "\n"
}
