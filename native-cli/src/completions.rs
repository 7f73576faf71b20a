//! Completions for shells.

use clap_complete::Shell;

use crate::manual;

/// The script for a shell.
pub fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut manual::command(), manual::PROGRAM, &mut script);
    match shell {
        Shell::Bash => in_one_spelling(script),
        _ => script,
    }
}

/// clap_complete spells the hyphen of the program's name in two ways in a script for bash, which
/// then completes nothing behind a subcommand.
fn in_one_spelling(script: Vec<u8>) -> Vec<u8> {
    let script = String::from_utf8_lossy(&script).into_owned();
    script.replace("databend__subcmd__metactl", "databend__metactl").into_bytes()
}
